import { expect, test } from 'vitest';
import { right, serverOf, wrong } from './fixtures.ts';

const URL = 'https://mail.example.com/mcp';

test('every field of a server is read', () => {
  const server = {
    name: 'demo/mail',
    params: { url: URL, dangerously_allow_insecure_http: true },
    tools: ['send'],
    allowed_headers: ['x-a'],
    require_approval: ['send'],
    discovery: 'delegated',
  };
  expect(serverOf(server)).toEqual(server);
});

test('every field of an agent is read', () => {
  const agent = {
    name: 'clerk',
    url: 'http://clerk.demo.svc:8080',
    description: 'Knows files.',
    headers: { 'x-a': '1' },
    isolate_sessions: true,
    timeout: 5,
    dangerously_allow_insecure_http: true,
  };
  expect(right({ remote_agents: [agent] }).remote_agents).toEqual([agent]);
});

test.each([
  ['params.url', { params: { url: 'ftp://a' } }],
  ['params.url', { params: { url: 'https://a/#b' } }],
  ['params.timeout', { params: { url: URL, timeout: 0 } }],
  ['params.timeout', { params: { url: URL, timeout: 86_401 } }],
  ['params.headers.x-a', { params: { url: URL, headers: { 'x-a': 1 } } }],
  ['params', { params: { url: URL, timout: 1 } }],
  ['discovery', { params: { url: URL }, discovery: 'maybe' }],
  ['tools[0]', { params: { url: URL }, tools: [''] }],
])('a wrong %s is a problem there: %#', (path, server) => {
  expect(wrong({ http_tools: [server] })[0]?.split(': ')[0]).toBe(`http_tools[0].${path}`);
});
