// docs/agent.md: its commands are run, its configs are read, and what it says is not there is what the agent server says.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setLogger } from '@google/adk';
import { expect, it, onTestFinished, test } from 'vitest';
import { startMcpServer } from '../examples/demo/mcp-server.ts';
import { createAgentMetrics } from '../src/agent/agent-metrics.ts';
import { startAgentServer } from '../src/agent/agent-server.ts';
import { loadAgentFolder } from '../src/agent/load-config.ts';
import { DIALECT_NAMES } from '../src/agent/token-services.ts';
import { MOST_TOOLS } from '../src/agent/unique-toolset.ts';
import { whatIsLeftOut, whatIsRefused } from '../src/agent/unsupported.ts';
import { run } from '../src/cli/run.ts';
import { configFields, configJsonSchema, type JsonSchema } from '../src/config/json-schema.ts';
import { type ConfigProblem, readRuntimeConfig } from '../src/config/read-config.ts';
import type { RuntimeConfig } from '../src/config/runtime-config.ts';
import { createDevelopmentSts } from '../src/sts/index.ts';
import { anchorOf } from './support/anchor.ts';
import { readText } from './support/regions.ts';

const PATH = 'docs/agent.md';
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const page = readText(PATH);

/** What stands under a comment of this name. */
function blocksOf(comment: string): readonly string[] {
  const blocks = page.matchAll(new RegExp(`<!-- ${comment} -->\n\`\`\`\\w+\n(.*?)\`\`\``, 'gs'));
  return [...blocks].map(([, block = '']) => block);
}

/** The first column of the table under a comment, as names. */
function namesIn(comment: string): readonly string[] {
  const [, after = ''] = page.split(`<!-- ${comment} -->\n`);
  const [table = ''] = after.split('\n\n');
  return table
    .split('\n')
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}

/** The example as it is, with the STS and the MCP servers where they are now. */
async function startExample(): Promise<{ agent: string; sts: string; calls: readonly string[] }> {
  const sts = await createDevelopmentSts({
    clients: [
      {
        ...{ clientId: 'assistant', authentication: 'client_secret_basic', audiences: ['calendar', 'mail'] },
        clientSecret: 'assistant-development-secret',
      },
    ],
    users: [{ sub: 'alice' }],
  });
  onTestFinished(() => sts.close());
  const { issuer, jwksUri } = sts;
  const calls: string[] = [];
  let config = readText('examples/agent/config.json').replaceAll('http://127.0.0.1:9400', issuer);
  for (const [name, tool, url] of [
    ['calendar', 'list_events', 'http://127.0.0.1:9401/mcp'],
    ['mail', 'search_mail', 'http://127.0.0.1:9402/mcp'],
  ] as const) {
    const server = await startMcpServer({
      ...{ name, issuer, jwksUri, audience: name },
      tools: [
        {
          ...{ name: tool, description: 'Of the example.', inputSchema: { type: 'object', properties: {} } },
          run(_args, { sub, act, aud }) {
            calls.push(`${name}: ${tool} for ${sub}, by ${act}, with a token for ${aud.join(', ')}`);
            return 'Nothing.';
          },
        },
      ],
    });
    onTestFinished(() => server.close());
    config = config.replace(url, server.url);
  }
  const folder = folderOf(config, readText('examples/agent/agent-card.json'));
  const agent = await startAgentServer({ folder, port: 0 });
  onTestFinished(() => agent.close());
  return { agent: agent.url, sts: issuer, calls };
}

function folderOf(config: string, card: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-docs-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'config.json'), config);
  writeFileSync(join(folder, 'agent-card.json'), card);
  return folder;
}

const hasCurl = await promisify(execFile)('curl', ['--version']).then(
  () => true,
  () => false,
);

it.skipIf(!hasCurl)(
  'its curl lines do what it says, one after the other',
  async () => {
    const quiet = (): void => {};
    setLogger({ log: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, setLogLevel: quiet });
    onTestFinished(() => setLogger(null));
    const { agent, sts, calls } = await startExample();
    const blocks = blocksOf('run');
    expect(blocks).toHaveLength(2);
    const script = blocks
      .join('\n')
      .replaceAll('http://127.0.0.1:8080', agent)
      .replaceAll('http://127.0.0.1:9400', sts);
    const { stdout, stderr } = await promisify(execFile)('sh', ['-euc', script], { timeout: 30_000 });

    expect(stderr).toBe('');
    const [first = '', documents = '', ...rest] = stdout.split('\n').filter((line) => line.trim() !== '');
    expect(JSON.parse(first).result).toMatchObject({ contextId: 'monday', status: { state: 'completed' } });
    const [shown = ''] = /```text\n(.*?)```/s.exec(page)?.slice(1) ?? [];
    expect(calls.slice(0, 2)).toEqual(shown.trim().split('\n'));
    expect(documents).toMatch(/^\{"version":.*"name":"assistant".*\}\{"status":"ready"\}data: /);
    const events = [
      documents.replace(/^.*?data: /, 'data: '),
      ...rest.filter((line) => line.startsWith('data: ')),
    ];
    expect(events.map((line) => JSON.parse(line.slice(6)).result.kind)).toContain('status-update');
    const answers = rest.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    expect(answers).toMatchObject([
      { id: 4, result: { kind: 'task' } },
      { id: 5, [answers[1]?.error ? 'error' : 'result']: expect.anything() },
    ]);
  },
  60_000,
);

