// The config of kagent v0.10, field by field: each parses, and each that is not done is refused or warned of by its name.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadAgentFolder } from '../../src/agent/load-config.ts';
import { right } from './fixtures.ts';

type Json = Readonly<Record<string, unknown>>;

const MODEL = { type: 'openai', model: 'example-model' };
/** What kagent writes for an agent with one server, and `authentication`, which is ours. */
const LEAST: Json = {
  ...{ model: MODEL, description: 'Helps.', instruction: 'Be kind.' },
  ...{ http_tools: null, sse_tools: null, remote_agents: null, stream: false },
  authentication: { mode: 'anonymous' },
};
const PARAMS = { url: 'https://mail.demo/mcp', headers: {} };
const model = (more: Json): Json => ({ model: { ...MODEL, ...more } });
const params = (more: Json): Json => ({
  http_tools: [{ params: { ...PARAMS, ...more }, tools: [] }],
  sse_tools: [{ params: { ...PARAMS, ...more }, tools: [] }],
});
const tools = (more: Json): Json => ({
  http_tools: [{ params: PARAMS, tools: ['list'], ...more }],
  sse_tools: [{ params: PARAMS, tools: ['list'], ...more }],
});

/** What the agent server says of a config: the paths that it warns of, or those that it refuses. */
async function told(config: Json): Promise<{ readonly warned: string[] } | { readonly refused: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-kagent-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...LEAST, ...config }));
  writeFileSync(join(folder, 'agent-card.json'), '{"name":"helper"}');
  const pathOf = (line: string): string => /^(?:.*config\.json: )?\s*([^\s:]+): /.exec(line)?.[1] ?? line;
  try {
    return { warned: (await loadAgentFolder(folder)).warnings.map(pathOf) };
  } catch (error) {
    const [, ...lines] = (error as Error).message.split('\n');
    return { refused: lines.map(pathOf) };
  }
}

test.each<[string, Json]>([
  ['description, instruction and stream', { description: 'a', instruction: 'b', stream: true }],
  ['lists that are null', {}],
  ['headers', params({ headers: { 'x-api-key': 'example' } })],
  ['timeout', params({ timeout: 30 })],
  ['sse_read_timeout', params({ sse_read_timeout: 300 })],
  ['terminate_on_close', params({ terminate_on_close: true })],
  ['terminate_on_close that is off', params({ terminate_on_close: false })],
  ['verification that is not turned off', params({ tls_insecure_skip_verify: false })],
  ['tls_ca_cert_path', params({ tls_ca_cert_path: '/ca/ca.crt', tls_disable_system_cas: true })],
  ['all tools', tools({ tools: null })],
  ['allowed_headers', tools({ allowed_headers: ['x-tenant'] })],
  ['require_approval', tools({ require_approval: ['list'] })],
  ['base_url', model({ base_url: 'https://models.example.com/v1' })],
  ['temperature and max_tokens', model({ temperature: 0.5, max_tokens: 100 })],
  ['headers of the model', model({ headers: { 'x-a': '1' } })],
  ['a CA of the model', model({ tls_ca_cert_path: '/ca/ca.crt', tls_disable_system_cas: true })],
  ['a key that is not the token of the user', model({ api_key_passthrough: false })],
  ['azure_openai', { model: { type: 'azure_openai', model: 'm' } }],
  ['anthropic', { model: { type: 'anthropic', model: 'm' } }],
  ['gemini', { model: { type: 'gemini', model: 'm' } }],
  ['gemini_vertex_ai', { model: { type: 'gemini_vertex_ai', model: 'm' } }],
  ['ollama', { model: { type: 'ollama', model: 'm' } }],
  ['bedrock', { model: { type: 'bedrock', model: 'm', region: 'eu-central-1' } }],
  ['a network without limits', { network: { allowed_domains: null } }],
  ['memory', { memory: { ttl_days: 15 } }],
  ['what is off', { execute_code: false, share_tools: false, memory: null, session_db_url: '' }],
])('%s: is read, and nothing has to be said of it', async (_, config) => {
  expect(await told(config)).toEqual({ warned: [] });
});

test.each<[string, Json, string]>([
  [
    'the model of a memory',
    { memory: { ttl_days: 15, embedding: { provider: 'openai', model: 'm' } } },
    'memory.embedding',
  ],
  ['a field of a memory that we do not know', { memory: { n: 2 } }, 'memory.n'],
  ['context_config', { context_config: { compaction: {} } }, 'context_config'],
  ['share_tools', { share_tools: true }, 'share_tools'],
  ['session_db_url', { session_db_url: 'sqlite:///data' }, 'session_db_url'],
  ['execute_code', { execute_code: true }, 'execute_code'],
  ['a field of a model that we do not know', model({ n: 2 }), 'model.n'],
])('%s: is warned of by name', async (_, config, path) => {
  expect(await told(config)).toEqual({ warned: [path] });
});

test.each<[string, Json, string]>([
  ['a model of the image', { model: null }, 'model'],
  ["the user's token as key", model({ api_key_passthrough: true }), 'model.api_key_passthrough'],
  ['limits of the network', { network: { allowed_domains: ['a.example'] } }, 'network.allowed_domains'],
  ['nothing of callers', { authentication: undefined }, 'authentication'],
  [
    'the token of the user, handed on',
    { http_tools: [{ params: PARAMS, allowed_headers: ['Authorization'] }] },
    'http_tools[0].allowed_headers[0]',
  ],
])('%s: is refused by name', async (_, config, path) => {
  expect(await told(config)).toEqual({ refused: [path] });
});

test('a field that a later kagent may have is refused by its path, wherever it is', async () => {
  const config = {
    later: 1,
    http_tools: [{ params: { ...PARAMS, later: 1 }, later: 1 }],
    remote_agents: [{ name: 'clerk', url: 'https://clerk.demo', later: 1 }],
  };
  const { refused } = (await told(config)) as { readonly refused: string[] };
  expect(refused.filter((line) => !line.includes('Unrecognized key')).toSorted()).toEqual([
    'http_tools[0]',
    'http_tools[0].params',
    'remote_agents[0]',
  ]);
  expect(refused.filter((line) => line.includes('Unrecognized key: "later"'))).toHaveLength(1);
});

test('turning verification off is said aloud, of the model too', async () => {
  const { warned } = (await told(model({ tls_insecure_skip_verify: true }))) as { readonly warned: string[] };
  expect(warned).toEqual(['model.tls_insecure_skip_verify']);
});

test('remote agents parse with every field', () => {
  const agent = {
    ...{ name: 'demo__NS__clerk', url: 'http://clerk.demo:8080', headers: { 'x-a': '1' } },
    ...{ description: 'Knows files.', isolate_sessions: true, timeout: 5 },
  };
  expect(right({ remote_agents: [agent] }).remote_agents).toEqual([agent]);
});
