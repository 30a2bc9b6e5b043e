import { expect, test } from 'vitest';
import { KAGENT, LEAST, right, SERVICE, wrong } from './fixtures.ts';

test('a config of kagent v0.10 with every field is read', () => {
  const config = right(KAGENT);
  expect(config).toMatchObject({
    model: {
      type: 'openai',
      temperature: 0.5,
      max_tokens: 100,
      tls_ca_cert_path: '/ca/ca.crt',
      api_key_passthrough: true,
      frequency_penalty: 0.1,
    },
    http_tools: [
      { params: { timeout: 30.5, terminate_on_close: true }, tools: ['list'], require_approval: ['list'] },
      { params: { url: 'http://chat.demo/mcp' } },
    ],
    sse_tools: [{ params: { sse_read_timeout: 1 }, tools: [] }],
    remote_agents: [{ name: 'demo__NS__clerk', isolate_sessions: true, timeout: 5 }],
    memory: { ttl_days: 3 },
    network: { allowed_domains: ['example.com'] },
    session_db_url: 'sqlite:///data',
    execute_code: false,
  });
  expect(config.model?.base_url).toBeUndefined();
});

test('what kagent writes as null is as nothing', () => {
  const nothing = {
    description: null,
    instruction: null,
    stream: null,
    http_tools: null,
    sse_tools: null,
    remote_agents: null,
  };
  expect(right({ ...nothing, session_db_url: null })).toEqual(right({}));
});

test('each field of a tool server may be null or missing', () => {
  const none = Object.fromEntries(
    ['headers', 'timeout', 'sse_read_timeout', 'terminate_on_close', 'tls_ca_cert_path'].map((name) => [
      name,
      null,
    ]),
  );
  const url = 'https://mail.example.com/mcp';
  expect(right({ http_tools: [{ params: { url, ...none } }] })).toEqual(
    right({ http_tools: [{ params: { url } }] }),
  );
});

test('a config without lists has empty ones, and no stream', () => {
  expect(right({})).toEqual({
    ...LEAST,
    description: '',
    instruction: '',
    http_tools: [],
    sse_tools: [],
    remote_agents: [],
    stream: false,
  });
});

test('an image that brings its own model has null', () => {
  expect(right({ model: null }).model).toBeNull();
});

test('reading what was read changes nothing', () => {
  const config = right({ ...KAGENT, name: 'demo/assistant' });
  expect(right(JSON.parse(JSON.stringify(config)))).toEqual(config);
});

test.each([
  ['a field that nobody knows', { nome: 'x' }, [': Unrecognized key: "nome"']],
  ['no model', { model: undefined }, ['model: ']],
  ['a model of no known type', { model: { type: 'x', model: 'y' } }, ['model.type: ']],
  ['a server without params', { http_tools: [{}] }, ['http_tools[0].params: ']],
  [
    'a server with a wrong URL, and another with a wrong list',
    { http_tools: [{ params: { url: 'mail' } }], sse_tools: [{ params: { url: 'https://a' }, tools: [7] }] },
    ['http_tools[0].params.url: ', 'sse_tools[0].tools[0]: '],
  ],
  ['an agent without a name', { remote_agents: [{ url: 'https://a' }] }, ['remote_agents[0].name: ']],
  [
    'jwt without audience',
    { authentication: { mode: 'jwt' } },
    ['authentication: the mode jwt needs audience and issuers'],
  ],
])('%s is a problem at its path', (_, value, expected) => {
  const problems = wrong(value);
  expect(problems).toHaveLength(expected.length);
  for (const [index, start] of expected.entries())
    expect(problems[index]?.startsWith(start), problems[index]).toBe(true);
});

test('two servers, or a server and an agent, cannot have one name', () => {
  const server = { name: 'a', params: { url: 'https://a.example.com' } };
  expect(
    wrong({ http_tools: [server], sse_tools: [server], remote_agents: [{ name: 'a', url: 'https://a' }] }),
  ).toEqual([
    'sse_tools[0].name: is the name of another server too',
    'remote_agents[0].name: is the name of another server too',
  ]);
});

test('a server that needs a token needs a token service', () => {
  const server = { params: { url: 'https://a.example.com' }, sts_audience: 'a' };
  const services = (more: object): object => ({ token_services: { one: SERVICE, two: SERVICE }, ...more });
  expect(wrong({ http_tools: [server] })).toEqual([
    'http_tools[0]: needs token_exchange.token_services with one entry, or a default_token_service',
  ]);
  expect(wrong({ http_tools: [server], token_exchange: services({}) })).toHaveLength(1);
  expect(wrong({ http_tools: [server], token_exchange: services({ default_token_service: 'two' }) })).toEqual(
    [],
  );
  expect(wrong({ http_tools: [server], token_exchange: { token_services: { one: SERVICE } } })).toEqual([]);
});

test('a server may name its token service, which must be there', () => {
  const server = (token_service: string): object => ({
    params: { url: 'https://a.example.com' },
    token_exchange: { token_service, audiences: ['a'] },
  });
  const token_exchange = { token_services: { one: SERVICE, two: SERVICE } };
  expect(wrong({ sse_tools: [server('two')], token_exchange })).toEqual([]);
  for (const name of ['three', 'constructor']) {
    expect(wrong({ sse_tools: [server(name)], token_exchange })).toEqual([
      'sse_tools[0].token_exchange.token_service: names no entry of token_exchange.token_services',
    ]);
  }
});

test.each([
  {
    mode: 'jwt',
    audience: 'a',
    issuers: [{ issuer: 'https://idp.example.com', jwks_url: 'https://idp.example.com/k' }],
  },
  { mode: 'trusted_proxy' },
  { mode: 'anonymous' },
])('the authentication %j is read', (authentication) => {
  expect(right({ authentication }).authentication).toEqual(authentication);
});
