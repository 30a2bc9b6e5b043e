// What a security review found, and beside it what the fixes must leave as it was.
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Broker, Delegation } from '../../src/index.ts';
import { describeCallFailure } from '../../src/mcp/call-failure.ts';
import { createDelegatedFetch } from '../../src/mcp/delegated-fetch.ts';
import { defineMcpServer, type McpServer } from '../../src/mcp/server.ts';
import { createSessionPool, type SessionPool } from '../../src/mcp/session-pool.ts';
import {
  createToolCatalogue,
  type ToolCatalogue,
  type ToolCatalogueOptions,
} from '../../src/mcp/tool-catalogue.ts';
import { startPlainBroker } from '../support/broker.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { done, type RawAnswer, type RawMcp, result, startRawMcp, status } from '../support/raw-mcp.ts';
import { type Bend, subjectJwt } from '../support/sts.ts';
import { countListeners } from './support.ts';

type MoreOptions = Parameters<typeof startPlainBroker>[0];

interface Scene {
  readonly broker: Broker;
  readonly raw: RawMcp;
  readonly server: McpServer;
  readonly pool: SessionPool;
  readonly alice: Delegation;
}

/** A pool at a broker, a server, and a run of Alice's. */
async function scene(
  server: Parameters<typeof startRawMcp>[0] = {},
  options: MoreOptions = {},
  bend?: Bend,
): Promise<Scene> {
  const { broker } = await startPlainBroker(options, bend);
  const raw = await startRawMcp(server);
  const pool = poolAt(broker);
  const alice = broker.begin({ subjectToken: subjectJwt('alice') });
  return { broker, raw, pool, alice, server: defineMcpServer({ url: raw.url, target: 'calendar' }) };
}

function poolAt(broker: Broker): SessionPool {
  const pool = createSessionPool({ broker });
  onTestFinished(() => pool.close());
  return pool;
}

function catalogueAt(pool: SessionPool, options: Partial<ToolCatalogueOptions> = {}): ToolCatalogue {
  const catalogue = createToolCatalogue({ pool, ...options });
  onTestFinished(() => catalogue.close());
  return catalogue;
}

const fetchOf = ({ broker, raw, alice }: Scene): ReturnType<typeof createDelegatedFetch> =>
  createDelegatedFetch({ broker, url: raw.url, target: 'calendar', delegation: () => alice });

/** Calls the tool on behalf of somebody. */
const callTool = ({ pool, server }: Scene, delegation: Delegation, name = 't', signal?: AbortSignal) =>
  pool.call(server, delegation, (client) => client.callTool({ name }), { signal });

describe('a token with an unprintable character', () => {
  const forged = (end: string): string => {
    const exp = seconds(Date.now()) + 300;
    return `${fakeJwt({ iss: 'x', sub: 'alice', aud: ['calendar'], exp })}${end}`;
  };

  test.each(['\u0001SIGNATURE-SECRET', '\nSIGNATURE-SECRET', ' SIGNATURE-SECRET', 'SIGNATURE-SECRET\u00e9'])(
    'at its end (%j) is refused when an STS issues it, and no error shows it',
    async (end) => {
      const token = forged(end);
      const at = await scene({}, {}, () => ({ response: { access_token: token } }));
      for (const work of [fetchOf(at)(at.raw.url), callTool(at, at.alice)]) {
        const error = await failureOf(work);
        expect(error.code).toBe('sts_invalid_response');
        expectNoLeak(error, [token, 'SIGNATURE-SECRET']);
      }
      expect(at.raw.requests).toEqual([]);
    },
  );

  test('is refused when a source of the agent gives it, and no error shows it', async () => {
    const { pool, raw, server } = await scene();
    const secret = 'agent-SECRET-tok\nen-of-the-agent';
    const listing = catalogueAt(pool).list(server, { discovery: 'agent', agentCredential: () => secret });
    const error = await thrownBy(listing);
    expect(error).toMatchObject({ code: 'actor_unavailable' });
    expectNoLeak(error, ['agent-SECRET-tok', 'en-of-the-agent']);
    expect(raw.requests).toEqual([]);
  });
});

