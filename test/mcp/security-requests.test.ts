// What a security review found about single requests: under whose identity they go, and what is said of a refusal.
import { describe, expect, test } from 'vitest';
import { type Delegation, runAs } from '../../src/index.ts';
import { defineMcpServer } from '../../src/mcp/server.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { bareClient, connectBare, fetchAt, type Scene, startScene } from './any-client.ts';
import { end } from './strict-server.ts';
import { failure } from './support.ts';

const AGENT_TOKEN = 'token-of-the-agent';
const agentCredential = (): string => AGENT_TOKEN;
const { fetch: globalFetch } = globalThis;

describe('the header fields that a `fetch` of one’s own is given', () => {
  async function watched(open: 'everything' | 'nothing') {
    const at = await startScene({ server: { open, stateless: true } });
    const given: { readonly headers: RequestInit['headers']; readonly before: string | null }[] = [];
    const now = (headers: RequestInit['headers']): string | null => new Headers(headers).get('authorization');
    const send = (url: string, init: RequestInit): Promise<Response> => {
      given.push({ headers: init.headers, before: now(init.headers) });
      return globalFetch(url, init);
    };
    const fetch = fetchAt({ broker: at.broker, url: at.server.url, fetch: send, agentCredential });
    const unchanged = (): void => {
      expect(given.map(({ headers }) => now(headers))).toEqual(given.map(({ before }) => before));
    };
    return { at, given, unchanged, client: bareClient(at.server.url, fetch) };
  }

  test('for a request of nobody never get a token later', async () => {
    const { at, given, unchanged, client } = await watched('nothing');
    at.server.refuse('tools/list', 401, { times: 2 });
    expect((await runAs(at.alice, () => client.send('tools/list'))).status).toBe(200);
    expect(given.map(({ before }) => before).slice(0, 2)).toEqual([null, `Bearer ${AGENT_TOKEN}`]);
    unchanged();
  });

  test('for a token that is refused never get the next one', async () => {
    const { at, given, unchanged, client } = await watched('everything');
    at.server.refuse('tools/call', 401);
    expect(await client.call(at.alice)).toBe('you are alice');
    expect(new Set(given.map(({ before }) => before)).size).toBe(2);
    unchanged();
  });
});

describe('what only looks like discovery', () => {
  const LIST = '{"jsonrpc":"2.0","id":5,"method":"tools/list"}';
  const CALL = '{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"whoami"}}';
  const EVENTS = { accept: 'text/event-stream' };
  const ODD: readonly (readonly [string, string, RequestInit])[] = [
    ['a PUT', '', { method: 'PUT', body: LIST }],
    ['a PATCH', '', { method: 'PATCH', body: LIST }],
    ['a DELETE with a body', '', { method: 'DELETE', body: LIST }],
    ['a POST below the server’s path', '/admin/transfer?to=x', { method: 'POST', body: LIST }],
    ['a POST with a query', '?tool=transfer', { method: 'POST', body: LIST }],
    [
      'an opening below the server’s path',
      '/admin',
      { method: 'POST', body: LIST.replace('tools/list', 'initialize') },
    ],
    ['a stream below the server’s path', '/files/secret', { headers: EVENTS }],
    [
      'a header that names another method',
      '',
      { method: 'POST', body: LIST, headers: { 'Mcp-Method': 'tools/call' } },
    ],
    [
      'a header that names a method beside a call',
      '',
      { method: 'POST', body: CALL, headers: { 'mcp-method': 'tools/list' } },
    ],
    [
      'a notification with an id',
      '',
      { method: 'POST', body: LIST.replace('tools/list', 'notifications/tools/call') },
    ],
  ];

  test.each(ODD)('%s, is made as the user, and without one not at all', async (_what, path, init) => {
    for (const discovery of ['auto', 'agent', 'anonymous'] as const) {
      const at = await startScene({
        server: { stateless: true, open: 'everything' },
        fetch: { discovery, agentCredential },
      });
      const send = (): Promise<Response> => at.fetch(`${at.server.url}${path}`, init);
      expect(await failure(send())).toMatchObject({ code: 'delegation_missing' });
      expect(at.server.requests).toEqual([]);
      await runAs(at.alice, send);
      expect(at.server.requests.map(({ sub }) => sub)).toEqual(['alice']);
    }
  });

  test('in the session of a client that the agent has connected, is made as the user there too', async () => {
    const at = await startScene({ fetch: { discovery: 'agent', agentCredential } });
    const client = await connectBare(at.server.url, at.fetch);
    at.server.requests.length = 0;
    for (const [, path, init] of ODD) {
      if (init.method === 'DELETE') continue;
      const headers = { ...Object.fromEntries(new Headers(init.headers)), 'mcp-session-id': client.id ?? '' };
      const send = (): Promise<Response> => at.fetch(`${at.server.url}${path}`, { ...init, headers });
      expect(await failure(send())).toMatchObject({ code: 'delegation_missing' });
    }
    expect(at.server.requests).toEqual([]);
  });
});

