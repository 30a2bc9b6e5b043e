import { expect, it } from 'vitest';
import { defineMcpServer, type McpServerOptions } from '../../src/mcp/server.ts';
import { failureOf } from '../support/failure.ts';

const idOf = (options: Partial<McpServerOptions> = {}): string =>
  defineMcpServer({ url: 'https://mcp.example.com/mcp', target: 'calendar', ...options }).id;

it('is the same server for the same URL, target and header fields', () => {
  expect(idOf({ headers: { 'X-Tenant': 'one' } })).toBe(idOf({ headers: [['x-tenant', 'one']] }));
});

it('is another server for another URL, target or header field', () => {
  const others = [
    { url: 'https://mcp.example.com/other' },
    { target: 'mail' },
    { target: { audience: 'calendar', scope: 'read' } },
    { headers: { 'X-Tenant': 'one' } },
    { headers: { 'X-Tenant': 'two' } },
    { stepUpScopes: 'write' },
    { target: 'discover' },
  ];
  expect(new Set([idOf(), ...others.map(idOf)]).size).toBe(others.length + 1);
});

it('is another server for each description with a fetch of its own, so that no session is shared', () => {
  const send = async (): Promise<Response> => new Response();
  expect(idOf({ fetch: send })).not.toBe(idOf({ fetch: send }));
});

it('keeps to its URL whatever is done to the one it shows', async () => {
  const server = defineMcpServer({ url: 'https://mcp.example.com/one/mcp', target: 'calendar' });
  const { id, url } = server;
  url.pathname = '/';
  server.url.host = 'elsewhere.example.net';
  expect(server.url.href).toBe('https://mcp.example.com/one/mcp');
  expect({ ...server }.url.href).toBe('https://mcp.example.com/one/mcp');
  for (const other of ['https://mcp.example.com/two/mcp', 'https://elsewhere.example.net/one/mcp']) {
    expect((await failureOf(() => server.assertPinned(other))).code).toBe('url_not_pinned');
    expect((await failureOf(server.fetch(other, {}))).code).toBe('url_not_pinned');
  }
  expect(server.id).toBe(id);
});

it('keeps to the URL that it was given, though that object changes later', async () => {
  const url = new URL('https://mcp.example.com/one/mcp');
  const server = defineMcpServer({ url, target: 'calendar' });
  url.pathname = '/';
  expect((await failureOf(() => server.assertPinned('https://mcp.example.com/two'))).code).toBe(
    'url_not_pinned',
  );
});

it('lets nobody change the header fields that it gives away', () => {
  const server = defineMcpServer({ url: 'https://a.example/', target: 'calendar', headers: { 'x-a': '1' } });
  const given = server.headers() as [string, string][];
  expect(() => given.push(['x-b', '2'])).toThrow(TypeError);
  expect(() => Object.assign(given[0] as object, { 1: '2' })).toThrow(TypeError);
  expect(server.headers()).toEqual([['x-a', '1']]);
});

it('takes step-up scopes as text or as a list, and has none by default', () => {
  const server = (stepUpScopes?: string | readonly string[]): readonly string[] =>
    defineMcpServer({ url: 'https://a.example/', target: 'calendar', stepUpScopes }).stepUpScopes;
  expect(server('write delete')).toEqual(server(['write', 'delete']));
  expect([...server('write delete')].toSorted()).toEqual(['delete', 'write']);
  expect([server(), server(''), server([])]).toEqual([[], [], []]);
});

it.each([
  ['step-up scopes that are none', { stepUpScopes: 7 }],
  ['a target that is none', { target: 7 }],
  ['no target', { target: undefined }],
  ['an option that does not exist', { scopes: 'a' }],
])('%s are a mistake', (_what, options) => {
  expect(() => idOf(options as unknown as Partial<McpServerOptions>)).toThrow(TypeError);
});

it('has its target at once where that is not to be discovered, and gives the same one', async () => {
  const server = defineMcpServer({ url: 'https://a.example/', target: 'calendar' });
  expect(server.target?.audiences).toEqual(['calendar']);
  expect(await server.resolveTarget()).toBe(server.target);
});