describe('an STS that gives back what it was sent', () => {
  test('is refused, though the token names the server too', async () => {
    const subjectToken = subjectJwt('alice', { aud: ['agent', 'calendar'] });
    const at = await scene({}, {}, () => ({ response: { access_token: subjectToken } }));
    const alice = at.broker.begin({ subjectToken });
    expect((await failureOf(callTool(at, alice))).code).toBe('issued_token_rejected');
    expect((await failureOf(fetchOf({ ...at, alice })(at.raw.url))).code).toBe('issued_token_rejected');
    expect(at.raw.requests).toEqual([]);
  });

  test('is refused for a target of scope alone', async () => {
    const subjectToken = subjectJwt('alice', { aud: ['agent'] });
    const at = await scene({}, {}, () => ({ response: { access_token: subjectToken } }));
    const alice = at.broker.begin({ subjectToken });
    const server = defineMcpServer({ url: at.raw.url, target: { scope: 'read' } });
    expect((await failureOf(callTool({ ...at, server }, alice))).code).toBe('issued_token_rejected');
    expect(at.raw.requests).toEqual([]);
  });

  const opaque = { audience: 'calendar', allowOpaqueIssued: true };

  test('is refused where tokens are opaque', async () => {
    const bend: Bend = () => ({ response: { access_token: 'opaque-user-token' } });
    const at = await scene({}, { allowOpaqueSubject: true }, bend);
    const alice = at.broker.begin({ subjectToken: 'opaque-user-token' });
    const server = defineMcpServer({ url: at.raw.url, target: opaque });
    expect((await failureOf(callTool({ ...at, server }, alice))).code).toBe('issued_token_rejected');
    expect(at.raw.requests).toEqual([]);
  });

  test('is refused when it is the actor token', async () => {
    const bend: Bend = () => ({ response: { access_token: 'opaque-agent-token' } });
    const at = await scene({}, { actor: () => 'opaque-agent-token' }, bend);
    const server = defineMcpServer({ url: at.raw.url, target: opaque });
    expect((await failureOf(callTool({ ...at, server }, at.alice))).code).toBe('issued_token_rejected');
    expect(at.raw.requests).toEqual([]);
  });
});

describe('a call of a run that has ended', () => {
  test.each([
    { retention: 'run', sessions: ['one', 'one'] },
    { retention: 'subject', sessions: ['one', 'two'] },
  ] as const)(
    'is refused under retention $retention, though another run of its group has the session open',
    async ({ retention, sessions }) => {
      const at = await scene({}, { retention });
      const subjectToken = subjectJwt('alice');
      const [over, active] = sessions.map((session) => at.broker.begin({ subjectToken, session }));
      if (!over || !active) throw new Error('two runs are needed');
      expect(over.group).toBe(active.group);
      await callTool(at, active, 'first');
      at.broker.end(over);
      expect((await failureOf(callTool(at, over, 'late'))).code).toBe('delegation_ended');
      await callTool(at, active, 'second');
      expect(at.raw.of('tools/call').map(({ tool }) => tool)).toEqual(['first', 'second']);
    },
  );
});

describe('a redirect to a place below the path of the server', () => {
  test.each([307, 308])('with %i is not followed: the call arrives exactly once', async (code) => {
    const redirect: RawAnswer = (response, id, seen) =>
      (seen.path === '/mcp' ? status(code, { location: '/mcp/elsewhere' }) : done)(response, id, seen);
    const at = await scene({ answers: { 'tools/call': redirect } });
    const error = await thrownBy(callTool(at, at.alice));
    expect(describeCallFailure(at.server, error)).toMatchObject({ code: 'server_failed', status: code });
    expect(at.raw.of('tools/call').map(({ path }) => path)).toEqual(['/mcp']);
  });

  test.each([301, 302, 303, 307, 308])('with %i fails, and does not say where it leads', async (code) => {
    const at = await scene({ answers: { GET: status(code, { location: '/mcp/elsewhere' }) } });
    const error = await thrownBy(fetchOf(at)(at.raw.url));
    expect(error).toMatchObject({ code: 'server_failed', failure: 'misconfigured', status: code });
    expect((error as Error).message).not.toContain('elsewhere');
    expect(at.raw.requests).toHaveLength(1);
  });
});

