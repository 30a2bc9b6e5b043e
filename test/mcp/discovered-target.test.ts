// `target: 'discover'`: the server's own metadata says what its tokens are for (RFC 9728, RFC 8707).
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type RunningMcpServer, startMcpServer } from '../../examples/demo/mcp-server.ts';
import { type Broker, createTokenService, runAs, type TokenService } from '../../src/index.ts';
import { createDelegatedFetch } from '../../src/mcp/delegated-fetch.ts';
import { defineMcpServer, type McpServer, type McpServerOptions } from '../../src/mcp/server.ts';
import { createSessionPool } from '../../src/mcp/session-pool.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';
import { granting, payloadOf, startWorld } from '../broker/id-jag-world.ts';
import { startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { json, type Loopback, startLoopback } from '../support/loopback.ts';
import { subjectJwt } from '../support/sts.ts';
import { bareClient, CLIENTS, fetchAt } from './any-client.ts';
import { AGENT, begin, brokerFor, failed, failure, startSts } from './support.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

afterEach(() => {
  vi.useRealTimers();
});

/** The demo's server, whose tokens must be for its own URL, and an STS that makes such. */
async function startDemo(): Promise<{ sts: DevelopmentSts; broker: Broker; server: RunningMcpServer }> {
  // Both lists get the URL when it is known.
  const audiences: string[] = [];
  const client = { clientId: AGENT, authentication: 'client_secret_basic' } as const;
  const sts = await startSts({
    clients: [{ ...client, clientSecret: 'a-secret-for-tests-only', audiences, scopes: ['read'] }],
  });
  const tool = { name: 'whoami', description: '', inputSchema: { type: 'object' as const } };
  const server = await startMcpServer({
    ...{
      name: 'calendar',
      audience: audiences as unknown as string,
      issuer: sts.issuer,
      jwksUri: sts.jwksUri,
    },
    tools: [{ ...tool, run: (_args, { sub, aud }) => `you are ${sub} at ${aud.join()}` }],
    requireTokenForDiscovery: true,
  });
  onTestFinished(() => server.close());
  audiences.push(server.url);
  return { sts, server, broker: brokerFor(sts) };
}

describe('at the demo’s server, which verifies its tokens', () => {
  test.each(CLIENTS)(
    'a %s client calls with a token for the resource that it names',
    async (_version, connect) => {
      const { sts, broker, server } = await startDemo();
      const fetch = fetchAt({ broker, url: server.url, target: 'discover' });
      const alice = await begin({ sts, broker }, 'alice');
      const client = await runAs(alice, () => connect(server.url, fetch));
      expect(await runAs(alice, () => client.call())).toBe(`you are alice at ${server.url}`);
      expect(sts.exchanges).toMatchObject([
        { sub: 'alice', outcome: 'issued', audience: [], resource: [server.url] },
      ]);
      await fetch.close();
      expect(server.openSessions).toBe(0);
    },
  );

  test('a session pool calls likewise', async () => {
    const { sts, broker, server } = await startDemo();
    const alice = await begin({ sts, broker }, 'alice');
    const pool = createSessionPool({ broker });
    onTestFinished(() => pool.close());
    const target = { discover: true, scope: 'read' } as const;
    const mcp = defineMcpServer({ url: server.url, target });
    const result = await pool.call(mcp, alice, (client) =>
      client.callTool({ name: 'whoami', arguments: {} }),
    );
    expect(result.content).toEqual([{ type: 'text', text: `you are alice at ${server.url}` }]);
    expect(server.requests.at(-1)).toMatchObject({ sub: 'alice', scope: 'read', status: 200 });
    expect(mcp.target).toMatchObject({ resources: [server.url], audiences: [], scopes: ['read'] });
    await pool.close();
    expect(server.openSessions).toBe(0);
  });
});

interface Place {
  readonly server: Loopback;
  readonly url: string;
  /** Paths of the metadata requests. */
  asked(): string[];
}

/** A server that answers everything, and has the metadata that it is told to have. */
async function startPlace(
  document: (place: { url: string }) => object,
  path = `${WELL_KNOWN}/mcp`,
): Promise<Place> {
  const server = await startLoopback((request, response) => {
    const url = `${server.origin}/mcp`;
    if (request.path === path) return json(response, document({ url }));
    if (request.path !== '/mcp') return json(response, {}, { status: 404 });
    const challenge = `Bearer resource_metadata="${server.origin}${path}"`;
    const status = request.headers.authorization === undefined ? 401 : 200;
    return json(response, {}, { status, headers: { 'www-authenticate': challenge } });
  });
  return {
    server,
    url: `${server.origin}/mcp`,
    asked: () => server.received.map((seen) => seen.path).filter((seen) => seen !== '/mcp'),
  };
}

const own = ({ url }: { url: string }): object => ({
  resource: url,
  authorization_servers: ['https://as.example/'],
});

describe('the metadata', () => {
  test('is asked for once, however many calls wait for it, and never with a token', async () => {
    const { sts, broker } = await startPlainBroker();
    const place = await startPlace(own);
    const fetch = createDelegatedFetch({ broker, url: place.url, target: 'discover' });
    const runs = Array.from({ length: 20 }, (_, index) =>
      broker.begin({ subjectToken: subjectJwt(`user${index % 4}`) }),
    );
    await Promise.all(runs.map((run) => runAs(run, () => fetch(place.url, { method: 'POST', body: '{}' }))));
    expect(place.asked()).toEqual([`${WELL_KNOWN}/mcp`]);
    for (const { path, headers, body } of place.server.received) {
      if (path !== '/mcp') expect([headers.authorization, body]).toEqual([undefined, '']);
    }
    expect(new Set(sts.received.map(({ form }) => form.get('resource')))).toEqual(new Set([place.url]));
    expect(sts.received.every(({ form }) => !form.has('audience'))).toBe(true);
  });

  test('is asked for where the server’s anonymous 401 says that it is', async () => {
    const { sts, broker } = await startPlainBroker();
    const place = await startPlace(own, '/somewhere/metadata');
    const fetch = createDelegatedFetch({ broker, url: place.url, target: 'discover' });
    const alice = broker.begin({ subjectToken: subjectJwt('alice') });
    await runAs(alice, () => bareClient(place.url, fetch).send('initialize'));
    expect(place.asked()).toEqual(['/somewhere/metadata']);
    expect(sts.received.map(({ form }) => form.get('resource'))).toEqual([place.url]);
  });

  test('is asked for at the well-known place where the server has said nothing', async () => {
    const { broker } = await startPlainBroker();
    const place = await startPlace(own, '/somewhere/metadata');
    const fetch = createDelegatedFetch({ broker, url: place.url, target: 'discover' });
    const alice = broker.begin({ subjectToken: subjectJwt('alice') });
    const error = await failure(runAs(alice, () => fetch(place.url, { method: 'POST' })));
    expect(error.code).toBe('resource_metadata_invalid');
    expect(place.asked()).toEqual([`${WELL_KNOWN}/mcp`, WELL_KNOWN]);
  });

  test('is asked for nowhere else, though the 401 says so', async () => {
    const { sts, broker } = await startPlainBroker();
    const thief = await startLoopback((_request, response) => json(response, {}));
    const server = await startLoopback((_request, response) => {
      const challenge = `Bearer resource_metadata="${thief.origin}/x"`;
      json(response, {}, { status: 401, headers: { 'www-authenticate': challenge } });
    });
    const url = `${server.origin}/mcp`;
    const fetch = createDelegatedFetch({ broker, url, target: 'discover' });
    const alice = broker.begin({ subjectToken: subjectJwt('alice') });
    const error = await failure(runAs(alice, () => bareClient(url, fetch).send('initialize')));
    expect(error.code).toBe('resource_metadata_invalid');
    expect([thief.received, sts.exchanges]).toEqual([[], 0]);
  });

  test('that names another resource is refused: no token is asked for, and nothing is sent', async () => {
    const { sts, broker } = await startPlainBroker();
    for (const resource of ['https://elsewhere.example/mcp', undefined, 7]) {
      const place = await startPlace(() => ({ resource }));
      const fetch = createDelegatedFetch({ broker, url: place.url, target: 'discover' });
      const alice = broker.begin({ subjectToken: subjectJwt('alice') });
      const error = await failure(runAs(alice, () => fetch(place.url, { method: 'POST' })));
      expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured' });
      expect(place.server.received.some(({ path }) => path === '/mcp')).toBe(false);
    }
    expect(sts.exchanges).toBe(0);
  });

  test('that could not be had is not remembered: the next call asks again', async () => {
    const { broker } = await startPlainBroker();
    const place = await startPlace(own);
    const usual = place.server;
    const fetch = createDelegatedFetch({ broker, url: place.url, target: 'discover' });
    const alice = broker.begin({ subjectToken: subjectJwt('alice') });
    const call = () => runAs(alice, () => fetch(place.url, { method: 'POST', body: '{}' }));
    usual.handle((_request, response) => json(response, {}, { status: 503 }));
    expect(await failure(call())).toMatchObject({
      code: 'resource_metadata_invalid',
      failure: 'unavailable',
    });
    usual.handle((request, response) => json(response, request.path === '/mcp' ? {} : own(place)));
    expect((await call()).status).toBe(200);
    await call();
    expect(place.asked()).toHaveLength(2);
  });

  test('that one caller no longer waits for is still there for the others', async () => {
    const { broker } = await startPlainBroker();
    let answer = (): void => {};
    const server = await startLoopback((request, response) => {
      if (request.path === '/mcp') return json(response, {});
      answer = () => json(response, { resource: `${server.origin}/mcp` });
    });
    const url = `${server.origin}/mcp`;
    const fetch = createDelegatedFetch({ broker, url, target: 'discover' });
    const alice = broker.begin({ subjectToken: subjectJwt('alice') });
    const controller = new AbortController();
    const reason = new Error('the user has left');
    const leaving = runAs(alice, () => fetch(url, { method: 'POST', signal: controller.signal }));
    const staying = runAs(alice, () => fetch(url, { method: 'POST' }));
    await server.arrived(1);
    controller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    answer();
    expect((await staying).status).toBe(200);
    expect(server.received.filter(({ path }) => path !== '/mcp')).toHaveLength(1);
  });

  test('is needed by nobody who only lists', async () => {
    const { sts, broker } = await startPlainBroker();
    const server = await startLoopback((_request, response) => json(response, {}));
    const url = `${server.origin}/mcp`;
    const fetch = createDelegatedFetch({ broker, url, target: 'discover' });
    expect((await bareClient(url, fetch).send('tools/list')).status).toBe(200);
    expect([server.received.map(({ path }) => path), sts.exchanges]).toEqual([['/mcp'], 0]);
  });
});

describe('with a list of authorization servers', () => {
  /** An identity provider, the server's authorization server, and a broker that knows both. */
  async function idJag(named: (origins: { as: string; thief: string }) => readonly string[], allowed = 1) {
    const { idp, as, authorizationServer, broker } = await startWorld();
    const thief = await startLoopback(granting(createClock()));
    const place = await startPlace(({ url }) => ({
      resource: url,
      authorization_servers: named({ as: as.origin, thief: thief.origin }),
    }));
    const authorizationServers = [authorizationServer].slice(0, allowed);
    const fetch = createDelegatedFetch({
      ...{ broker, url: place.url, target: { discover: true, authorizationServers } },
    });
    const subjectToken = subjectJwt('alice');
    const alice = broker.begin({ subjectToken });
    const call = () => runAs(alice, () => fetch(place.url, { method: 'POST', body: '{}' }));
    return { idp, as, thief, place, call, subjectToken };
  }

  test('the one that the metadata names gives the token, in two steps', async () => {
    const { idp, as, thief, place, call, subjectToken } = await idJag((at) => [at.thief, at.as]);
    expect((await call()).status).toBe(200);
    expect(idp.received.map(({ form }) => [form.get('audience'), form.get('resource')])).toEqual([
      [as.origin, place.url],
    ]);
    expect(payloadOf(as.received[0]?.form.get('assertion') ?? null)).toMatchObject({
      aud: as.origin,
      resource: place.url,
    });
    const sent = place.server.received.find(({ path }) => path === '/mcp')?.headers.authorization;
    expect(payloadOf(sent ?? null)).toMatchObject({ aud: place.url, sub: 'user-17' });
    // What it names besides is asked for nothing, and the subject token goes to the identity provider alone.
    expect(thief.received).toEqual([]);
    for (const { body, headers } of [...as.received, ...place.server.received]) {
      expectNoLeak([body, headers], subjectToken.split('.').slice(1));
    }
  });

  test.each<[string, (at: { as: string }) => string[]]>([
    ['with a slash at its end', ({ as }) => [`${as}/`]],
    ['after others', ({ as }) => ['https://other.example', as]],
  ])('it may be named %s', async (_what, named) => {
    const { call } = await idJag(named);
    expect((await call()).status).toBe(200);
  });

  test.each<[string, (at: { as: string; thief: string }) => string[]]>([
    ['others only', ({ thief }) => [thief]],
    ['none', () => []],
    ['one that begins alike', ({ as }) => [`${as}0`, `${as}/other`]],
  ])('a server that names %s gets no token: nobody is asked for anything', async (_what, named) => {
    const { idp, as, thief, place, call } = await idJag(named);
    const error = await failure(call());
    expect(error).toMatchObject({
      code: 'resource_metadata_invalid',
      failure: 'misconfigured',
      retryable: false,
    });
    expect([idp.received, as.received, thief.received]).toEqual([[], [], []]);
    expect(place.server.received.some(({ path }) => path === '/mcp')).toBe(false);
    // It may be put right there.
    await failure(call());
    expect(place.asked()).toHaveLength(2);
  });

  test('one whose issuer is not known yet is asked for its own metadata first', async () => {
    const as = await startLoopback((_request, response) =>
      json(response, { issuer: as.origin, token_endpoint: `${as.origin}/token` }),
    );
    const place = await startPlace(() => ({ resource: place.url, authorization_servers: [as.origin] }));
    const service = createTokenService({ issuer: as.origin, clientId: 'agent' });
    const mcp = defineMcpServer({
      url: place.url,
      target: { discover: true, authorizationServers: [service] },
    });
    expect(mcp.target).toBeUndefined();
    const target = await mcp.resolveTarget();
    expect(target).toMatchObject({ profile: 'id-jag', resources: [place.url], authorizationServer: service });
    expect(mcp.target).toBe(target);
    expect(await mcp.resolveTarget()).toBe(target);
  });
});

describe('the description of a server whose target is discovered', () => {
  const define = (options: Partial<McpServerOptions>): McpServer =>
    defineMcpServer({ url: 'https://mcp.example/mcp', target: 'discover', ...options });

  test('is named after its host, unless it has a name', () => {
    expect(define({}).name).toBe('mcp.example');
    expect(define({ name: 'calendar' }).name).toBe('calendar');
  });

  test('is another server than every other: what it will be is not known', () => {
    expect(define({}).id).not.toBe(define({}).id);
    expect(define({}).id).not.toBe(define({ target: 'calendar' }).id);
  });

  test.each<[string, unknown]>([
    ['"discover" is not true', { discover: false }],
    ['it names a resource of its own', { discover: true, resource: 'https://mcp.example/mcp' }],
    ['it has a field that does not exist', { discover: true, audiences: 'x' }],
    ['its scope is none', { discover: true, scope: 7 }],
    ['its authorization servers are no list', { discover: true, authorizationServers: {} }],
    ['its authorization servers are URLs', { discover: true, authorizationServers: ['https://as.example'] }],
  ])('is refused at once where %s', (_what, target) => {
    expect(() => define({ target: target as 'discover' })).toThrow(TypeError);
  });

  test('takes audience, scope and what is not to be checked over into its target', async () => {
    const place = await startPlace(own);
    const mcp = defineMcpServer({
      url: place.url,
      target: { discover: true, audience: 'calendar', scope: 'a b', allowOpaqueIssued: true },
    });
    expect(await mcp.resolveTarget()).toMatchObject({
      ...{ audiences: ['calendar'], resources: [place.url], scopes: ['a', 'b'], allowOpaqueIssued: true },
      authorizationServer: undefined,
    });
  });

  test('of "discover: true" with an empty list is served by the broker’s token service', async () => {
    const place = await startPlace(own);
    const target = { discover: true, authorizationServers: [] as TokenService[] } as const;
    expect(await defineMcpServer({ url: place.url, target }).resolveTarget()).toMatchObject({
      authorizationServer: undefined,
    });
  });
});

test('an aborted discovery fails with the caller’s reason', async () => {
  const place = await startPlace(own);
  const reason = new Error('too late');
  const mcp = defineMcpServer({ url: place.url, target: 'discover' });
  expect(await failed(mcp.resolveTarget(AbortSignal.abort(reason)))).toBe(reason);
});
