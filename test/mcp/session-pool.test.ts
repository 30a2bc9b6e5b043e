import type { Client } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Broker, Delegation } from '../../src/index.ts';
import { describeCallFailure } from '../../src/mcp/call-failure.ts';
import { defineMcpServer, type McpServer } from '../../src/mcp/server.ts';
import { createSessionPool, type SessionPool, type SessionPoolOptions } from '../../src/mcp/session-pool.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';
import {
  begin,
  brokerFor,
  createGate,
  exchanged,
  failed,
  failure,
  heldExchanges,
  startSts,
} from './support.ts';
import { protocolError, startWitness, type Witness } from './witness.ts';

let sts: DevelopmentSts;
let broker: Broker;
let witness: Witness;
let server: McpServer;
let pool: SessionPool;
let alice: Delegation;

beforeEach(async () => {
  sts = await startSts();
  broker = brokerFor(sts);
  witness = await startWitness(sts, { private: true });
  server = defineMcpServer({ url: witness.url, target: 'calendar' });
  pool = poolOf();
  alice = await begin({ sts, broker }, 'alice');
});
afterEach(() => {
  vi.useRealTimers();
});

function poolOf(options: Partial<SessionPoolOptions> = {}): SessionPool {
  const made = createSessionPool({ broker, ...options });
  onTestFinished(() => made.close());
  return made;
}

const whoami = (client: Client): Promise<unknown> => client.callTool({ name: 'whoami', arguments: {} });

/** Calls `whoami` on behalf of somebody and gives what the server said. */
async function call(delegation: Delegation, signal?: AbortSignal, at = server): Promise<string> {
  const result = (await pool.call(at, delegation, whoami, { signal })) as { content: [{ text: string }] };
  return result.content[0].text;
}

const sessionsOf = (sub: string): Set<string | undefined> =>
  new Set(
    witness.requests
      .filter((seen) => seen.sub === sub && seen.session !== undefined)
      .map(({ session }) => session),
  );

describe('a session', () => {
  test('is opened at the first call and kept for the next ones of the run', async () => {
    for (let index = 0; index < 3; index++) expect(await call(alice)).toBe('you are alice');
    expect(witness.log()).toEqual([
      'initialize alice 200',
      'notifications/initialized alice 202',
      'tools/call alice 200',
      'tools/call alice 200',
      'tools/call alice 200',
    ]);
    expect([pool.size, witness.openSessions]).toEqual([1, 1]);
  });

  test('is opened once when the first calls come at once', async () => {
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'initialize' ? gate.wait() : undefined);
    const calls = Array.from({ length: 8 }, () => call(alice));
    await gate.reached(1);
    gate.open();
    expect(await Promise.all(calls)).toEqual(Array(8).fill('you are alice'));
    expect(witness.log('initialize')).toEqual(['initialize alice 200']);
  });

  test('is never shared by two subjects, however their calls interleave', async () => {
    const bob = await begin({ sts, broker }, 'bob');
    const gate = createGate();
    witness.onCall = () => gate.wait();
    const calls = [alice, bob, alice, bob].map((who) => call(who));
    await gate.reached(4);
    gate.open();
    expect(await Promise.all(calls)).toEqual([
      'you are alice',
      'you are bob',
      'you are alice',
      'you are bob',
    ]);
    const [hers, his] = [sessionsOf('alice'), sessionsOf('bob')];
    expect([hers.size, his.size]).toEqual([1, 1]);
    expect(hers).not.toEqual(his);
  });

  test('is not shared by two subjects whose runs have the same session label', async () => {
    const [hers, his] = await Promise.all(['alice', 'bob'].map((sub) => begin({ sts, broker }, sub, 'team')));
    await Promise.all([call(hers as Delegation), call(his as Delegation)]);
    expect(sessionsOf('alice')).not.toEqual(sessionsOf('bob'));
  });

  test('is shared by concurrent runs of one session and subject, and outlives the first that ends', async () => {
    const token = await sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
    const [one, two] = [0, 1].map(() => broker.begin({ subjectToken: token, session: 'chat' }));
    await call(one as Delegation);
    await call(two as Delegation);
    broker.end(one as Delegation);
    await call(two as Delegation);
    expect(witness.log('initialize', 'DELETE')).toEqual(['initialize alice 200']);
    broker.end(two as Delegation);
    await pool.settled();
    expect(witness.log('initialize', 'DELETE')).toEqual(['initialize alice 200', 'DELETE alice 200']);
  });

  test('is one for each target of the same URL', async () => {
    const scoped = defineMcpServer({ url: witness.url, target: { audience: 'calendar', scope: 'read' } });
    await call(alice);
    await call(alice, undefined, scoped);
    expect(sessionsOf('alice').size).toBe(2);
    expect(witness.requests.map(({ scope }) => scope)).toContain('read');
    expect(sts.exchanges).toHaveLength(2);
  });

  test('carries the static header fields of its own server only', async () => {
    const other = defineMcpServer({ url: witness.url, target: 'calendar', headers: { 'x-tenant': 'one' } });
    await call(alice, undefined, other);
    await call(alice);
    const tenants = witness.requests.filter(({ method }) => method === 'tools/call');
    expect(tenants.map(({ headers }) => headers['x-tenant'])).toEqual(['one', undefined]);
  });

  test('opens no stream for messages of the server: each would hold a socket', async () => {
    await call(alice);
    expect(witness.log('GET')).toEqual([]);
  });

  test('of a caller that cannot have a token is not opened: nothing reaches the server', async () => {
    sts.inject({ kind: 'status', status: 503 });
    expect(describeCallFailure(server, await failed(call(alice)))).toMatchObject({
      code: 'sts_error',
      status: 503,
    });
    expect([witness.requests, pool.size]).toEqual([[], 0]);
  });

  test('that could not be opened is not kept: the next call opens one', async () => {
    witness.refuse('initialize', 500);
    const error = describeCallFailure(server, await failed(call(alice)));
    expect(error).toMatchObject({ code: 'server_unreachable', failure: 'unavailable', status: 500 });
    expect(pool.size).toBe(0);
    expect(await call(alice)).toBe('you are alice');
    expect(pool.size).toBe(1);
  });

  test('survives a refused token: one exchange, one replay, no other session', async () => {
    await call(alice);
    witness.refuse('tools/call', 401);
    expect(await call(alice)).toBe('you are alice');
    expect(witness.log('initialize', 'tools/call')).toEqual([
      'initialize alice 200',
      'tools/call alice 200',
      'tools/call alice 401',
      'tools/call alice 200',
    ]);
    expect(exchanged(sts)).toEqual(['alice calendar issued', 'alice calendar issued']);
  });

  test('of a server that keeps refusing the token ends in an error that says so', async () => {
    await call(alice);
    witness.refuse('tools/call', 401, 2);
    const error = describeCallFailure(server, await failed(call(alice)));
    expect(error).toMatchObject({ code: 'server_rejected_token', failure: 'denied', status: 401 });
  });
});

