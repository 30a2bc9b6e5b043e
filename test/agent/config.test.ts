import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startAgentServer } from '../../src/agent/agent-server.ts';
import { loadAgentFolder } from '../../src/agent/load-config.ts';
import { folderOf } from './support.ts';

const CONFIG = {
  model: { type: 'scripted', model: 'script', turns: [{ text: 'Hello.' }] },
  authentication: { mode: 'anonymous' },
};
const SECRET = 'not-for-errors';

const loaded = (config: object, card?: unknown) => loadAgentFolder(folderOf({ ...CONFIG, ...config }, card));
const server = (more: object = {}, params: object = {}): object => ({
  params: { url: 'https://mcp.example.com/mcp', headers: { 'x-key': SECRET }, ...params },
  ...more,
});
const service = (more: object): object => ({
  token_exchange: {
    token_services: { sts: { issuer: 'https://sts.example.com', client_id: 'agent', ...more } },
  },
});

test.each<[string, object, string]>([
  ['a model of the image', { model: null }, 'model: is null'],
  [
    "the user's token as key of the model",
    { model: { ...CONFIG.model, api_key_passthrough: true } },
    'model.api_key_passthrough: is refused',
  ],
  [
    'a dialect of a token service with a name that is no word',
    {
      token_exchange: {
        token_services: {
          'my.sts': { issuer: 'https://sts.example.com', client_id: 'agent', dialect: 'x' },
        },
      },
    },
    'token_exchange.token_services["my.sts"].dialect: cannot be made from its name',
  ],
  ['callers about whom nothing is said', { authentication: undefined }, 'authentication: is missing'],
  [
    "the user's token for a server",
    { sse_tools: [server({ allowed_headers: ['x-tenant', 'Authorization'] })] },
    "sse_tools[0].allowed_headers[1]: is never handed on: the user's token is for this agent alone",
  ],
  [
    'a header field of the protocol for a server',
    { http_tools: [server({ allowed_headers: ['Mcp-Session-Id'] })] },
    'http_tools[0].allowed_headers[0]: is never handed on',
  ],
  [
    'what is no header field for a server',
    { http_tools: [server({ allowed_headers: ['*'] })] },
    'http_tools[0].allowed_headers[0]: is no name of a header field',
  ],
  [
    'a client certificate for a token service that nobody verifies',
    service({
      tls_insecure_skip_verify: true,
      client_authentication: {
        method: 'tls_client_auth',
        certificate: 'file:/cert.pem',
        private_key: 'file:/key.pem',
      },
    }),
    'token_exchange.token_services.sts.tls_insecure_skip_verify: cannot be had with a client certificate',
  ],
  [
    'a dialect with options',
    service({ dialect: 'dex' }),
    'token_exchange.token_services.sts.dialect: cannot be made',
  ],
  ['id-jag', service({ profile: 'id-jag' }), 'token_exchange.token_services.sts.profile: id-jag needs'],
  [
    'limits of the network',
    { network: { allowed_domains: ['a.example'] } },
    'network.allowed_domains: is not enforced',
  ],
  ['a field that there is not', { http_tols: [] }, 'config.json is wrong'],
  ['a URL that is none', { http_tools: [server({}, { url: 'mcp' })] }, 'http_tools[0].params.url: '],
])('%s is refused, by its path', async (_what, config, message) => {
  const error = await loaded(config).catch((thrown: unknown) => thrown);

  expect(error).toBeInstanceOf(TypeError);
  expect((error as Error).message).toContain(message);
  expect((error as Error).message).not.toContain(SECRET);
});

test('what is passed over is named, once, and nothing else', async () => {
  const { warnings } = await loaded({
    memory: { type: 'pgvector' },
    execute_code: false,
    share_tools: null,
    model: { ...CONFIG.model, top_p: 0.5 },
    remote_agents: [{ name: 'other', url: 'https://other.example.com' }],
    http_tools: [
      server({ allowed_headers: ['x-tenant'] }, { sse_read_timeout: 5, terminate_on_close: true }),
    ],
  });

  expect(warnings.map((warning) => warning.replace(/^.*config\.json: /, '').replace(/: .*/, ''))).toEqual([
    'memory.type',
    'model.top_p',
  ]);
});

