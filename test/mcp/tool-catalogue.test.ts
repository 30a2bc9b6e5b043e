import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Broker, type Delegation, OnbehalfError } from '../../src/index.ts';
import { describeCallFailure } from '../../src/mcp/call-failure.ts';
import { defineMcpServer, type McpServer } from '../../src/mcp/server.ts';
import { createSessionPool, type SessionPool } from '../../src/mcp/session-pool.ts';
import {
  createToolCatalogue,
  type ListOptions,
  type ToolCatalogue,
  type ToolCatalogueOptions,
} from '../../src/mcp/tool-catalogue.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';
import {
  AGENT,
  begin,
  brokerFor,
  createGate,
  exchanged,
  failed,
  failure,
  startRecorder,
  startSts,
  subjectToken,
} from './support.ts';
import { startWitness, type Witness, type WitnessOptions } from './witness.ts';

let sts: DevelopmentSts;
let broker: Broker;
let pool: SessionPool;
let catalogue: ToolCatalogue;
let witness: Witness;
let server: McpServer;

beforeEach(async () => {
  sts = await startSts({ users: [{ sub: 'alice' }, { sub: 'bob' }, { sub: AGENT }] });
  broker = brokerFor(sts);
  await start();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Starts the server and, new too, the catalogue. */
async function start(options: WitnessOptions = {}, more: Partial<ToolCatalogueOptions> = {}): Promise<void> {
  witness = await startWitness(sts, options);
  server = defineMcpServer({ url: witness.url, target: 'calendar' });
  newCatalogue(more);
}

function newCatalogue(options: Partial<ToolCatalogueOptions> = {}): void {
  const made = createSessionPool({ broker });
  const its = createToolCatalogue({ ...options, pool: made });
  onTestFinished(() => void Promise.all([its.close(), made.close()]));
  [pool, catalogue] = [made, its];
}

async function list(options?: ListOptions): Promise<string[]> {
  return (await catalogue.list(server, options)).map(({ name }) => name);
}

const listings = (): string[] => witness.log('tools/list');

/** The agent's own token for the server, as its platform might give it one. */
const agentCredential = (): Promise<string> => sts.mintSubjectToken({ sub: AGENT, audience: 'calendar' });

describe('a listing', () => {
  test('is kept: the server is asked once', async () => {
    expect(await list()).toEqual(['whoami']);
    expect(await list()).toEqual(['whoami']);
    expect(listings()).toEqual(['tools/list - 200']);
    expect(sts.exchanges).toEqual([]);
  });

  test('is made once for all who ask at the same time', async () => {
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'tools/list' ? gate.wait() : undefined);
    const asked = Array.from({ length: 6 }, () => list());
    await gate.reached(1);
    gate.open();
    expect(await Promise.all(asked)).toEqual(Array(6).fill(['whoami']));
    expect(witness.log('initialize', 'tools/list')).toEqual(['initialize - 200', 'tools/list - 200']);
  });

  test('that one of them no longer waits for goes on for the others', async () => {
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'tools/list' ? gate.wait() : undefined);
    const controller = new AbortController();
    const both = Promise.allSettled([list({ signal: controller.signal }), list()]);
    await gate.reached(1);
    controller.abort();
    gate.open();
    expect(await both).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: ['whoami'] }]);
    expect(listings()).toEqual(['tools/list - 200']);
  });

  test('is made again when its time is over', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    newCatalogue({ ttlMs: 60_000 });
    await list();
    vi.setSystemTime(Date.now() + 59_999);
    await list();
    expect(listings()).toHaveLength(1);
    vi.setSystemTime(Date.now() + 1);
    await list();
    expect(listings()).toHaveLength(2);
  });

  test('is dropped when the server says that its tools have changed', async () => {
    const listening = new Promise<void>((resolve) => {
      witness.onRequest = ({ method }) => (method === 'GET' ? resolve() : undefined);
    });
    await list();
    await listening;
    // The stream is written to in order, so what comes after this waits for nothing but the notification.
    await witness.changeTools(['whoami', 'whereami']);
    await vi.waitFor(async () => expect(await list()).toEqual(['whoami', 'whereami']));
    expect(listings()).toHaveLength(2);
  });

  test('is dropped when it is invalidated, and that of another server is not', async () => {
    const other = await startWitness(sts, { name: 'mail' });
    const mail = defineMcpServer({ url: other.url, target: 'mail' });
    await Promise.all([list(), catalogue.list(mail)]);
    catalogue.invalidate(server);
    await Promise.all([list(), catalogue.list(mail)]);
    expect([listings().length, other.log('tools/list').length]).toEqual([2, 1]);
  });

  test('is not kept when it failed: the next one asks again', async () => {
    witness.refuse('tools/list', 500);
    expect(describeCallFailure(server, await failed(list()))).toMatchObject({
      code: 'server_failed',
      status: 500,
    });
    expect(await list()).toEqual(['whoami']);
  });

  test('of a server that was started anew is made in another session', async () => {
    await list();
    witness.forgetSessions();
    catalogue.invalidate(server);
    expect(await list()).toEqual(['whoami']);
    expect(witness.log('initialize')).toHaveLength(2);
  });

  test('has 10,000 tools at most', async () => {
    await start({ tools: Array.from({ length: 10_001 }, (_, index) => `t${index}`) });
    const tools = await list();
    expect([tools.length, tools.at(-1)]).toEqual([10_000, 't9999']);
  });

  test('makes room by dropping the oldest', async () => {
    newCatalogue({ maxEntries: 1 });
    const other = await startWitness(sts, { name: 'mail' });
    const mail = defineMcpServer({ url: other.url, target: 'mail' });
    await list();
    await catalogue.list(mail);
    await list();
    expect([listings().length, other.log('tools/list').length]).toEqual([2, 1]);
  });
});