describe('a session that the server has forgotten', () => {
  test('is replaced, and the call is made once', async () => {
    await call(alice);
    witness.forgetSessions();
    expect(await call(alice)).toBe('you are alice');
    expect(witness.log('initialize', 'tools/call')).toEqual([
      'initialize alice 200',
      'tools/call alice 200',
      'tools/call alice 404',
      'initialize alice 200',
      'tools/call alice 200',
    ]);
    expect(witness.executed).toEqual(['whoami alice', 'whoami alice']);
    expect(sts.exchanges).toHaveLength(1);
  });

  test('is replaced once, not for ever', async () => {
    await call(alice);
    witness.refuse('tools/call', 404, 5);
    expect(await failed(call(alice))).toMatchObject({ status: 404 });
    expect(witness.log('tools/call')).toEqual([
      'tools/call alice 200',
      'tools/call alice 404',
      'tools/call alice 404',
    ]);
  });

  test('does not fail the other calls that were under way in it: each is made once', async () => {
    await call(alice);
    witness.forgetSessions();
    const [all, rest] = [createGate(), createGate()];
    let come = 0;
    witness.onRequest = async ({ method }) => {
      come += method === 'tools/call' ? 1 : 0;
      if (method !== 'tools/call' || come > 4) return;
      const turn = come;
      await all.wait();
      // The first to be told pulls the session from under the others, if it may.
      if (turn > 1) await rest.wait();
    };
    const calls = Promise.allSettled(Array.from({ length: 4 }, () => call(alice)));
    await all.reached(4);
    const replaced = whenRequested('initialize');
    all.open();
    await replaced;
    rest.open();
    expect(await calls).toEqual(Array(4).fill({ status: 'fulfilled', value: 'you are alice' }));
    expect(witness.executed).toHaveLength(5);
  });

  test('is not what a tool means that fails with the code 404: the call is not made twice', async () => {
    await call(alice);
    witness.onCall = (_tool, { sub }) => {
      witness.executed.push(`failing ${sub}`);
      throw protocolError(404);
    };
    await failed(call(alice));
    expect(witness.executed).toEqual(['whoami alice', 'failing alice']);
    expect(witness.log('initialize')).toEqual(['initialize alice 200']);
  });
});

test('a 404 of the STS is not taken for one of the server: it is asked once, and the session stays', async () => {
  await call(alice);
  witness.refuse('tools/call', 401);
  sts.inject({ kind: 'status', status: 404, times: 5 });
  expect(await failed(call(alice))).toMatchObject({ code: 'sts_error', status: 404 });
  expect(sts.exchanges).toHaveLength(2);
  expect(pool.size).toBe(1);
  expect(witness.log('initialize')).toHaveLength(1);
});

