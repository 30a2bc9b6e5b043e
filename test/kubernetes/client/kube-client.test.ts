import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import { RESOURCES } from '../../../src/kubernetes/client/resources.ts';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { thrownBy } from '../../support/failure.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { always, json, never } from '../../support/loopback.ts';
import { settle } from '../../support/simulated-time.ts';
import { configMap, first, hangUp, refuse, type Started, startFaulty, status, TOKEN } from './started.ts';

const A = { namespace: 'demo', name: 'a' };
const { ConfigMap, Namespace, Agent, Secret } = RESOURCES;
const found = always(configMap('a'));

/** What a request may take: time stands still while one is on its way. */
const TIMEOUT_MS = 30_000;

/** Lets time pass between the requests that some work makes. */
async function passing<T>({ time }: Started, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => {});
  while (!isDone) {
    const next = time.next() ?? TIMEOUT_MS;
    if (next < TIMEOUT_MS) await time.advance(next);
    else await settle();
  }
  return done;
}

async function kubeErrorOf(work: Promise<unknown>): Promise<KubeError> {
  const error = await thrownBy(work);
  if (error instanceof KubeError) return error;
  throw new Error('it failed with another error', { cause: error });
}

test('in a namespace that is going away nothing is made, and that is told of a Secret too', async () => {
  const causes = [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }];
  const message = 'secrets "a" is forbidden: unable to create new content, because it is being terminated';
  const { client } = await startFaulty((_request, response) =>
    json(response, status(403, 'Forbidden', { message, details: { causes } }), { status: 403 }),
  );
  const secret = { ...configMap('a'), kind: 'Secret' } as KubeObject;
  expect(await kubeErrorOf(client.apply(Secret, secret))).toMatchObject({
    ...{ code: 403, reason: 'NamespaceTerminating' },
  });
});