describe('discovery "anonymous"', () => {
  test('never shows a token, though a user is known', async () => {
    const delegation = await begin({ sts, broker }, 'alice');
    await list({ discovery: 'anonymous', delegation });
    expect(new Set(witness.log().map((line) => line.split(' ')[1]))).toEqual(new Set(['-']));
    expect(sts.exchanges).toEqual([]);
  });

  test('fails with what the server said when it wants a token, and no exchange is made', async () => {
    await start({ private: true });
    const delegation = await begin({ sts, broker }, 'alice');
    const error = await failed(list({ discovery: 'anonymous', delegation }));
    expect(describeCallFailure(server, error)).toMatchObject({ code: 'server_rejected_token', status: 401 });
    expect(sts.exchanges).toEqual([]);
  });
});

describe('discovery "agent"', () => {
  test('shows the agent’s own token and no user’s', async () => {
    await start({ private: true });
    const delegation = await begin({ sts, broker }, 'alice');
    expect(await list({ discovery: 'agent', agentCredential, delegation })).toEqual(['whoami']);
    expect(listings()).toEqual([`tools/list ${AGENT} 200`]);
    expect(exchanged(sts)).toEqual([]);
  });

  test('without a credential is a mistake that names it', async () => {
    await expect(list({ discovery: 'agent' })).rejects.toThrow(/discovery "agent" .* credential/);
    expect(witness.requests).toEqual([]);
  });

  test('whose credential cannot be had asks the server nothing', async () => {
    const broken = (): never => {
      throw new Error('eyJ-this-could-be-a-token');
    };
    const error = await failed(list({ discovery: 'agent', agentCredential: broken }));
    expect(describeCallFailure(server, error)).toMatchObject({ code: 'actor_unavailable' });
    expect(String(describeCallFailure(server, error)?.message)).not.toContain('eyJ');
    expect(witness.requests).toEqual([]);
  });

  test('is listed for the whole agent: a second user’s run asks nothing', async () => {
    await start({ private: true });
    for (const sub of ['alice', 'bob']) {
      await list({ discovery: 'agent', agentCredential, delegation: await begin({ sts, broker }, sub) });
    }
    expect(listings()).toEqual([`tools/list ${AGENT} 200`]);
  });
});

describe('discovery "agent" with two credentials for one server', () => {
  test('lists for each its own tools, in its own session', async () => {
    await start({ private: true });
    const other = (): Promise<string> => sts.mintSubjectToken({ sub: 'bob', audience: 'calendar' });
    await list({ discovery: 'agent', agentCredential });
    await list({ discovery: 'agent', agentCredential: other });
    expect(listings()).toEqual([`tools/list ${AGENT} 200`, 'tools/list bob 200']);
    catalogue.invalidate(server);
    await list({ discovery: 'agent', agentCredential });
    expect(listings().at(-1)).toBe(`tools/list ${AGENT} 200`);
  });
});