const asks = (scope: string): string => `Bearer error="insufficient_scope", scope="${scope}"`;
const call = (at: Scene, who: Delegation): Promise<Response> =>
  runAs(who, () => bareClient(at.server.url, at.fetch).send('tools/call', { params: { name: 'whoami' } }));

describe('a 403 whose scopes spell out the token', () => {
  test.each([
    ['cut at its dots', (token: string) => token.split('.')],
    ['one part of it', (token: string) => [token.split('.')[2] ?? '']],
    ['one part beside a scope', (token: string) => ['read', token.split('.')[1] ?? '']],
    ['pieces of one part', (token: string) => token.split('.')[1]?.match(/.{1,16}/g) ?? []],
    ['short pieces of all', (token: string) => token.match(/.{1,8}/g) ?? []],
  ])('as %s is told without them', async (_what, spell) => {
    const at = await startScene({ server: { stateless: true } });
    at.server.answer = ({ token = '' }, response) =>
      end(response, 403, { 'www-authenticate': asks(spell(token).join(' ')) });
    const error = await failure(call(at, at.alice));
    expect(error).toMatchObject({ code: 'insufficient_scope', status: 403 });
    expect(error.message).toContain('wants another scope');
    expectNoLeak(error, [at.server.requests[0]?.token ?? '']);
  });
});

describe('a server that asks for ever other scopes', () => {
  const NAMES = Array.from({ length: 12 }, (_, index) => `scope-${index}`);
  const setOf = (bits: number): string => NAMES.filter((_, index) => (bits >> index) % 2 === 1).join(' ');

  async function scene(): Promise<Scene & { ask(who: Delegation, scope: string): Promise<string | null> }> {
    const at = await startScene({
      server: { stateless: true },
      fetch: { target: { audience: 'calendar', scope: 'read' }, stepUpScopes: NAMES },
    });
    const ask = async (who: Delegation, scope: string): Promise<string | null> => {
      at.server.refuse('tools/call', 403, { challenge: asks(scope) });
      expect((await call(at, who)).status).toBe(200);
      const claims = at.server.requests.at(-1)?.token?.split('.')[1] ?? '';
      return JSON.parse(Buffer.from(claims, 'base64url').toString()).scope;
    };
    return { ...at, ask };
  }

  test('gets no more tokens than a few: beyond them one with all that it may ask for', async () => {
    const at = await scene();
    for (let bits = 1; bits <= 60; bits++) await at.ask(at.alice, setOf(bits));
    // The target's own, 16 sets, and all.
    expect(at.sts.exchanges).toBe(18);
    expect(await at.ask(at.alice, setOf(100))).toBe(`read ${NAMES.toSorted().join(' ')}`);
  });

  test('has the sets that are known kept as they are, for every user', async () => {
    const at = await scene();
    for (let bits = 1; bits <= 30; bits++) await at.ask(at.alice, setOf(bits));
    expect(await at.ask(at.alice, setOf(3))).toBe('read scope-0 scope-1');
    expect(await at.ask(at.bob, setOf(2))).toBe('read scope-1');
  });

  test('gets one token for a set, however often it names a scope, in whatever order', async () => {
    const at = await scene();
    for (let times = 1; times <= 20; times++) {
      const scope = `${'scope-1 '.repeat(times)}scope-0 read`;
      expect(await at.ask(at.alice, scope)).toBe('read scope-0 scope-1');
    }
    expect(at.sts.exchanges).toBe(2);
    // Nor do they count as so many sets.
    expect(await at.ask(at.alice, 'scope-2')).toBe('read scope-2');
  });
});

test.each([
  ['value', { 'x-api-key': 'SECRET-of-the-file\nsecond' }],
  ['value with a character beyond Latin-1', { 'x-api-key': 'SECRET-of-the-file\u2713' }],
  ['name', { 'SECRET of the file': 'x' }],
])('a static header field with a bad %s is refused without being printed', async (_what, headers) => {
  const make = (): unknown => defineMcpServer({ url: 'http://127.0.0.1/mcp', target: 'calendar', headers });
  expect(make).toThrow(TypeError);
  expect(make).toThrow('"headers" of an MCP server');
  try {
    make();
  } catch (error) {
    expectNoLeak(error, ['SECRET']);
  }
});
