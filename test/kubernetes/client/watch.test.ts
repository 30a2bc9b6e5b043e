import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { KubeClientOptions } from '../../../src/kubernetes/client/kube-client.ts';
import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import { RESOURCES } from '../../../src/kubernetes/client/resources.ts';
import type { WatchEvent } from '../../../src/kubernetes/client/types.ts';
import { thrownBy } from '../../support/failure.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { always, type Handler, never } from '../../support/loopback.ts';
import { settle } from '../../support/simulated-time.ts';
import { configMap, refuse, type Started, startFaulty, status, TOKEN } from './started.ts';

const event = (name: string, type = 'MODIFIED', version = '7'): string =>
  `${JSON.stringify({ type, object: configMap(name, version) })}\n`;

interface Watched extends Started {
  readonly events: WatchEvent[];
  /** The answer, as soon as it has begun. */
  readonly answer: () => Promise<ServerResponse>;
  readonly seen: (count: number) => Promise<void>;
  /** How it ended: `undefined`, or what it threw. */
  readonly end: Promise<unknown>;
  readonly leave: AbortController;
}

/** Watches what a server writes as it is told to. */
async function watch(options: Partial<KubeClientOptions> = {}, handler?: Handler): Promise<Watched> {
  let begun: ((response: ServerResponse) => void) | undefined;
  const answer = new Promise<ServerResponse>((resolve) => {
    begun = resolve;
  });
  const started = await startFaulty(
    handler ??
      ((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
        begun?.(response);
      }),
    options,
  );
  const leave = new AbortController();
  const events: WatchEvent[] = [];
  const run = async (): Promise<undefined> => {
    const from = { namespace: 'demo', labelSelector: 'x=y', resourceVersion: '5' };
    for await (const one of started.client.watch(RESOURCES.ConfigMap, from, leave.signal)) events.push(one);
  };
  const end = run().catch((error: unknown) => error);
  const seen = async (count: number): Promise<void> => {
    while (events.length < count) await settle();
  };
  return { ...started, events, answer: () => answer, seen, end, leave };
}

