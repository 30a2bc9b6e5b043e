// What happens when there may be no more sessions: callers wait, in their order, for no longer than they may.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Delegation, runAs } from '../../src/index.ts';
import type { DelegatedFetchOptions } from '../../src/mcp/delegated-fetch.ts';
import { type BareClient, connectBare, type Scene, startScene } from './any-client.ts';
import { end, type Seen } from './strict-server.ts';
import { createGate, failed, failure, type Gate } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** A connected client whose calls are held, each user's at a gate of its own. */
async function scene(
  options: Partial<DelegatedFetchOptions>,
): Promise<Scene & { client: BareClient; gates: Record<string, Gate>; carol: Delegation }> {
  const at = await startScene({ fetch: { maxSessions: 1, maxWaitMs: 5_000, ...options } });
  const client = await connectBare(at.server.url, at.fetch);
  const gates: Record<string, Gate> = { alice: createGate(), bob: createGate(), carol: createGate() };
  at.server.answer = async ({ method, sub }: Seen) => {
    if (method === 'tools/call') await gates[sub]?.wait();
    return false;
  };
  return { ...at, client, gates, carol: at.begin('carol') };
}

const reach = (at: { gates: Record<string, Gate> }, who: string, count = 1) => at.gates[who]?.reached(count);
const open = (at: { gates: Record<string, Gate> }, who: string): void => at.gates[who]?.open();