describe('a server that answers with a redirect', () => {
  test.each([
    ['anonymous', '/elsewhere'],
    ['agent', '/elsewhere'],
    ['delegated', '/elsewhere'],
    ['agent', 'thief'],
    ['delegated', 'thief'],
  ] as const)('gets nobody’s token sent on: "%s" to %s', async (discovery, to) => {
    const thief = await startRecorder();
    const redirecting = await startRecorder((_seen, response) => {
      response.writeHead(307, { location: to === 'thief' ? `${thief.origin}/mcp` : to }).end();
    });
    server = defineMcpServer({ url: `${redirecting.origin}/mcp`, target: 'calendar' });
    const delegation = await begin({ sts, broker }, 'alice');
    await expect(list({ discovery, agentCredential, delegation })).rejects.toThrow();
    expect(thief.requests).toEqual([]);
    expect(new Set(redirecting.requests.map(({ path }) => path))).toEqual(new Set(['/mcp']));
  });
});

describe('discovery "delegated"', () => {
  test('is made as the user, whose listing no other user is shown', async () => {
    await start({ private: true });
    const [alice, bob] = [await begin({ sts, broker }, 'alice'), await begin({ sts, broker }, 'bob')];
    for (const delegation of [alice, bob, alice, bob]) await list({ discovery: 'delegated', delegation });
    expect(listings()).toEqual(['tools/list alice 200', 'tools/list bob 200']);
  });

  test('is kept for the next run of the same subject token', async () => {
    await start({ private: true });
    const token = await subjectToken(sts, 'alice');
    for (let index = 0; index < 2; index++) {
      const delegation = broker.begin({ subjectToken: token });
      await list({ discovery: 'delegated', delegation });
      broker.end(delegation);
    }
    expect(listings()).toEqual(['tools/list alice 200']);
  });

  test('without a user is refused, and nothing is sent', async () => {
    expect(await failure(list({ discovery: 'delegated' }))).toMatchObject({ code: 'delegation_missing' });
    expect(witness.requests).toEqual([]);
  });

  test('whose token cannot be had asks the server nothing', async () => {
    sts.inject({ kind: 'status', status: 503 });
    const delegation = await begin({ sts, broker }, 'alice');
    const error = await failed(list({ discovery: 'delegated', delegation }));
    expect(describeCallFailure(server, error)).toMatchObject({ code: 'sts_error' });
    expect(witness.requests).toEqual([]);
  });

  test.each(['delegated', 'auto'] as const)(
    'that is kept (%s) is not for a run that has ended, nor for one that nobody began',
    async (discovery) => {
      await start({ private: true });
      const token = await subjectToken(sts, 'alice');
      const [over, lasts] = [0, 1].map(() => broker.begin({ subjectToken: token })) as [
        Delegation,
        Delegation,
      ];
      expect(await list({ discovery, delegation: over })).toEqual(['whoami']);
      broker.end(over);
      const ended = await failure(list({ discovery, delegation: over }));
      expect(ended.code).toBe('delegation_ended');
      const elsewhere = await begin({ sts, broker: brokerFor(sts) }, 'alice');
      for (const forged of [{ ...lasts }, { ...elsewhere, subject: lasts.subject }]) {
        await expect(list({ discovery, delegation: forged })).rejects.toThrow();
      }
      expect(await list({ discovery, delegation: lasts })).toEqual(['whoami']);
      expect(listings()).toEqual(['tools/list alice 200']);
    },
  );

  test('that is kept is not for a subject token that has expired', async () => {
    let now = Date.now();
    broker = brokerFor(sts, { now: () => now });
    await start({ private: true });
    const delegation = broker.begin({ subjectToken: await subjectToken(sts, 'alice') });
    expect(await list({ discovery: 'delegated', delegation })).toEqual(['whoami']);
    now += 301_000;
    expect((await failure(list({ discovery: 'delegated', delegation }))).code).toBe('subject_expired');
    expect(listings()).toEqual(['tools/list alice 200']);
  });

  test('that two runs of one user share survives the end of the one that began it', async () => {
    await start({ private: true });
    const token = await subjectToken(sts, 'alice');
    const [leaves, stays] = [0, 1].map(() => broker.begin({ subjectToken: token })) as [
      Delegation,
      Delegation,
    ];
    const gate = createGate();
    witness.onRequest = ({ method }) => (method === 'tools/list' ? gate.wait() : undefined);
    const controller = new AbortController();
    const both = Promise.allSettled([
      list({ discovery: 'delegated', delegation: leaves, signal: controller.signal }),
      list({ discovery: 'delegated', delegation: stays }),
    ]);
    await gate.reached(1);
    controller.abort();
    broker.end(leaves);
    await pool.settled();
    gate.open();
    expect(await both).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: ['whoami'] }]);
  });
});