test.each([401, 403, 404, 500])(
  'a tool’s own error with the code %i is an answer, not a failure of HTTP',
  async (code) => {
    witness.onCall = () => {
      throw protocolError(code);
    };
    expect(describeCallFailure(server, await failed(call(alice)))).toBeUndefined();
    expect(witness.log('tools/call')).toEqual(['tools/call alice 200']);
  },
);

describe('an abort', () => {
  test('of one waiter while a session is opened does not harm the others', async () => {
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'initialize' ? gate.wait() : undefined);
    const controller = new AbortController();
    const reason = new Error('the user has left');
    const leaving = call(alice, controller.signal);
    const staying = [call(alice), call(alice)];
    await gate.reached(1);
    controller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    gate.open();
    expect(await Promise.all(staying)).toEqual(['you are alice', 'you are alice']);
    expect(witness.log('initialize', 'tools/call')).toEqual([
      'initialize alice 200',
      'tools/call alice 200',
      'tools/call alice 200',
    ]);
  });

  test('that came before the call sends nothing', async () => {
    await expect(call(alice, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    expect(witness.log('tools/call')).toEqual([]);
  });

  test('and the end of a run that opened a session together with another does not harm that other', async () => {
    const token = await sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
    const [leaves, stays] = [0, 1].map(() => broker.begin({ subjectToken: token, session: 'chat' })) as [
      Delegation,
      Delegation,
    ];
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'initialize' ? gate.wait() : undefined);
    const controller = new AbortController();
    const both = Promise.allSettled([call(stays), call(leaves, controller.signal)]);
    await gate.reached(1);
    controller.abort();
    broker.end(leaves);
    gate.open();
    expect(await both).toMatchObject([
      { status: 'fulfilled', value: 'you are alice' },
      { status: 'rejected' },
    ]);
  });
});

describe('the end of a run', () => {
  test('ends its sessions with DELETE, under the token they were used with, and no others', async () => {
    const bob = await begin({ sts, broker }, 'bob');
    await Promise.all([call(alice), call(bob)]);
    broker.end(alice);
    await pool.settled();
    expect(witness.log('DELETE')).toEqual(['DELETE alice 200']);
    expect([pool.size, witness.openSessions]).toEqual([1, 1]);
    expect(await call(bob)).toBe('you are bob');
    expect(sts.exchanges).toHaveLength(2);
  });

  test('while a session is being opened leaves none behind', async () => {
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'initialize' ? gate.wait() : undefined);
    const asked = failed(call(alice));
    await gate.reached(1);
    broker.end(alice);
    gate.open();
    expect(await asked).toBeInstanceOf(Error);
    await pool.settled();
    expect(pool.size).toBe(0);
    expect(witness.log('tools/call')).toEqual([]);
  });

  test('while the server is at work on `initialize` tells the caller at once, and ends the session that comes of it', async () => {
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'initialize' ? gate.wait() : undefined);
    const asked = failed(call(alice));
    await gate.reached(1);
    broker.end(alice);
    expect(await asked).toMatchObject({ code: 'delegation_ended' });
    expect(witness.openSessions).toBe(0);
    gate.open();
    await pool.settled();
    expect(witness.log()).toEqual(['initialize alice 200', 'DELETE alice 200']);
    expect([pool.size, witness.openSessions]).toEqual([0, 0]);
  });

  test('before `initialize` was sent sends nothing', async () => {
    const gate = createGate();
    broker = brokerFor(sts, {}, { fetch: heldExchanges(gate) });
    pool = poolOf();
    const run = await begin({ sts, broker }, 'alice');
    const asked = failed(call(run));
    await gate.reached(1);
    broker.end(run);
    await asked;
    gate.open();
    await pool.settled();
    expect(witness.log()).toEqual([]);
  });

  test('leaves the session in place under subject retention, for the next run of the same subject', async () => {
    broker = brokerFor(sts, { retention: 'subject' });
    pool = poolOf();
    const token = await sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
    for (let index = 0; index < 2; index++) {
      const run = broker.begin({ subjectToken: token });
      await call(run);
      broker.end(run);
    }
    expect(witness.log('initialize', 'DELETE')).toEqual(['initialize alice 200']);
    expect(exchanged(sts)).toEqual(['alice calendar issued']);
  });

  test('of one of two runs under subject retention does not stop the other’s call', async () => {
    broker = brokerFor(sts, { retention: 'subject' });
    pool = poolOf();
    const token = await sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
    const [one, two] = [0, 1].map(() => broker.begin({ subjectToken: token })) as [Delegation, Delegation];
    await call(one);
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'tools/call' ? gate.wait() : undefined);
    const calls = [call(one)];
    await gate.reached(1);
    calls.push(call(two));
    const both = Promise.allSettled(calls);
    await gate.reached(2);
    // The second run was the last to use the session. Its end must not take the first one’s replay along.
    broker.end(two);
    witness.refuse('tools/call', 401);
    gate.open();
    expect((await both)[0]).toEqual({ status: 'fulfilled', value: 'you are alice' });
  });

  test('of a server that refuses DELETE or does not answer it is no failure', async () => {
    await call(alice);
    witness.refuse('DELETE', 405);
    broker.end(alice);
    await expect(pool.settled()).resolves.toBeUndefined();
    expect(pool.size).toBe(0);
  });
});