/** Lets all that can go on without the network go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a call that finds no room', () => {
  test('waits until a session is idle, which is ended for it', async () => {
    const at = await scene({});
    const hers = at.client.call(at.alice);
    await reach(at, 'alice');
    const his = at.client.call(at.bob);
    open(at, 'bob');
    await settle();
    expect(at.server.of('initialize')).toHaveLength(2);
    open(at, 'alice');
    expect(await Promise.all([hers, his])).toEqual(['you are alice', 'you are bob']);
    expect(at.fetch.sessions).toBe(1);
    await at.fetch.settled();
    expect(at.server.log('DELETE')).toEqual(['DELETE - 200', 'DELETE alice 200']);
  });

  test('waits for its turn: whoever came first is let in first', async () => {
    const at = await scene({});
    const order: string[] = [];
    const call = async (who: Delegation, name: string): Promise<void> => {
      await at.client.call(who);
      order.push(name);
    };
    const calls = [call(at.alice, 'alice')];
    await reach(at, 'alice');
    calls.push(call(at.carol, 'carol'));
    await settle();
    calls.push(call(at.bob, 'bob'));
    await settle();
    for (const name of ['alice', 'bob', 'carol']) open(at, name);
    await Promise.all(calls);
    expect(order).toEqual(['alice', 'carol', 'bob']);
  });

  test('is told after its time, without a request or an exchange for it', async () => {
    const at = await scene({ maxWaitMs: 3_000 });
    const hers = at.client.call(at.alice);
    await reach(at, 'alice');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const his = failure(at.client.call(at.bob));
    await settle();
    vi.advanceTimersByTime(2_999);
    await settle();
    vi.advanceTimersByTime(1);
    expect(await his).toMatchObject({ code: 'capacity_exceeded', failure: 'unavailable', retryable: true });
    expect(at.server.requests.some(({ sub }) => sub === 'bob')).toBe(false);
    expect(at.sts.exchanges).toBe(1);
    vi.useRealTimers();
    open(at, 'alice');
    expect(await hers).toBe('you are alice');
  });

  test('is told at once with "maxWaitMs: 0"', async () => {
    const at = await scene({ maxWaitMs: 0 });
    const hers = at.client.call(at.alice);
    await reach(at, 'alice');
    expect((await failure(at.client.call(at.bob))).code).toBe('capacity_exceeded');
    open(at, 'alice');
    expect(await hers).toBe('you are alice');
  });

  test('that is aborted leaves with the caller’s reason, and the next one takes its turn', async () => {
    const at = await scene({});
    const hers = at.client.call(at.alice);
    await reach(at, 'alice');
    const controller = new AbortController();
    const reason = new Error('the user has left');
    const his = at.client.call(at.bob, { signal: controller.signal });
    const carols = at.client.call(at.carol);
    await settle();
    controller.abort(reason);
    await expect(his).rejects.toBe(reason);
    open(at, 'carol');
    open(at, 'alice');
    expect(await Promise.all([hers, carols])).toEqual(['you are alice', 'you are carol']);
  });

  test.each(['before', 'after'])(
    'that is aborted just %s its turn gives it to the next one',
    async (when) => {
      const at = await scene({});
      const hers = failed(at.client.call(at.alice));
      await reach(at, 'alice');
      const controller = new AbortController();
      const his = failed(at.client.call(at.bob, { signal: controller.signal }));
      const carols = at.client.call(at.carol);
      await settle();
      open(at, 'carol');
      if (when === 'before') controller.abort(new Error('the user has left'));
      at.broker.end(at.alice);
      if (when === 'after') controller.abort(new Error('the user has left'));
      expect(await carols).toBe('you are carol');
      expect(String(await his)).toContain('the user has left');
      open(at, 'alice');
      await hers;
    },
  );

  test('whose run ends meanwhile gives its turn to the next one', async () => {
    const at = await scene({});
    const hers = failed(at.client.call(at.alice));
    await reach(at, 'alice');
    const his = failure(at.client.call(at.bob));
    const carols = at.client.call(at.carol);
    await settle();
    open(at, 'carol');
    at.broker.end(at.bob);
    at.broker.end(at.alice);
    expect(await carols).toBe('you are carol');
    expect((await his).code).toBe('delegation_ended');
    open(at, 'alice');
    await hers;
  });

  test('shares the session that another call of the same user has opened meanwhile', async () => {
    const at = await scene({});
    const hers = at.client.call(at.alice);
    await reach(at, 'alice');
    const his = [1, 2, 3].map(() => at.client.call(at.bob));
    await settle();
    open(at, 'alice');
    await hers;
    // All three are under way at once, so none waits for another one's end.
    await reach(at, 'bob', 3);
    open(at, 'bob');
    expect(await Promise.all(his)).toEqual(Array(3).fill('you are bob'));
    expect(at.server.log('initialize').filter((line) => line.includes('bob'))).toHaveLength(1);
  });

  test('is let on when an answer that was streamed ends', async () => {
    const at = await scene({ maxWaitMs: 5_000 });
    let finish = (): void => {};
    const held = at.server.answer;
    at.server.answer = (seen, response) => {
      if (seen.method !== 'tools/call' || seen.sub !== 'alice') return held?.(seen, response);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begun\n\n');
      finish = () => response.end('data: {}\n\n');
      return true;
    };
    const streamed = await runAs(at.alice, () => at.client.send('tools/call'));
    open(at, 'bob');
    const his = at.client.call(at.bob);
    await settle();
    finish();
    await streamed.text();
    expect(await his).toBe('you are bob');
  });

  test('does not cut off an answer that is streamed', async () => {
    const at = await scene({ maxWaitMs: 0 });
    at.server.answer = ({ method }, response) => {
      if (method !== 'tools/call') return false;
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begun\n\n');
      return true;
    };
    const streamed = await runAs(at.alice, () => at.client.send('tools/call'));
    expect((await failure(at.client.call(at.bob))).code).toBe('capacity_exceeded');
    expect(at.server.sessions.size).toBe(1);
    await streamed.body?.cancel();
  });

  test('at close() is told that the sessions were closed, and nobody waits on', async () => {
    const at = await scene({});
    const hers = at.client.call(at.alice);
    await reach(at, 'alice');
    const waiting = [at.bob, at.carol, at.bob].map((who) => failed(at.client.call(who)));
    await settle();
    const closed = at.fetch.close();
    for (const error of await Promise.all(waiting)) expect(String(error)).toMatch(/closed/);
    open(at, 'alice');
    expect(await hers).toBe('you are alice');
    await closed;
    expect(at.server.requests.some(({ sub }) => sub !== '-' && sub !== 'alice')).toBe(false);
  });
});

describe('a client that connects', () => {
  test('waits for room too, and needs none where it gets no session', async () => {
    const at = await scene({});
    const hers = at.client.call(at.alice);
    await reach(at, 'alice');
    const connecting = connectBare(at.server.url, at.fetch);
    await settle();
    expect(at.server.of('initialize')).toHaveLength(2);
    open(at, 'alice');
    await hers;
    expect((await connecting).id).toBeDefined();
    expect(at.fetch.sessions).toBe(1);
  });

  test('in vain gives its turn to the next one', async () => {
    const at = await scene({});
    const hers = failed(at.client.call(at.alice));
    await reach(at, 'alice');
    const held = at.server.answer;
    at.server.answer = (seen, response) => {
      if (seen.method !== 'initialize' || seen.sub !== '-') return held?.(seen, response);
      end(response, 500);
      return true;
    };
    const connecting = at.client.send('initialize');
    const his = at.client.call(at.bob);
    await settle();
    open(at, 'bob');
    at.broker.end(at.alice);
    expect((await connecting).status).toBe(500);
    expect(await his).toBe('you are bob');
    open(at, 'alice');
    await hers;
  });
});