describe('A watch', () => {
  test('asks for bookmarks, from where it was told, for 5 to 10 minutes', async () => {
    const { api, answer, end } = await watch();
    (await answer()).end();
    expect(await end).toBeUndefined();
    const { pathname, searchParams } = new URL(api.received[0]?.path ?? '', api.origin);
    const { timeoutSeconds, ...query } = Object.fromEntries(searchParams);
    expect(pathname).toBe('/api/v1/namespaces/demo/configmaps');
    expect(query).toEqual({
      ...{ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '5', labelSelector: 'x=y' },
    });
    expect(Number(timeoutSeconds)).toBeGreaterThanOrEqual(300);
    expect(Number(timeoutSeconds)).toBeLessThan(600);
    expect(api.received[0]?.headers['accept-encoding']).toBeUndefined();
  });

  test('gives events as they come, wherever the stream is cut, also within a character', async () => {
    const { answer, events, seen, end } = await watch();
    const response = await answer();
    const bytes = Buffer.from(event('zoë-🙂', 'ADDED') + event('b', 'DELETED') + event('', 'BOOKMARK', '9'));
    for (const byte of bytes.subarray(0, 150)) {
      response.write(Buffer.of(byte));
      await settle();
    }
    response.write(bytes.subarray(150));
    await seen(3);
    expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
      'ADDED zoë-🙂',
      'DELETED b',
      'BOOKMARK ',
    ]);
    response.end();
    expect(await end).toBeUndefined();
  });

  test('that the server ends within a line fails, after the events before it', async () => {
    const { answer, events, end } = await watch();
    (await answer()).end(event('a') + event('b').slice(0, 30));
    expect(await end).toMatchObject({
      reason: 'Malformed',
      message: 'cannot watch configmaps: the stream ended within a line',
    });
    expect(events).toHaveLength(1);
  });

  test('whose connection breaks fails', async () => {
    const { answer, seen, end } = await watch();
    const response = await answer();
    response.write(event('a') + event('b').slice(0, 30));
    await seen(1);
    response.destroy();
    expect(await end).toMatchObject({ code: 0, reason: 'Unreachable' });
  });

  test.each([
    ['no JSON', 'what?\n', 'an event is not JSON'],
    ['nothing', 'null\n', 'an event has no object'],
    ['an unknown type', event('a', 'RENAMED'), 'an event has no object'],
    ['no resourceVersion', '{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n', 'an event has no object'],
  ])('that tells %s fails, and loses no event silently', async (_name, text, message) => {
    const { api, answer, end } = await watch();
    (await answer()).write(text);
    expect(await end).toMatchObject({ reason: 'Malformed', message: `cannot watch configmaps: ${message}` });
    await api.cutOff(1);
  });

  test('with a line without an end is not read to the end', async () => {
    const { api, answer, end } = await watch();
    const response = await answer();
    const more = (): void => {
      while (response.writable && response.write('x'.repeat(1_000_000)));
      response.once('drain', more);
    };
    more();
    expect(await end).toMatchObject({
      message: `cannot watch configmaps: a line of more than ${8 * 1024 * 1024} bytes`,
    });
    await api.cutOff(1);
  });

  test('from a past that is forgotten fails as Expired, as an answer or as an event', async () => {
    const gone = status(410, 'Gone', { message: 'too old resource version: 5 (9)' });
    const expired = {
      ...{ code: 410, reason: 'Expired' },
      message: 'cannot watch configmaps: Expired (410): too old resource version: 5 (9)',
    };
    const refused = await watch({}, always(gone, { status: 410 }));
    expect(await refused.end).toMatchObject(expired);
    const told = await watch();
    (await told.answer()).write(
      `${event('a')}${JSON.stringify({ type: 'ERROR', object: gone })}\n${event('b')}`,
    );
    expect(await told.end).toMatchObject(expired);
    expect(told.events).toHaveLength(1);
  });

  test('that is refused is not tried again, and tells when it may be', async () => {
    const { api, end } = await watch({}, refuse(429, 'TooManyRequests', { headers: { 'retry-after': '3' } }));
    expect(await end).toMatchObject({ code: 429, reason: 'TooManyRequests', retryAfterMs: 3_000 });
    expect(api.received).toHaveLength(1);
  });

  test('whose answer does not begin fails in time', async () => {
    const { api, time, end } = await watch({ timeoutMs: 5_000 }, never);
    await api.arrived(1);
    await time.advance(5_000);
    expect(await end).toMatchObject({ reason: 'TimedOut' });
    await api.cutOff(1);
  });

  test('that is silent for too long ends, and one that tells something now and then does not', async () => {
    const { api, time, answer, seen, end } = await watch({ watchIdleMs: 60_000, timeoutMs: 5_000 });
    const response = await answer();
    for (let count = 1; count <= 3; count++) {
      await time.advance(59_000);
      response.write(event(`a${count}`, 'BOOKMARK'));
      await seen(count);
      while (time.next() !== 60_000) await settle();
    }
    await time.advance(59_999);
    await time.advance(1);
    expect(await end).toBeUndefined();
    await api.cutOff(1);
    expect(time.timers()).toBe(0);
  });

  test('that nobody wants any more ends with the reason, and its connection is closed', async () => {
    const early = await watch({}, never);
    await early.api.arrived(1);
    early.leave.abort(new Error('gone'));
    expect(await early.end).toEqual(new Error('gone'));
    await early.api.cutOff(1);

    const { api, time, answer, seen, end, leave } = await watch();
    (await answer()).write(event('a'));
    await seen(1);
    leave.abort(new Error('gone'));
    expect(await end).toEqual(new Error('gone'));
    await api.cutOff(1);
    expect(time.timers()).toBe(0);
  });

  test('that is left in the middle has its connection closed', async () => {
    const { client, api, time } = await startFaulty((_request, response) => {
      response.writeHead(200).write(event('a') + event('b'));
    });
    const from = { resourceVersion: '1' };
    for await (const one of client.watch(RESOURCES.ConfigMap, from, new AbortController().signal)) {
      expect(one.object.metadata.name).toBe('a');
      break;
    }
    await api.cutOff(1);
    expect(time.timers()).toBe(0);
  });

  test('shows nothing of the credential, whatever the event says', async () => {
    const { answer, end } = await watch();
    const object = status(500, 'InternalError', { message: `Bearer ${TOKEN}` });
    (await answer()).write(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    const error = await end;
    expect(error).toBeInstanceOf(KubeError);
    expectNoLeak(error, [TOKEN]);
  });
});

test('Watches do not keep requests waiting, however many there are', async () => {
  const { client, api } = await startFaulty((request, response) => {
    if (request.path.includes('watch=')) response.writeHead(200).flushHeaders();
    else always(configMap('a'))(request, response);
  });
  const leave = new AbortController();
  const ends = Array.from({ length: 30 }, () =>
    thrownBy(async () => {
      const from = { resourceVersion: '1' };
      for await (const _ of client.watch(RESOURCES.ConfigMap, from, leave.signal));
    }),
  );
  await api.arrived(30);
  expect(await client.get(RESOURCES.ConfigMap, { namespace: 'demo', name: 'a' })).toBeDefined();
  leave.abort();
  await Promise.all(ends);
});