describe('a tool call that is answered with 404', () => {
  test('is made once where the server gives no session ids, and the error comes out', async () => {
    const at = await scene({ stateless: true, answers: { 'tools/call': status(404) } });
    const error = await thrownBy(callTool(at, at.alice));
    expect(at.raw.of('tools/call')).toHaveLength(1);
    expect(describeCallFailure(at.server, error)).toMatchObject({ status: 404, retryable: false });
  });

  test('is made again, once, where the session is known no more', async () => {
    const forgotten: RawAnswer = (response, id, seen) =>
      (seen.session === 's1' ? status(404) : done)(response, id, seen);
    const at = await scene({ answers: { 'tools/call': forgotten } });
    await callTool(at, at.alice);
    expect(at.raw.of('tools/call').map(({ session }) => session)).toEqual(['s1', 's2']);
  });

  test('is not made a third time', async () => {
    const at = await scene({ answers: { 'tools/call': status(404) } });
    await thrownBy(callTool(at, at.alice));
    expect(at.raw.of('tools/call')).toHaveLength(2);
  });
});

describe('a tool call of which nobody knows whether it was carried out', () => {
  const unknown: readonly [string, RawAnswer][] = [
    ['whose connection was dropped after it arrived', (response) => void response.socket?.destroy()],
    ['that was answered with 502', status(502)],
  ];
  test.each(unknown)('%s is not retryable, and was made once', async (_what, answer) => {
    const at = await scene({ answers: { 'tools/call': answer } });
    const error = await thrownBy(callTool(at, at.alice));
    expect(describeCallFailure(at.server, error)).toMatchObject({
      code: 'server_failed',
      failure: 'unavailable',
      retryable: false,
    });
    expect(at.raw.of('tools/call')).toHaveLength(1);
  });

  test('is told apart from one that could not be sent, at the opening of a session or after', async () => {
    const unreachable = { code: 'server_unreachable', failure: 'unavailable', retryable: true };
    const at = await scene();
    await callTool(at, at.alice);
    await at.raw.close();
    const later = await thrownBy(callTool(at, at.alice));
    expect(describeCallFailure(at.server, later)).toMatchObject(unreachable);
    const first = await thrownBy(callTool({ ...at, pool: poolAt(at.broker) }, at.alice));
    expect(describeCallFailure(at.server, first)).toMatchObject(unreachable);
  });
});

describe('a session whose opening is never finished by its server', () => {
  const hanging = { answers: { 'notifications/initialized': () => {} } };

  test('fails its call when the run ends', { timeout: 3_000 }, async () => {
    const at = await scene(hanging);
    const call = thrownBy(callTool(at, at.alice));
    await at.raw.arrived('notifications/initialized');
    at.broker.end(at.alice);
    expect(await call).toBeInstanceOf(Error);
    await at.pool.settled();
    await at.pool.close();
    expect(at.pool.size).toBe(0);
    expect(at.raw.of('tools/call')).toEqual([]);
  });

  test('fails its call when that is aborted, and the pool can be closed', { timeout: 3_000 }, async () => {
    const at = await scene(hanging);
    const abort = new AbortController();
    const call = thrownBy(callTool(at, at.alice, 't', abort.signal));
    await at.raw.arrived('notifications/initialized');
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await call).toBe(reason);
    await at.pool.close();
    await at.pool.settled();
    expect(at.pool.size).toBe(0);
  });
});

describe('after close()', () => {
  test('of a catalogue, a session whose opening is never finished is given up, at the server too', async () => {
    const answers = { 'notifications/initialized': () => {} };
    const { pool, raw, server } = await scene({ answers });
    const catalogue = catalogueAt(pool);
    const listing = thrownBy(catalogue.list(server));
    await raw.arrived('notifications/initialized');
    await catalogue.close();
    expect(await listing).toBeInstanceOf(Error);
    expect(raw.sessions.size).toBe(0);
  }, 3_000);

  test('of a catalogue during a listing, no session stays open at the server', async () => {
    let answer = (): void => {};
    const held: RawAnswer = (response, id, seen) => {
      answer = () => listed(response, id, seen);
    };
    const { pool, raw, server } = await scene({ answers: { 'tools/list': held } });
    const catalogue = catalogueAt(pool);
    const listing = thrownBy(catalogue.list(server));
    await raw.arrived('tools/list');
    await catalogue.close();
    answer();
    expect(await listing).toBeInstanceOf(Error);
    await raw.arrived('DELETE');
    expect(raw.sessions.size).toBe(0);
  }, 3_000);

  test('of a pool, a call is refused and nothing is sent', async () => {
    const at = await scene();
    await at.pool.close();
    await expect(callTool(at, at.alice)).rejects.toThrow(TypeError);
    expect([at.raw.requests.length, at.pool.size]).toEqual([0, 0]);
  });

  test('of a pool, the broker tells it nothing any more, nor while no session is open', async () => {
    const at = await scene({});
    const counted = countListeners(at.broker);
    const pool = createSessionPool({ broker: counted.broker });
    expect(counted.listening).toBe(0);
    await pool.call(at.server, at.alice, (client) => client.listTools());
    expect(counted.listening).toBe(1);
    await pool.close();
    expect(counted.listening).toBe(0);
  });

  test('of a broker under retention "subject", the sessions are deleted at their servers', async () => {
    const at = await scene({}, { retention: 'subject' });
    await callTool(at, at.alice);
    expect(at.raw.sessions.size).toBe(1);
    at.broker.close();
    await at.pool.settled();
    expect([at.pool.size, at.raw.sessions.size, at.raw.of('DELETE').length]).toEqual([0, 0, 1]);
  });
});

