// What a security review found about the ends of runs, sessions and clients: what is left open, and what is still held.
import { describe, expect, test } from 'vitest';
import { currentDelegation, type Delegation, runAs } from '../../src/index.ts';
import { createDelegatedFetch } from '../../src/mcp/delegated-fetch.ts';
import { alive } from '../support/collected.ts';
import { bareClient, connectBare, fetchAt, startScene } from './any-client.ts';
import type { Seen } from './strict-server.ts';
import { countListeners, createGate, failed, failure } from './support.ts';

const { fetch: globalFetch } = globalThis;

describe('a run that ends', () => {
  const held = (method: string, sub: string, gate: ReturnType<typeof createGate>) => async (seen: Seen) => {
    if (seen.method === method && seen.sub === sub) await gate.wait();
    return false;
  };

  test('while its client connects leaves no session at the server', async () => {
    const at = await startScene({ fetch: { discovery: 'delegated' }, broker: { retention: 'subject' } });
    const gate = createGate();
    at.server.answer = held('initialize', 'alice', gate);
    const connecting = failure(runAs(at.alice, () => connectBare(at.server.url, at.fetch)));
    await gate.reached(1);
    at.broker.end(at.alice);
    gate.open();
    expect(await connecting).toMatchObject({ code: 'delegation_ended' });
    await at.server.arrived('DELETE');
    expect(at.server.of('DELETE').map(({ sub, session }) => `${sub} ${session}`)).toEqual(['alice s1']);
    expect(at.fetch.sessions).toBe(0);
  });

  test('while its session is opened is told as that, and not as an abort', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    const gate = createGate();
    at.server.answer = held('initialize', 'alice', gate);
    const calls = [0, 1].map(() => failure(client.call(at.alice)));
    await gate.reached(1);
    at.broker.end(at.alice);
    for (const error of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: 'delegation_ended', failure: 'reauthentication_required' });
    }
    gate.open();
  });

  test('while its session is opened is a tool result', async () => {
    const at = await startScene({ fetch: { failures: 'tool_result' } });
    const client = await connectBare(at.server.url, at.fetch);
    const gate = createGate();
    at.server.answer = held('initialize', 'alice', gate);
    const call = client.call(at.alice);
    await gate.reached(1);
    at.broker.end(at.alice);
    expect(JSON.parse(await call)).toMatchObject({ error: { code: 'delegation_ended', retryable: false } });
    gate.open();
  });

  test('is not what a fetch that is closed meanwhile tells: that is a mistake', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    const gate = createGate();
    at.server.answer = held('initialize', 'alice', gate);
    const call = failed(client.call(at.alice));
    await gate.reached(1);
    const closing = at.fetch.close();
    expect(await call).toEqual(new TypeError('these sessions were closed'));
    gate.open();
    await closing;
  });
});

test('a session is opened and ended in the context of whoever it is for, though another makes room', async () => {
  const at = await startScene();
  const rows: (readonly [string, string, string])[] = [];
  const tokenOf = (headers: RequestInit['headers']): string =>
    new Headers(headers).get('authorization')?.split('.')[1] ?? '';
  const send = (url: string, init: RequestInit): Promise<Response> => {
    const claims = tokenOf(init.headers);
    const sub = claims === '' ? '-' : JSON.parse(Buffer.from(claims, 'base64url').toString()).sub;
    rows.push([init.method ?? '', sub, currentDelegation()?.subject.sub ?? '-']);
    return globalFetch(url, init);
  };
  const fetch = fetchAt({ broker: at.broker, url: at.server.url, maxSessions: 1, fetch: send });
  const client = await connectBare(at.server.url, fetch);
  const gate = createGate();
  at.server.answer = async ({ method, sub }) => {
    if (method === 'tools/call' && sub === 'alice') await gate.wait();
    return false;
  };
  const hers = client.call(at.alice);
  await gate.reached(1);
  const others = [at.bob, at.begin('carol')].map((who: Delegation) => client.call(who));
  gate.open();
  expect(await Promise.all([hers, ...others])).toEqual(['you are alice', 'you are bob', 'you are carol']);
  await runAs(at.alice, () => fetch.close());
  expect(rows.filter(([method]) => method === 'DELETE')).toHaveLength(4);
  expect(rows.filter(([, sub, current]) => sub !== current)).toEqual([]);
});