test('a tool that is to be approved and is none of those that the agent has is a mistake', async () => {
  const its = { tools: ['send_mail', 'find_mail'], require_approval: ['find_mail', 'send_mial'] };
  await expect(loaded({ http_tools: [server(its)] })).rejects.toThrow(
    /http_tools\[0\]\.require_approval\[1\]: is none of "tools", so it would guard nothing/,
  );
  await loaded({ http_tools: [server({ require_approval: ['send_mail'] })] });
});

test('where JSON is wrong is told, as far as the parser says it; a byte order mark is none of the text', async () => {
  await expect(loadAgentFolder(folderOf(`\uFEFF{\n  "a": 1,\n  "b": ${SECRET} }`))).rejects.toThrow(
    /config\.json is not valid JSON( at line 3, column 8)?: check it/,
  );
  await expect(loadAgentFolder(folderOf('{\n  "a": 1,\n  }'))).rejects.toThrow(/at line 3, column 3: check/);
  await expect(loadAgentFolder(folderOf('\uFEFF{}'))).rejects.toThrow(/model: /);
});

test('files that are missing or no JSON are named, and nothing of their content', async () => {
  await expect(loadAgentFolder(folderOf(`{ "key": "${SECRET}" `))).rejects.toThrow(
    /config\.json is not valid JSON( at line 1, column \d+)?: check it for missing quotes and commas$/,
  );
  await expect(loadAgentFolder('/no/such/folder')).rejects.toThrow(
    'cannot read /no/such/folder/config.json: there is no such file',
  );
  await expect(loaded({}, [])).rejects.toThrow(/agent-card\.json is wrong:\n {2}must be a JSON object/);
  await expect(loaded({}, { name: 'agent', url: 'https://[' })).rejects.toThrow(
    /url: must be an http\(s\) URL/,
  );
  await expect(loaded({}, { url: 'ftp://a', skills: {} })).rejects.toThrow(
    /name: must be a text that is not empty\n {2}url: must be .*\n {2}skills: must be a list$/,
  );
});

test.each<[string, object, string]>([
  [
    'a variable that is not set',
    service({ client_authentication: { method: 'client_secret_post', client_secret: `\${STS_SECRET}` } }),
    'token_exchange.token_services.sts: the environment has no variable STS_SECRET',
  ],
  [
    'a variable of a header field',
    { http_tools: [server({}, { headers: { 'x-key': `\${KEY}` } })] },
    'http_tools[0].params.headers.x-key: the environment has no variable KEY',
  ],
  [
    'a token in clear text',
    {
      ...service({}),
      authentication: { mode: 'trusted_proxy' },
      http_tools: [server({ sts_audience: 'a' }, { url: 'http://mcp.example.com/mcp' })],
    },
    'http_tools[0]: "url" (http://mcp.example.com) is plain http and not on loopback: a token sent there can be read on the way. Use https, or, if the network is trusted, set dangerously_allow_insecure_http',
  ],
  [
    'keys in clear text',
    {
      authentication: { mode: 'jwt', audience: 'agent', issuers: [{ issuer: 'http://idp.example.com' }] },
    },
    '"issuer" (http://idp.example.com) is plain http',
  ],
])('%s is told at start', async (_what, config, message) => {
  const folder = folderOf({ ...CONFIG, ...config });
  await expect(startAgentServer({ folder, port: 0, environment: {} })).rejects.toThrow(message);
});

test('the example can be read as it is', async () => {
  const { config, card, warnings } = await loadAgentFolder(
    fileURLToPath(new URL('../../examples/agent', import.meta.url)),
  );

  expect([card.name, config.http_tools.map(({ name }) => name), warnings]).toEqual([
    'assistant',
    ['calendar', 'mail'],
    [],
  ]);
});