test('a path that may lead out of the pinned one, however it is encoded, is refused', async () => {
  const at = await scene();
  const fetch = fetchOf(at);
  const ways = [
    ...[
      '..;/admin',
      '%2e%2e;/admin',
      '%2E%2E;/admin',
      '.%2e;x=1/admin',
      '%2e.;/admin',
      '..%3b/admin',
      '..%3B/admin',
    ],
    ...[
      '%252e%252e/admin',
      '%252f../admin',
      '..%2fadmin',
      '..%5cadmin',
      'a/%2e%2e;/admin',
      'a%2f..%2f..%2fadmin',
    ],
  ];
  for (const way of ways) {
    const { code } = await failureOf(fetch(`${at.raw.url}/${way}`));
    expect(`${way}: ${code}`).toBe(`${way}: url_not_pinned`);
  }
  expect(at.raw.requests).toEqual([]);
});

describe('a catalogue', () => {
  test('does not keep a listing during which the tools changed', async () => {
    const changing: RawAnswer = (response, id) => {
      const tools = [{ name: 't', inputSchema: { type: 'object' } }];
      const messages = [
        { jsonrpc: '2.0', method: 'notifications/tools/list_changed' },
        { jsonrpc: '2.0', id, result: { tools } },
      ];
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(messages.map((each) => `event: message\ndata: ${JSON.stringify(each)}\n\n`).join(''));
    };
    const { pool, raw, server } = await scene({ answers: { 'tools/list': changing } });
    const catalogue = catalogueAt(pool);
    await catalogue.list(server);
    await catalogue.list(server);
    expect(raw.of('tools/list')).toHaveLength(2);
  });

  test('keeps one during which they did not', async () => {
    const { pool, raw, server } = await scene();
    const catalogue = catalogueAt(pool);
    await catalogue.list(server);
    await catalogue.list(server);
    expect(raw.of('tools/list')).toHaveLength(1);
  });

  test('remembers for no more servers than maxEntries what "auto" found', async () => {
    const guarded: RawAnswer = (response, id, seen) => {
      if (seen.authorization === undefined) status(401)(response, id, seen);
      else initialized(response, id);
    };
    const { alice, pool, raw } = await scene({ stateless: true, answers: { initialize: guarded } });
    const catalogue = catalogueAt(pool, { maxEntries: 1 });
    const servers = ['a', 'b', 'c'].map((name) =>
      defineMcpServer({ url: `${raw.url}/${name}`, target: 'calendar' }),
    );
    const anonymous = async (order: readonly McpServer[]): Promise<number> => {
      const before = raw.of('initialize').filter((seen) => seen.authorization === undefined).length;
      for (const server of order) await catalogue.list(server, { delegation: alice });
      return raw.of('initialize').filter((seen) => seen.authorization === undefined).length - before;
    };
    expect(await anonymous(servers)).toBe(3);
    // The last one is remembered, the others have made room for it.
    expect(await anonymous(servers.slice(2))).toBe(0);
    expect(await anonymous(servers)).toBe(3);
  });
});

const listed: RawAnswer = (response, id) =>
  result(response, id, { tools: [{ name: 't', inputSchema: { type: 'object' } }] });
function initialized(response: Parameters<RawAnswer>[0], id: unknown): void {
  const serverInfo = { name: 'raw', version: '1' };
  result(response, id, { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo });
}
