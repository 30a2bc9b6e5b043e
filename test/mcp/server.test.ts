import { expect, it } from 'vitest';
import { defineMcpServer, type McpServerOptions } from '../../src/mcp/server.ts';

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
  ];
  expect(new Set([idOf(), ...others.map(idOf)]).size).toBe(others.length + 1);
});

it('is another server for each description with a fetch of its own, so that no session is shared', () => {
  const send = async (): Promise<Response> => new Response();
  expect(idOf({ fetch: send })).not.toBe(idOf({ fetch: send }));
});