test('its config and its card are read as they stand there, and nothing is passed over', async () => {
  const [config = ''] = blocksOf('config');
  const [card = ''] = blocksOf('card');
  const folder = await loadAgentFolder(folderOf(config, card));
  expect(folder.config.http_tools.map(({ name }) => name)).toEqual(['calendar', 'mail', 'weather']);
  expect(folder.warnings).toEqual([]);
});

test('a part of a config that it shows can be put into that config', async () => {
  const [config = ''] = blocksOf('config');
  const parts = blocksOf('part');
  expect(parts.length).toBeGreaterThan(0);
  for (const part of parts) {
    const whole = { ...JSON.parse(config), ...JSON.parse(part) };
    const { warnings } = await loadAgentFolder(folderOf(JSON.stringify(whole), '{"name":"assistant"}'));
    expect(warnings).toEqual([]);
  }
});

/** Lines of shell, with what goes on in the next one. */
const COMMANDS = [...page.matchAll(/(?<!<!-- run -->\n)```sh\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
);

it.each(COMMANDS)('names nothing in "%s" that is not there', async (command) => {
  const { scripts } = JSON.parse(readText('package.json'));
  for (const [, script = ''] of command.matchAll(/npm run (\w+)/g)) expect(scripts).toHaveProperty(script);
  for (const [, entry = ''] of command.matchAll(/node build\/(\S+)\.js/g)) {
    expect(existsSync(join(ROOT, `${entry}.ts`))).toBe(true);
  }
  const [, name, options = ''] = /(?:node dist\/cli\/main\.js|npx onbehalf) (\w+)(.*)/.exec(command) ?? [];
  const [, arguments_ = ''] = /agent:0\.0\.0 (--.*)/.exec(command) ?? [];
  if (name !== undefined || arguments_ !== '') {
    const help = await helpOf(name ?? 'agent');
    for (const [option] of `${options} ${arguments_}`.matchAll(/--[a-z-]+/g)) expect(help).toContain(option);
  }
  const [, target] = / --target (\S+)/.exec(command) ?? [];
  if (target !== undefined) expect(readText('Dockerfile')).toContain(` AS ${target}\n`);
  expect(command).toMatch(/^(npm|npx|node|docker) /);
});

async function helpOf(command: string): Promise<string> {
  let out = '';
  const io = { err: () => {}, interrupted: () => Promise.resolve() };
  await run([command, '--help'], {
    ...io,
    out: (text) => {
      out += text;
    },
  });
  return out;
}

const BASES: readonly Record<string, unknown>[] = ['gemini', 'openai', 'bedrock'].map((type) => ({
  model: { type, model: 'm' },
  authentication: { mode: 'anonymous' },
}));
const SERVICE = { issuer: 'https://sts.example.com', client_id: 'agent' };
const MTLS = { method: 'tls_client_auth', certificate: 'c', private_key: 'k' };
/** What no example of a field asks for. */
const ODD: readonly Record<string, unknown>[] = [
  { ...BASES[0], model: null },
  { ...BASES[0], authentication: undefined },
  { ...BASES[1], model: { ...(BASES[1]?.model as object), api_key_passthrough: true } },
  { ...BASES[0], http_tools: [{ params: { url: 'https://a' }, allowed_headers: ['authorization'] }] },
  { ...BASES[0], http_tools: [{ params: { url: 'https://a' }, tools: ['send'], require_approval: ['snd'] }] },
  { ...BASES[0], token_exchange: { token_services: { sts: { ...SERVICE, dialect: 'dex' } } } },
  {
    ...BASES[0],
    token_exchange: {
      token_services: { sts: { ...SERVICE, client_authentication: MTLS, tls_insecure_skip_verify: true } },
    },
  },
];

/** What can be given for a field, as its schema shows it. */
function valuesOf({ enum: values, examples = [], type }: JsonSchema): readonly unknown[] {
  return [...examples, ...(values ?? []), ...([type].flat().includes('boolean') ? [true] : [])];
}

/** A config with one field set, and around it no more than is needed. */
function withField(base: object, path: string, value: unknown): unknown {
  const steps = path.replaceAll('[]', '.[]').split('.');
  const needed: Readonly<Record<string, object>> = {
    'http_tools.[]': { params: { url: 'https://a.example.com' } },
    'sse_tools.[]': { params: { url: 'https://a.example.com' } },
    'remote_agents.[]': { name: 'a', url: 'https://a.example.com' },
    'http_tools.[].token_exchange': { audiences: ['a'] },
    'sse_tools.[].token_exchange': { audiences: ['a'] },
    'remote_agents.[].token_exchange': { audiences: ['a'] },
    'token_exchange.token_services.*': SERVICE,
  };
  const put = (into: unknown, at: number): unknown => {
    const [step] = steps.slice(at);
    if (step === undefined) return value;
    const here = needed[steps.slice(0, at + 1).join('.')];
    const inner = put({ ...Object(Object(into)[step]), ...here }, at + 1);
    if (step === '[]') return [inner];
    return { ...Object(into), [step === '*' ? 'sts' : step]: inner };
  };
  const services = { token_exchange: { token_services: { sts: SERVICE } } };
  return put({ ...services, ...base }, 0);
}

/** The fields of which the agent server says something, when all are tried one by one. */
function toldOf(tell: (config: RuntimeConfig) => readonly ConfigProblem[]): readonly string[] {
  const fields = configFields(configJsonSchema());
  const tried = BASES.flatMap((base) =>
    fields.flatMap(({ path, schema }) => valuesOf(schema).map((value) => withField(base, path, value))),
  );
  const paths = [...tried, ...ODD].flatMap((value) => {
    const { config } = readRuntimeConfig(JSON.parse(JSON.stringify(value)));
    return config === undefined ? [] : tell(config).map(({ path }) => generalised(path));
  });
  return [...new Set(paths)].sort();
}

function generalised(path: string): string {
  return path
    .replaceAll(/\[\d+\]/g, '[]')
    .replace(/^sse_tools/, 'http_tools')
    .replace('token_services.sts', 'token_services.*');
}

it('tells of each field that is refused, and of no other', () => {
  expect(
    namesIn('refused')
      .filter((name) => /[._[]|^model$|^authentication$/.test(name))
      .toSorted(),
  ).toEqual(toldOf(whatIsRefused));
});

it('tells of each field that is passed over, and of no other', () => {
  const told = toldOf(whatIsLeftOut)
    // Of a certificate that is not looked at, it warns; that field is not passed over.
    .filter((path) => path !== 'model.tls_insecure_skip_verify')
    .map((path) => path.replace(/^model\..*/, 'model.*'));
  expect(namesIn('passed over').toSorted()).toEqual([...new Set(told)].sort());
});

it('names the dialects, the models, and the metrics that there are', () => {
  for (const name of DIALECT_NAMES) expect(page).toContain(`\`${name}\``);
  const type = configFields(configJsonSchema()).find(({ path }) => path === 'model.type');
  for (const name of type?.schema.enum ?? []) expect(page).toContain(`\`${name}\``);
  const text = createAgentMetrics(undefined).text({ runs: 0, contexts: 0, tokens: 0, ready: true });
  const metrics = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name);
  expect(
    namesIn('metrics')
      .map((name) => name.replace(/\{.*/, ''))
      .toSorted(),
  ).toEqual(metrics.toSorted());
});