test('close() ends every session with DELETE', async () => {
  const bob = await begin({ sts, broker }, 'bob');
  await Promise.all([call(alice), call(bob)]);
  await pool.close();
  expect(witness.log('DELETE').toSorted()).toEqual(['DELETE alice 200', 'DELETE bob 200']);
  expect([pool.size, witness.openSessions]).toEqual([0, 0]);
});

test.each(['close()', 'the end of its run'])(
  '%s does not wait for long for a server that leaves `initialize` unanswered, nor does the caller at all',
  async (what) => {
    witness.onRequest = ({ method }) => (method === 'initialize' ? new Promise(() => {}) : undefined);
    const asked = failed(call(alice));
    await whenRequested('initialize');
    const began = performance.now();
    if (what !== 'close()') broker.end(alice);
    const over = what === 'close()' ? pool.close() : pool.settled();
    await asked;
    const told = performance.now() - began;
    await over;
    const waited = performance.now() - began;
    expect([told < 1_000, waited > 1_900, waited < 8_000]).toEqual([true, true, true]);
    expect(pool.size).toBe(0);
  },
);

describe('a session that nobody uses', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    pool = poolOf({ idleMs: 5_000 });
  });

  test('is ended with DELETE after its time', async () => {
    await call(alice);
    vi.advanceTimersByTime(4_999);
    expect(pool.size).toBe(1);
    vi.advanceTimersByTime(1);
    await pool.settled();
    expect(pool.size).toBe(0);
    expect(witness.log('DELETE')).toEqual(['DELETE alice 200']);
  });

  test('lives on when it is used again in time', async () => {
    await call(alice);
    vi.advanceTimersByTime(4_000);
    await call(alice);
    vi.advanceTimersByTime(4_000);
    expect(pool.size).toBe(1);
    expect(witness.log('DELETE')).toEqual([]);
  });

  test('is not ended while a call is under way in it', async () => {
    const gate = createGate();
    witness.onCall = () => gate.wait();
    const asked = call(alice);
    await gate.reached(1);
    vi.advanceTimersByTime(20_000);
    expect(pool.size).toBe(1);
    gate.open();
    expect(await asked).toBe('you are alice');
  });
});

describe('the bound', () => {
  test('is kept by ending the session that was idle for longest', async () => {
    pool = poolOf({ maxSessions: 2 });
    const [bob, carol] = [await begin({ sts, broker }, 'bob'), await begin({ sts, broker }, 'user1')];
    await call(alice);
    await call(bob);
    await call(alice);
    await call(carol);
    await pool.settled();
    expect(pool.size).toBe(2);
    expect(witness.log('DELETE')).toEqual(['DELETE bob 200']);
    expect(await call(bob)).toBe('you are bob');
  });

  test('refuses at once with "maxWaitMs: 0" when all are in use, without a request or an exchange', async () => {
    pool = poolOf({ maxSessions: 1, maxWaitMs: 0 });
    const bob = await begin({ sts, broker }, 'bob');
    const gate = createGate();
    witness.onCall = () => gate.wait();
    const asked = call(alice);
    await gate.reached(1);
    expect(await failure(call(bob))).toMatchObject({ code: 'capacity_exceeded', failure: 'unavailable' });
    expect(await Promise.race([asked.then(() => 'answered'), Promise.resolve('under way')])).toBe(
      'under way',
    );
    gate.open();
    expect(await asked).toBe('you are alice');
    expect(await call(bob)).toBe('you are bob');
    expect(exchanged(sts)).toEqual(['alice calendar issued', 'bob calendar issued']);
  });

  test('does not count a session twice that is used again', async () => {
    pool = poolOf({ maxSessions: 1 });
    for (let index = 0; index < 3; index++) await call(alice);
    expect(witness.log('initialize')).toEqual(['initialize alice 200']);
  });
});

/** Resolves when the next request of a method has come in. */
function whenRequested(method: string): Promise<void> {
  const before = witness.onRequest;
  return new Promise((resolve) => {
    witness.onRequest = (seen) => {
      if (seen.method === method) resolve();
      return before?.(seen);
    };
  });
}