describe('A request', () => {
  test('has the path of its resource, the token, and nothing that asks for compression', async () => {
    const { api, client } = await startFaulty(always(configMap('a')), { userAgent: 'onbehalf/1.0' });
    await client.get(ConfigMap, A);
    await client.get(Namespace, { namespace: '', name: 'demo' });
    await client.get(Agent, A);
    const object = configMap('a') as KubeObject;
    await client.apply(ConfigMap, object);
    await client.applyStatus(ConfigMap, object);
    await client.create(ConfigMap, object);
    await client.replace(ConfigMap, object);
    await client.delete(ConfigMap, { ...A, uid: 'x' });
    await client.merge(ConfigMap, object, { manager: 'other' });
    expect(api.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/namespaces/demo/configmaps/a',
      'GET /api/v1/namespaces/demo',
      'GET /apis/onbehalf.dev/v1alpha1/namespaces/demo/agents/a',
      'PATCH /api/v1/namespaces/demo/configmaps/a?fieldManager=test&force=true',
      'PATCH /api/v1/namespaces/demo/configmaps/a/status?fieldManager=test&force=true',
      'POST /api/v1/namespaces/demo/configmaps?fieldManager=test',
      'PUT /api/v1/namespaces/demo/configmaps/a?fieldManager=test',
      'DELETE /api/v1/namespaces/demo/configmaps/a',
      'PATCH /api/v1/namespaces/demo/configmaps/a?fieldManager=other',
    ]);
    for (const { headers } of api.received) {
      expect(headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'user-agent': 'onbehalf/1.0' });
      expect(headers['accept-encoding']).toBeUndefined();
    }
    expect(api.received[3]?.headers['content-type']).toBe('application/apply-patch+yaml');
    expect(JSON.parse(api.received[3]?.body ?? '')).toEqual(object);
    expect(JSON.parse(api.received[7]?.body ?? '')).toMatchObject({ preconditions: { uid: 'x' } });
    expect(api.received[8]?.headers['content-type']).toBe('application/merge-patch+json');
  });

  test.each(['', '.', '..', 'a/b', '%2e%2e'])(
    'for an object with the name "%s" is not sent',
    async (name) => {
      const { api, client } = await startFaulty(found);
      await expect(client.get(ConfigMap, { namespace: 'demo', name })).rejects.toThrow(TypeError);
      await expect(client.get(ConfigMap, { namespace: name, name: 'a' })).rejects.toThrow(TypeError);
      await expect(
        client.apply(ConfigMap, {
          ...(configMap('a') as KubeObject),
          metadata: { name: 'a', namespace: name },
        }),
      ).rejects.toThrow(TypeError);
      expect(api.received).toEqual([]);
    },
  );

  test('for what is not there gives nothing, and an error where the API server knows no such resource', async () => {
    const { api, client } = await startFaulty(refuse(404, 'NotFound', { body: { details: { name: 'a' } } }));
    expect(await client.get(ConfigMap, A)).toBeUndefined();
    await client.delete(ConfigMap, { ...A, uid: 'x' });
    api.handle((_request, response) => response.writeHead(404).end('404 page not found'));
    expect(await kubeErrorOf(client.get(Agent, A))).toMatchObject({
      code: 404,
      reason: 'UnknownResource',
      message: 'cannot get agents.onbehalf.dev demo/a: UnknownResource (404)',
    });
  });

  test('to delete what is another object by now is done', async () => {
    const { client } = await startFaulty(refuse(409, 'Conflict'));
    await client.delete(ConfigMap, { ...A, uid: 'old' });
  });

  test('that is refused fails with the words of the API server', async () => {
    const { client } = await startFaulty(
      refuse(403, 'Forbidden', { body: { message: 'User "x" cannot list resource "configmaps"' } }),
    );
    expect(await kubeErrorOf(client.list(ConfigMap, {}))).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      message: 'cannot list configmaps: Forbidden (403): User "x" cannot list resource "configmaps"',
    });
  });

  test.each([
    [502, undefined, 'Unknown'],
    [503, undefined, 'ServiceUnavailable'],
    [429, undefined, 'TooManyRequests'],
    [410, status(410, 'Gone'), 'Expired'],
    [
      504,
      status(504, 'Timeout', { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } }),
      'Expired',
    ],
    [409, status(409, 'Conflict'), 'Conflict'],
  ])('that is answered with %i by whatever is in between has a reason', async (code, body, reason) => {
    const { client } = await startFaulty(
      (_request, response) => response.writeHead(code).end(body ? JSON.stringify(body) : '<html>'),
      { attempts: 1 },
    );
    expect(await kubeErrorOf(client.list(ConfigMap, {}))).toMatchObject({ code, reason });
  });

  test('is not sent to another place that the answer names', async () => {
    const { api, client } = await startFaulty((_request, response) =>
      response.writeHead(302, { location: '/elsewhere' }).end(),
    );
    expect(await kubeErrorOf(client.get(ConfigMap, A))).toMatchObject({ code: 302 });
    expect(api.received).toHaveLength(1);
  });

  test('whose answer is not JSON, or no object, or no list, fails', async () => {
    const { api, client } = await startFaulty((_request, response) => response.end('{"metadata":'));
    expect(await kubeErrorOf(client.get(ConfigMap, A))).toMatchObject({ reason: 'Malformed', code: 0 });
    for (const wrong of [null, [], {}, { metadata: null }, { metadata: {}, items: 5 }, 'text', 7]) {
      api.handle(always(wrong));
      expect(await kubeErrorOf(client.get(ConfigMap, A))).toMatchObject({ reason: 'Malformed' });
      expect(await kubeErrorOf(client.list(ConfigMap, {}))).toMatchObject({ reason: 'Malformed' });
    }
  });

  test('has its connection used again', async () => {
    const ports = new Set<number | undefined>();
    const { client } = await startFaulty((_request, response) => {
      ports.add(response.socket?.remotePort);
      json(response, configMap('a'));
    });
    for (let times = 0; times < 5; times++) await client.get(ConfigMap, A);
    expect(ports.size).toBe(1);
  });

  test('waits when 16 are under way', async () => {
    const waiting: ServerResponse[] = [];
    const { api, client } = await startFaulty((_request, response) => void waiting.push(response));
    const all = Array.from({ length: 40 }, () => client.get(ConfigMap, A));
    for (const count of [16, 32, 40]) {
      await api.arrived(count);
      for (let turns = 0; turns < 20; turns++) await settle();
      expect(api.received).toHaveLength(count);
      for (const response of waiting.splice(0)) json(response, configMap('a'));
    }
    await Promise.all(all);
  });
});