it('tells the limits as the source has them', () => {
  const source = readText('src/agent/serve.ts');
  const of = (name: string): number =>
    Number(new RegExp(`${name} = ([\\d_]+)`).exec(source)?.[1]?.replaceAll('_', ''));
  expect(page).toContain(`| body of a request | ${of('MAX_BODY_BYTES') / 2 ** 20} MiB |`);
  expect(page).toContain(`of one address) | ${of('MAX_REQUESTS_PER_MINUTE')} |`);
  expect(page).toContain(`| runs of one user at the same time | ${of('MAX_RUNS')} |`);
  expect(page).toContain(`| tasks | ${of('MAX_TASKS').toLocaleString('en')} |`);
  expect(page).toContain(`may end for ${of('graceMs') / 1000} seconds`);
  expect(of('RELOAD_INTERVAL_MS')).toBe(5_000);
  expect(page).toContain(`| tools of an MCP server | ${MOST_TOOLS.toLocaleString('en')} of those`);
});

it.each([PATH, 'docs/configuration.md'])('%s links only to what is there', (path) => {
  const text = readText(path);
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
  expect(links.length).toBeGreaterThan(2);
  for (const [link, to = '', heading] of links) {
    const file = to === '' ? path : join(dirname(path), to);
    expect([link, existsSync(join(ROOT, file))]).toEqual([link, true]);
    if (heading === undefined) continue;
    const headings = [...readText(file).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => anchorOf(title));
    expect(headings, link).toContain(heading);
  }
});

it('the page of the config tells of each variable that stands for a field', () => {
  const files = ['kagent-environment', 'models/base-url', 'models/connect', 'models/providers'];
  const source = files.map((file) => readText(`src/agent/${file}.ts`)).join('\n');
  const quoted = source.matchAll(/'((?:OPENAI|AZURE_OPENAI|ANTHROPIC|OLLAMA|AWS)_[A-Z_]+)'/g);
  const given = source.matchAll(/\b((?:KAGENT|STS)_[A-Z_]+)\b/g);
  const names = [...quoted, ...given].map(([, name = '']) => name);
  expect(new Set(names).size).toBeGreaterThan(15);
  for (const name of names) expect(readText('docs/configuration.md')).toContain(`\`${name}\``);
});
