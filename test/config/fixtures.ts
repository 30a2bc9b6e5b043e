import { readRuntimeConfig } from '../../src/config/read-config.ts';
import type { RuntimeConfig } from '../../src/config/runtime-config.ts';

type Json = Readonly<Record<string, unknown>>;

/** A config with no more than it needs. */
export const LEAST: Json = { model: { type: 'openai', model: 'example-model' } };

/** A token service with no more than it needs. */
export const SERVICE: Json = { issuer: 'https://sts.example.com', client_id: 'agents' };

/** Reads a config that is right. */
export function right(value: Json): RuntimeConfig {
  const { config, problems } = readRuntimeConfig({ ...LEAST, ...value });
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}

/** What is wrong with a config, each `path: message`. */
export function wrong(value: Json): readonly string[] {
  const { problems = [] } = readRuntimeConfig({ ...LEAST, ...value });
  return problems.map(({ path, message }) => `${path}: ${message}`);
}

/** Reads one server that is right. */
export function serverOf(value: Json): RuntimeConfig['http_tools'][number] | undefined {
  const server = { params: { url: 'https://mail.example.com/mcp' }, ...value };
  return right({ http_tools: [server], token_exchange: { token_services: { sts: SERVICE } } }).http_tools[0];
}

/** A config of kagent v0.10 with every field that it has (facts/kagent.md), and those of ours. */
export const KAGENT: Json = {
  model: {
    type: 'openai',
    model: 'example-model',
    base_url: '',
    temperature: 0.5,
    max_tokens: 100,
    frequency_penalty: 0.1,
    headers: { 'x-a': '1' },
    tls_insecure_skip_verify: false,
    tls_ca_cert_path: '/ca/ca.crt',
    tls_disable_system_cas: true,
    api_key_passthrough: true,
  },
  description: 'Helps.',
  instruction: 'Be kind.',
  http_tools: [
    {
      params: {
        url: 'http://mail.demo:8080/mcp',
        headers: { 'x-a': '1' },
        timeout: 30.5,
        sse_read_timeout: 300,
        terminate_on_close: true,
        tls_insecure_skip_verify: false,
        tls_ca_cert_path: '/ca/ca.crt',
        tls_disable_system_cas: false,
      },
      tools: ['list'],
      allowed_headers: ['x-tenant'],
      require_approval: ['list'],
    },
    { params: { url: 'http://chat.demo/mcp', headers: null, timeout: null }, tools: null },
  ],
  sse_tools: [
    {
      params: { url: 'https://old.demo/sse', sse_read_timeout: 1 },
      tools: [],
      allowed_headers: null,
      require_approval: null,
    },
  ],
  remote_agents: [
    {
      name: 'demo__NS__clerk',
      url: 'http://clerk.demo:8080',
      headers: { 'x-a': '1' },
      description: 'Knows files.',
      isolate_sessions: true,
      timeout: 5,
    },
  ],
  stream: true,
  memory: { ttl_days: 3 },
  network: { allowed_domains: ['example.com'] },
  context_config: { compaction: {} },
  share_tools: true,
  session_db_url: 'sqlite:///data',
  execute_code: false,
};