describe('A failure that may pass', () => {
  const ways = {
    '429': refuse(429, 'TooManyRequests'),
    '503': refuse(503, 'ServiceUnavailable'),
    'a broken connection': hangUp,
    'half an answer': ((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{"metadata":');
      setImmediate(() => response.destroy());
    }) satisfies Parameters<typeof startFaulty>[0],
  };

  test.each(Object.entries(ways))(
    '(%s) is tried again for reads, applies and deletions',
    async (_name, fail) => {
      const started = await startFaulty(found);
      const { api, client } = started;
      const object = configMap('a') as KubeObject;
      for (const work of [
        () => client.get(ConfigMap, A),
        () => client.apply(ConfigMap, object),
        () => client.applyStatus(ConfigMap, object),
        () => client.delete(ConfigMap, { ...A, uid: 'x' }),
      ]) {
        const before = api.received.length;
        api.handle(first(2, { these: fail, others: found }));
        await passing<unknown>(started, work());
        expect(api.received).toHaveLength(before + 3);
      }
    },
  );

  test.each(Object.entries(ways))('(%s) is not tried again for create and replace', async (_name, fail) => {
    const { api, client } = await startFaulty(fail);
    await kubeErrorOf(client.create(ConfigMap, configMap('a') as KubeObject));
    await kubeErrorOf(client.replace(ConfigMap, configMap('a') as KubeObject));
    expect(api.received).toHaveLength(2);
  });

  test('is told after some tries, later each time', async () => {
    const started = await startFaulty(hangUp, { backoff: { firstMs: 1_000, mostMs: 3_000 } });
    const begun = started.time.now();
    const error = await kubeErrorOf(passing(started, started.client.get(ConfigMap, A)));
    expect(error).toMatchObject({ code: 0, reason: 'Unreachable' });
    expect(error.message).toMatch(
      /^cannot get configmaps demo\/a: the API server cannot be reached.*\(ECONNRESET\)$/,
    );
    expect(started.api.received).toHaveLength(5);
    const took = started.time.now() - begun;
    expect(took).toBeGreaterThanOrEqual(500 + 1_000 + 1_500 + 1_500);
    expect(took).toBeLessThan(1_000 + 2_000 + 3_000 + 3_000 + 100);
  });

  test('is tried again when the API server says, by header or in the Status', async () => {
    for (const more of [
      { headers: { 'retry-after': '9' } },
      { body: { details: { retryAfterSeconds: 9 } } },
    ]) {
      const started = await startFaulty(
        first(1, { these: refuse(429, 'TooManyRequests', more), others: found }),
      );
      await passing(started, started.client.get(ConfigMap, A));
      expect(started.time.now()).toBeGreaterThanOrEqual(9_000);
      expect(started.time.now()).toBeLessThan(9_300);
    }
  });

  test('is told at once where the API server asks for very long', async () => {
    const { api, client } = await startFaulty(refuse(503, 'x', { headers: { 'retry-after': '3600' } }));
    expect(await kubeErrorOf(client.get(ConfigMap, A))).toMatchObject({ retryAfterMs: 3_600_000 });
    expect(api.received).toHaveLength(1);
  });

  test('of the API server itself (500) is tried again for reads, and told at once for what is written', async () => {
    const started = await startFaulty(refuse(500, 'InternalError'));
    await kubeErrorOf(started.client.apply(ConfigMap, configMap('a') as KubeObject));
    expect(started.api.received).toHaveLength(1);
    await kubeErrorOf(passing(started, started.client.get(ConfigMap, A)));
    expect(started.api.received).toHaveLength(6);
  });

  test('ends the wait for the next try when the caller leaves', async () => {
    const { api, client, time } = await startFaulty(refuse(503, 'x', { headers: { 'retry-after': '20' } }));
    const leave = new AbortController();
    const error = thrownBy(client.get(ConfigMap, A, leave.signal));
    await api.arrived(1);
    while ((time.next() ?? TIMEOUT_MS) === TIMEOUT_MS) await settle();
    leave.abort(new Error('gone'));
    expect(await error).toEqual(new Error('gone'));
    expect(time.timers()).toBe(0);
  });
});

describe('An answer', () => {
  test('that does not come ends the request in time, and closes its connection', async () => {
    const started = await startFaulty(never, { timeoutMs: 5_000, attempts: 1 });
    const { api, client, time } = started;
    const error = kubeErrorOf(client.get(ConfigMap, A));
    await api.arrived(1);
    await time.advance(4_999);
    await time.advance(1);
    expect(await error).toMatchObject({
      reason: 'TimedOut',
      message: 'cannot get configmaps demo/a: there was no answer within 5000 ms',
    });
    await api.cutOff(1);
  });

  test('that begins and does not end is no answer either', async () => {
    const { api, client, time } = await startFaulty(
      (_request, response) => response.writeHead(200).write('{'),
      { timeoutMs: 5_000, attempts: 1 },
    );
    const error = kubeErrorOf(client.get(ConfigMap, A));
    await api.arrived(1);
    await time.advance(5_000);
    expect(await error).toMatchObject({ reason: 'TimedOut' });
    await api.cutOff(1);
  });

  test('is not waited for when the caller leaves', async () => {
    const { api, client, time } = await startFaulty(never);
    const leave = new AbortController();
    const error = thrownBy(client.get(ConfigMap, A, leave.signal));
    await api.arrived(1);
    leave.abort(new Error('gone'));
    expect(await error).toEqual(new Error('gone'));
    await api.cutOff(1);
    expect(time.timers()).toBe(0);
    expect(await thrownBy(client.get(ConfigMap, A, AbortSignal.abort(new Error('never came'))))).toEqual(
      new Error('never came'),
    );
  });

  test('without an end is not read to the end', async () => {
    const { api, client } = await startFaulty(
      (_request, response) => {
        const more = (): void => {
          while (response.writable && response.write(' '.repeat(1_000_000)));
          response.once('drain', more);
        };
        more();
      },
      { attempts: 1 },
    );
    expect(await kubeErrorOf(client.get(ConfigMap, A))).toMatchObject({
      reason: 'TooLarge',
      message: `cannot get configmaps demo/a: the answer has more than ${32 * 1024 * 1024} bytes`,
    });
    await api.cutOff(1);
  });
});

describe('A list', () => {
  const page = (names: readonly string[], next?: string): object => ({
    metadata: { resourceVersion: '42', ...(next && { continue: next }) },
    items: names.map((name) => ({ metadata: { name, namespace: 'demo', resourceVersion: '1' } })),
  });
  const query = (path: string): Record<string, string> =>
    Object.fromEntries(new URL(path, 'http://x').searchParams);

  test('is read page by page, and says the kind of its objects', async () => {
    const { api, client } = await startFaulty((request, response) =>
      json(response, request.path.includes('continue=') ? page(['c']) : page(['a', 'b'], 'more&more')),
    );
    const { items, resourceVersion } = await client.list(ConfigMap, {
      namespace: 'demo',
      labelSelector: 'x=y',
    });
    expect(items.map(({ metadata, kind, apiVersion }) => [metadata.name, kind, apiVersion])).toEqual([
      ['a', 'ConfigMap', 'v1'],
      ['b', 'ConfigMap', 'v1'],
      ['c', 'ConfigMap', 'v1'],
    ]);
    expect(resourceVersion).toBe('42');
    expect(api.received.map(({ path }) => query(path))).toEqual([
      { limit: '500', labelSelector: 'x=y' },
      { limit: '500', labelSelector: 'x=y', continue: 'more&more' },
    ]);
  });

  test('whose next page came too late is begun again, some times; its pages are not', async () => {
    const { api, client } = await startFaulty((request, response) =>
      request.path.includes('continue=')
        ? refuse(410, 'Expired')(request, response)
        : json(response, page(['a'], 'more')),
    );
    expect(await kubeErrorOf(client.list(ConfigMap, {}))).toMatchObject({ reason: 'Expired' });
    expect(api.received).toHaveLength(6);
    const names: string[] = [];
    const error = await kubeErrorOf(
      (async () => {
        for await (const { items } of client.pages(ConfigMap, {})) {
          names.push(...items.map(({ metadata }) => metadata.name));
        }
      })(),
    );
    expect([names, error.reason]).toEqual([['a'], 'Expired']);
    api.handle(first(2, { these: always(page(['a'])), others: never }));
    expect((await client.list(ConfigMap, {})).items).toHaveLength(1);
  });

  test('whose pages are too large is read in smaller ones', async () => {
    const limits: (string | undefined)[] = [];
    const { client } = await startFaulty((request, response) => {
      const { limit } = query(request.path);
      limits.push(limit);
      if (Number(limit) > 60) response.end(' '.repeat(33 * 1024 * 1024));
      else json(response, limits.length < 4 ? page(['a'], 'more') : page(['b']));
    });
    const { items } = await client.list(ConfigMap, {});
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(limits).toEqual(['500', '63', '8', '8']);
  });
});

describe('Nothing secret', () => {
  const SECRET = 'fake-password-in-a-secret-9876';
  const secret: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'demo', name: 's' },
    stringData: { password: SECRET },
  };

  test('of the credential shows in an error, whatever the other side answers', async () => {
    const { api, client } = await startFaulty(never, { attempts: 1 });
    const repeat = `your token ${TOKEN} is bad, Bearer ${TOKEN}`;
    for (const [code, body] of [
      [400, status(400, TOKEN, { message: repeat })],
      [
        403,
        status(403, 'Forbidden', { message: repeat, details: { causes: [{ field: TOKEN, reason: TOKEN }] } }),
      ],
      [401, status(401, 'Unauthorized', { message: encodeURIComponent(repeat) })],
      [410, status(410, 'Expired', { message: Buffer.from(TOKEN).toString('base64') })],
      [500, repeat],
    ] as const) {
      api.handle(always(body, { status: code }));
      const error = await kubeErrorOf(client.get(ConfigMap, A));
      expectNoLeak(error, [TOKEN]);
      expect(error.code).toBe(code);
    }
  });

  test('of a Secret shows in an error, whatever the API server says of it', async () => {
    const { api, client } = await startFaulty(never, { attempts: 1 });
    const causes = [{ field: 'stringData[password]', reason: 'FieldValueInvalid', message: SECRET }];
    for (const [code, message] of [
      [422, `Secret "s" is invalid: stringData[password]: Invalid value: "${SECRET}"`],
      [500, `failed to create typed patch object: expected string, got ${JSON.stringify(SECRET)}`],
      [403, `admission webhook denied the request: ${SECRET.slice(0, 12)}...`],
    ] as const) {
      api.handle(refuse(code, 'Invalid', { body: { message, details: { causes } } }));
      for (const work of [client.apply, client.create, client.replace]) {
        const error = await kubeErrorOf(work(Secret, secret));
        expectNoLeak(error, [SECRET, SECRET.slice(0, 12)]);
        expect(error.message).toMatch(/secrets demo\/s: Invalid \(\d+\): stringData\[password\]$/);
      }
    }
    for (const message of [
      'secrets "s" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "secrets"',
      'secrets "s" already exists',
      'secrets "s" not found',
    ]) {
      api.handle(refuse(403, 'Forbidden', { body: { message } }));
      expect((await kubeErrorOf(client.apply(Secret, secret))).message).toContain(message);
    }
  });

  test('shows in the error of a connection that fails', async () => {
    const { api, client } = await startFaulty(hangUp, { attempts: 1 });
    expectNoLeak(await kubeErrorOf(client.apply(Secret, secret)), [TOKEN, SECRET]);
    await api.close();
    const error = await kubeErrorOf(client.apply(Secret, secret));
    expectNoLeak(error, [TOKEN, SECRET]);
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('and nothing endless, and no control character, shows in an error', async () => {
    const { client } = await startFaulty(
      refuse(400, 'BadRequest', { body: { message: `first\nsecond\u202e ${'long '.repeat(10_000)}` } }),
    );
    const { message } = await kubeErrorOf(client.get(ConfigMap, A));
    expect(message).toMatch(/first second +long/);
    expect(message.length).toBeLessThan(700);
  });
});

test('After the end no connection is left', async () => {
  const { api, client } = await startFaulty(found, { attempts: 1 });
  await client.get(ConfigMap, A);
  api.handle(never);
  const waiting = kubeErrorOf(client.get(ConfigMap, A));
  await api.arrived(2);
  client.close();
  expect(await waiting).toMatchObject({ reason: 'Unreachable' });
  await api.cutOff(1);
});