describe('discovery "auto"', () => {
  test('asks without a token, and that is enough for a server that wants none', async () => {
    const delegation = await begin({ sts, broker }, 'alice');
    await list({ agentCredential, delegation });
    expect(listings()).toEqual(['tools/list - 200']);
    expect(sts.exchanges).toEqual([]);
  });

  test('falls back to the agent’s own token, and remembers', async () => {
    await start({ private: true });
    const delegation = await begin({ sts, broker }, 'alice');
    await list({ agentCredential, delegation });
    catalogue.invalidate(server);
    await list({ agentCredential, delegation });
    expect(witness.log('initialize', 'tools/list')).toEqual([
      'initialize - 401',
      `initialize ${AGENT} 200`,
      `tools/list ${AGENT} 200`,
      `tools/list ${AGENT} 200`,
    ]);
    expect(sts.exchanges).toEqual([]);
  });

  test('falls back to the user’s token where the agent has none, and remembers', async () => {
    await start({ private: true });
    const [alice, bob] = [await begin({ sts, broker }, 'alice'), await begin({ sts, broker }, 'bob')];
    await list({ delegation: alice });
    await list({ delegation: bob });
    expect(witness.log('initialize', 'tools/list')).toEqual([
      'initialize - 401',
      'initialize alice 200',
      'tools/list alice 200',
      'initialize bob 200',
      'tools/list bob 200',
    ]);
  });

  test('falls back to the user’s token where the agent’s own is refused', async () => {
    await start({ private: true });
    const wrong = (): Promise<string> => sts.mintSubjectToken({ sub: AGENT, audience: 'mail' });
    const delegation = await begin({ sts, broker }, 'alice');
    expect(await list({ agentCredential: wrong, delegation })).toEqual(['whoami']);
    expect(listings()).toEqual(['tools/list alice 200']);
  });

  test('does not fall back when the server is broken: no token is shown to it, none is exchanged', async () => {
    witness.refuse('initialize', 500);
    const delegation = await begin({ sts, broker }, 'alice');
    await expect(list({ agentCredential, delegation })).rejects.toThrow();
    expect(witness.log()).toEqual(['initialize - 500']);
    expect(sts.exchanges).toEqual([]);
  });

  test.each([401, 403])(
    'does not take a %i of the STS for one of the server: no user’s token makes up for a broken agent',
    async (status) => {
      await start({ private: true });
      const delegation = await begin({ sts, broker }, 'alice');
      const refused = (): never => {
        throw new OnbehalfError('sts_error', 'the STS refused the agent', {
          failure: 'misconfigured',
          status,
        });
      };
      const error = await failed(list({ agentCredential: refused, delegation }));
      expect(describeCallFailure(server, error)).toMatchObject({ code: 'actor_unavailable', status });
      expect(witness.log()).toEqual(['initialize - 401']);
      expect(sts.exchanges).toEqual([]);
    },
  );

  test('tells that a user is missing where only a user’s token would do', async () => {
    await start({ private: true });
    expect(await failure(list())).toMatchObject({ code: 'delegation_missing' });
    expect(witness.log()).toEqual(['initialize - 401']);
  });
});

describe('a discovery session', () => {
  test.each([
    ['anonymous', false],
    ['agent', true],
  ] as const)('"%s" is never used for a user’s call', async (discovery, needsToken) => {
    await start({ private: needsToken });
    const delegation = await begin({ sts, broker }, 'alice');
    await list({ discovery, agentCredential, delegation });
    await pool.call(server, delegation, (client) => client.callTool({ name: 'whoami', arguments: {} }));
    const of = (method: string): Set<string | undefined> =>
      new Set(witness.requests.filter((seen) => seen.method === method).map(({ session }) => session));
    expect(of('tools/call').size).toBe(1);
    expect(of('tools/list')).not.toEqual(of('tools/call'));
    expect(witness.log('tools/call')).toEqual(['tools/call alice 200']);
  });

  test('is ended when nothing was listed for a while', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    newCatalogue({ listenMs: 1_000 });
    await list();
    const ended = new Promise<void>((resolve) => {
      witness.onRequest = ({ method }) => (method === 'DELETE' ? resolve() : undefined);
    });
    vi.advanceTimersByTime(1_000);
    await ended;
    expect(await list()).toEqual(['whoami']);
    expect(listings()).toHaveLength(1);
  });

  test('is ended with DELETE when the catalogue is closed', async () => {
    await list();
    await catalogue.close();
    expect(witness.log('DELETE')).toEqual(['DELETE - 200']);
    expect(witness.openSessions).toBe(0);
  });
});
