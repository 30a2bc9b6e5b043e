// One client for all users, by a real client of each SDK at the SDK's own server, which binds sessions to their subject.
import { beforeEach, describe, expect, test } from 'vitest';
import { type Broker, type Delegation, runAs } from '../../src/index.ts';
import type { DelegatedFetch } from '../../src/mcp/delegated-fetch.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';
import { type AnyClient, CLIENTS, fetchAt } from './any-client.ts';
import { begin, brokerFor, createGate, exchanged, failed, startSts } from './support.ts';
import { startWitness, type Witness } from './witness.ts';

let sts: DevelopmentSts;
let broker: Broker;
let witness: Witness;
let fetch: DelegatedFetch;
let alice: Delegation;
let bob: Delegation;

beforeEach(async () => {
  sts = await startSts();
  broker = brokerFor(sts);
  witness = await startWitness(sts);
  fetch = fetchAt({ broker, url: witness.url });
  alice = await begin({ sts, broker }, 'alice');
  bob = await begin({ sts, broker }, 'bob');
});

const callAs = (client: AnyClient, who: Delegation, tool = 'whoami', signal?: AbortSignal): Promise<string> =>
  runAs(who, () => client.call(tool, signal));

describe.each(CLIENTS)('a %s client that users share', (_version, connect) => {
  test('connects and lists outside any run, under nobody’s identity, without an exchange', async () => {
    const client = await connect(witness.url, fetch);
    expect(await client.list()).toEqual(['whoami']);
    expect(new Set(witness.requests.map(({ sub }) => sub))).toEqual(new Set([undefined]));
    expect([sts.exchanges, fetch.sessions]).toEqual([[], 1]);
  });

  test('calls for each user with the user’s own token in the user’s own session, however calls interleave', async () => {
    const client = await connect(witness.url, fetch);
    const gate = createGate();
    witness.onCall = () => gate.wait();
    const calls = [alice, bob, alice, bob].map((who) => callAs(client, who));
    await gate.reached(4);
    gate.open();
    expect(await Promise.all(calls)).toEqual([
      'you are alice',
      'you are bob',
      'you are alice',
      'you are bob',
    ]);
    const sessions = new Map<string | undefined, Set<string | undefined>>();
    for (const { session, sub } of witness.requests) {
      if (session !== undefined) sessions.set(session, (sessions.get(session) ?? new Set()).add(sub));
    }
    expect([...sessions.values()].map((subs) => [...subs].join()).toSorted()).toEqual(['', 'alice', 'bob']);
    expect(exchanged(sts)).toEqual(['alice calendar issued', 'bob calendar issued']);
  });

  test('lists for nobody also within a run, and opens no session for that', async () => {
    const client = await connect(witness.url, fetch);
    expect(await runAs(alice, () => client.list())).toEqual(['whoami']);
    expect(witness.log('initialize', 'tools/list')).toEqual(['initialize - 200', 'tools/list - 200']);
  });

  test('does not call outside a run: nothing is sent', async () => {
    const client = await connect(witness.url, fetch);
    const before = witness.requests.filter(({ method }) => method !== 'GET').length;
    expect(await failed(client.call())).toMatchObject({ code: 'delegation_missing' });
    expect(witness.requests.filter(({ method }) => method !== 'GET')).toHaveLength(before);
  });

  test('goes on after the server was started anew: each call is carried out once', async () => {
    const client = await connect(witness.url, fetch);
    await Promise.all([callAs(client, alice), callAs(client, bob)]);
    witness.forgetSessions();
    expect(await Promise.all([callAs(client, alice), callAs(client, bob)])).toEqual([
      'you are alice',
      'you are bob',
    ]);
    expect(await client.list()).toEqual(['whoami']);
    expect(witness.executed).toHaveLength(4);
    expect(sts.exchanges).toHaveLength(2);
  });

  test('that ends its session ends those of all users, each under its own token', async () => {
    const client = await connect(witness.url, fetch);
    await callAs(client, alice);
    await callAs(client, bob);
    await client.end();
    expect(witness.log('DELETE').toSorted()).toEqual(['DELETE - 200', 'DELETE alice 200', 'DELETE bob 200']);
    expect([witness.openSessions, fetch.sessions]).toEqual([0, 0]);
  });

  test('leaves nothing behind of a user whose run has ended, and the others alone', async () => {
    const client = await connect(witness.url, fetch);
    await callAs(client, alice);
    await callAs(client, bob);
    broker.end(alice);
    await fetch.settled();
    expect(witness.log('DELETE')).toEqual(['DELETE alice 200']);
    expect(await callAs(client, bob)).toBe('you are bob');
    expect(await failed(callAs(client, alice))).toMatchObject({ code: 'delegation_ended' });
    expect(witness.log('initialize')).toEqual([
      'initialize - 200',
      'initialize alice 200',
      'initialize bob 200',
    ]);
  });

  test('survives a token that the server refuses', async () => {
    const client = await connect(witness.url, fetch);
    await callAs(client, alice);
    witness.refuse('tools/call', 401);
    expect(await callAs(client, alice)).toBe('you are alice');
    expect(witness.executed).toEqual(['whoami alice', 'whoami alice']);
    expect(sts.exchanges).toHaveLength(2);
  });

  test('has a call cancelled in the session that it was made in, though the cancellation comes from nowhere', async () => {
    const client = await connect(witness.url, fetch);
    const gate = createGate();
    witness.onCall = () => gate.wait();
    const controller = new AbortController();
    const asked = failed(callAs(client, alice, 'whoami', controller.signal));
    await gate.reached(1);
    const told = cancellation();
    controller.abort(new Error('the user has left'));
    expect(String(await asked)).toContain('the user has left');
    expect(await told).toEqual('alice');
    gate.open();
    const [{ session } = { session: '' }] = witness.requests.filter(({ method }) => method === 'tools/call');
    const [{ session: of } = { session: '-' }] = witness.requests.filter(({ method }) =>
      method.includes('cancelled'),
    );
    expect(of).toBe(session);
  });
});

/** For whom the next cancellation comes in. */
function cancellation(): Promise<string | undefined> {
  return new Promise((resolve) => {
    witness.onRequest = ({ method, sub }) => {
      if (method === 'notifications/cancelled') resolve(sub);
    };
  });
}

test('two clients at one fetch are two: the end of one ends nothing of the other', async () => {
  const [first, second] = await Promise.all(CLIENTS.map(([, connect]) => connect(witness.url, fetch)));
  await callAs(first as AnyClient, alice);
  await callAs(second as AnyClient, alice);
  expect(fetch.sessions).toBe(4);
  await first?.end();
  expect(fetch.sessions).toBe(2);
  expect(await callAs(second as AnyClient, alice)).toBe('you are alice');
  expect(witness.log('initialize')).toHaveLength(4);
});