describe('a run that has ended is held by nobody', () => {
  const MANY = 20;

  test('where it had a fetch of its own: the broker tells that nothing any more', async () => {
    const at = await startScene();
    const counted = countListeners(at.broker);
    const { broker } = counted;
    const fetch = fetchAt({ broker, url: at.server.url });
    expect(counted.listening).toBe(0);
    const client = await connectBare(at.server.url, fetch);
    await client.call(at.alice);
    expect(counted.listening).toBe(1);
    at.broker.end(at.alice);
    await fetch.settled();
    expect(counted.listening).toBe(1);
    await client.end();
    expect([counted.listening, fetch.sessions]).toEqual([0, 0]);
  });

  test('at a client that all share, where its calls could still be cancelled', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    const one = async (): Promise<WeakRef<Delegation>> => {
      const theirs = at.begin('alice');
      await client.call(theirs);
      at.broker.end(theirs);
      await at.fetch.settled();
      return new WeakRef(theirs);
    };
    const refs: WeakRef<Delegation>[] = [];
    for (let index = 0; index < MANY; index++) refs.push(await one());
    // The one that came last may be in a register still.
    expect(await alive(refs)).toBeLessThan(MANY / 4);
  });

  test('where it has connected a client that stays', async () => {
    const at = await startScene({ server: { open: 'nothing' } });
    const one = async (): Promise<WeakRef<Delegation>> => {
      const theirs = at.begin('alice');
      // It sends no DELETE, as the SDKs' `close()` does not.
      const own = await runAs(theirs, () => connectBare(at.server.url, at.fetch));
      await own.call(theirs);
      await own.call(at.bob);
      at.broker.end(theirs);
      await at.fetch.settled();
      return new WeakRef(theirs);
    };
    const refs: WeakRef<Delegation>[] = [];
    for (let index = 0; index < MANY; index++) refs.push(await one());
    // The one that came last may be in a register still.
    expect(await alive(refs)).toBeLessThan(MANY / 4);
  });

  test('where its fetch, which is never closed, names it', async () => {
    const at = await startScene();
    const one = async (): Promise<WeakRef<Delegation>> => {
      const theirs = at.begin('alice');
      const fetch = createDelegatedFetch({
        ...{ broker: at.broker, url: at.server.url, target: 'calendar' },
        ...{ discovery: 'delegated', delegation: () => theirs },
      });
      await (await connectBare(at.server.url, fetch)).call(theirs);
      at.broker.end(theirs);
      await fetch.settled();
      return new WeakRef(theirs);
    };
    const refs: WeakRef<Delegation>[] = [];
    for (let index = 0; index < MANY; index++) refs.push(await one());
    expect(await alive(refs)).toBeLessThan(MANY / 4);
  });
});

test('of many clients the one that is not used is forgotten, not the oldest', async () => {
  const at = await startScene();
  // A server that answers from within, or this would take minutes.
  const ended: unknown[] = [];
  let opened = 0;
  const send = async (_url: string, { method, headers, body }: RequestInit): Promise<Response> => {
    if (method === 'DELETE') ended.push(new Headers(headers).get('mcp-session-id'));
    const opens = String(body).includes('initialize');
    opened += opens ? 1 : 0;
    return Response.json({}, { headers: opens ? { 'mcp-session-id': `s${opened}` } : {} });
  };
  const fetch = fetchAt({ broker: at.broker, url: at.server.url, fetch: send, maxSessions: 20_000 });
  const connect = async () => {
    const client = bareClient(at.server.url, fetch);
    client.id = (await client.send('initialize')).headers.get('mcp-session-id') ?? undefined;
    return client;
  };
  const [shared, unused] = [await connect(), await connect()];
  for (let index = 2; index < 10_000; index++) await connect();
  expect((await shared.send('tools/list')).status).toBe(200);
  await connect();
  await fetch.settled();
  expect(ended).toEqual(['s2']);
  expect((await shared.send('tools/list')).status).toBe(200);
  expect((await unused.send('tools/list')).status).toBe(404);
});
