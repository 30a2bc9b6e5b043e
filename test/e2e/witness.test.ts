// The demo's MCP servers are the witnesses for everything it shows, so they must not be easy to please.
import { createDevelopmentSts, type DevelopmentSts } from 'onbehalf/sts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RunningMcpServer, startMcpServer } from '../../examples/demo/mcp-server.ts';

let sts: DevelopmentSts;
let other: DevelopmentSts;
let server: RunningMcpServer;

const start = (requireTokenForDiscovery = false, jwksUri = sts.jwksUri): Promise<RunningMcpServer> =>
  startMcpServer({
    name: 'calendar',
    audience: 'calendar',
    issuer: sts.issuer,
    jwksUri,
    requireTokenForDiscovery,
    tools: [
      {
        name: 'whoami',
        inputSchema: { type: 'object', properties: {} },
        run: (_args, { sub }) => `you are ${sub}`,
      },
    ],
  });

beforeAll(async () => {
  const client = { clientId: 'agent', authentication: 'none', audiences: [] } as const;
  const options = { clients: [client], users: [{ sub: 'alice' }, { sub: 'bob' }] };
  [sts, other] = await Promise.all([createDevelopmentSts(options), createDevelopmentSts(options)]);
});
beforeEach(async () => {
  server = await start();
});
afterEach(() => server.close());
afterAll(() => Promise.all([sts.close(), other.close()]));

interface Post {
  token?: string;
  session?: string;
  body?: unknown;
}

const CALL = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'whoami', arguments: {} } };
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '0' } },
};

function post({ token, session, body = CALL }: Post): Promise<Response> {
  const headers = new Headers({
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  });
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  if (session !== undefined) headers.set('mcp-session-id', session);
  return fetch(server.url, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function openSession(token?: string): Promise<string> {
  const response = await post({ body: INITIALIZE, ...(token !== undefined && { token }) });
  await response.text();
  expect(response.status).toBe(200);
  return response.headers.get('mcp-session-id') ?? '';
}

const mint = (sub = 'alice', audience = 'calendar'): Promise<string> =>
  sts.mintSubjectToken({ sub, audience });

describe('a demo MCP server', () => {
  test('answers a call with a token made for it, and records the claims', async () => {
    const session = await openSession();
    const response = await post({ session, token: await mint() });
    expect(await response.text()).toContain('you are alice');
    expect(server.takeRequests()).toMatchObject([
      { server: 'calendar', method: 'initialize', status: 200 },
      {
        server: 'calendar',
        method: 'tools/call',
        tool: 'whoami',
        status: 200,
        sub: 'alice',
        aud: ['calendar'],
      },
    ]);
    expect(server.requests).toEqual([]);
  });

  test('refuses a call without a token, and says where to get one', async () => {
    const response = await post({ session: await openSession() });
    expect(response.status).toBe(401);
    const challenge = response.headers.get('www-authenticate') ?? '';
    expect(challenge).toMatch(/^Bearer resource_metadata="http/);
    const url = /"(.+)"/.exec(challenge)?.[1] ?? '';
    expect(await (await fetch(url)).json()).toEqual({
      resource: server.url,
      authorization_servers: [sts.issuer],
    });
  });

  test('refuses tokens for others, of others, expired or broken, whatever is asked', async () => {
    const session = await openSession();
    const good = await mint();
    const bad = [
      await mint('alice', 'mail'),
      await other.mintSubjectToken({ sub: 'alice', audience: 'calendar' }),
      await sts.mintSubjectToken({ sub: 'alice', audience: 'calendar', expiresIn: -60 }),
      `${good.slice(0, -4)}AAAA`,
      'no-jwt',
    ];
    for (const token of bad) {
      for (const body of [CALL, INITIALIZE]) {
        const response = await post({ session, token, body });
        expect(response.status).toBe(401);
        expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
        expect(await response.text()).not.toContain(token);
      }
    }
    expect(server.requests.filter(({ sub }) => sub !== undefined)).toEqual([]);
  });

  test('lets nobody in while the keys of the issuer cannot be had, but calls no token bad', async () => {
    await server.close();
    const jwksUri = new URL('/no-keys', sts.jwksUri).href;
    server = await start(false, jwksUri);
    const response = await post({ session: await openSession(), token: await mint() });
    expect([response.status, server.requests.at(-1)?.sub]).toEqual([500, undefined]);
  });

  test('lets nobody use the session of another subject', async () => {
    const session = await openSession();
    expect((await post({ session, token: await mint('alice') })).status).toBe(200);
    expect((await post({ session, token: await mint('bob') })).status).toBe(403);
  });

  test('refuses a batch, so that no call hides in it', async () => {
    const response = await post({ session: await openSession(), body: [CALL] });
    expect(response.status).toBe(400);
  });

  test('answers 404 for a session it does not know', async () => {
    expect((await post({ session: 'unknown', token: await mint() })).status).toBe(404);
  });

  test('refuses a good token as often as it was told to', async () => {
    const [session, token] = [await openSession(), await mint()];
    server.rejectNext(1);
    expect((await post({ session, token })).status).toBe(401);
    expect((await post({ session, token })).status).toBe(200);
  });

  test('asks for a token before everything if told to', async () => {
    await server.close();
    server = await start(true);
    expect((await post({ body: INITIALIZE })).status).toBe(401);
    await openSession(await mint());
    expect(server.openSessions).toBe(1);
  });
});
