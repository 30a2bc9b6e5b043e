// What the tests of src/agent stand on: a folder with a config, a real STS, MCP servers that verify and write down what they get, and
// the agent server over real HTTP.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setLogger } from '@google/adk';
import { onTestFinished } from 'vitest';
import type { Caller } from '../../examples/demo/bearer.ts';
import { type RunningMcpServer, startMcpServer } from '../../examples/demo/mcp-server.ts';
import { startAgentServer } from '../../src/agent/agent-server.ts';
import type { AgentServer, AgentServerOptions } from '../../src/agent/types.ts';
import {
  createDevelopmentSts,
  type DevelopmentSts,
  type DevelopmentStsOptions,
} from '../../src/sts/index.ts';
import { type RawMcp, result, startRawMcp } from '../support/raw-mcp.ts';

/** Client id of the agent at the STS, and audience of its callers' tokens. */
export const AGENT = 'agent';
const SECRET = 'a-secret-for-tests-only';

export interface Stage {
  readonly sts: DevelopmentSts;
  /** Every token that the STS gave out, for searches where none may be. */
  readonly tokens: readonly string[];
  /** What ADK logged. */
  readonly log: readonly string[];
  mcp(name: string, options?: McpOptions): Promise<RunningMcpServer>;
  token(sub: string, audience?: string): Promise<string>;
}

export interface McpOptions {
  readonly audience?: string;
  readonly issuer?: DevelopmentSts;
  readonly requireTokenForDiscovery?: boolean;
  /** Default: a free one. */
  readonly port?: number;
  readonly onCall?: (caller: Caller) => void | Promise<void>;
}

/** An STS that lets the agent have these audiences, and ways to start what else is needed; all is closed after the test. */
export async function setStage(options: Partial<DevelopmentStsOptions> = {}): Promise<Stage> {
  const tokens: string[] = [];
  const log = collectLog();
  const sts = await startSts(tokens, options);
  return {
    sts,
    tokens,
    log,
    mcp: (name, more) => startServer(more?.issuer ?? sts, name, more),
    async token(sub, audience = AGENT) {
      const token = await sts.mintSubjectToken({ sub, audience, expiresIn: 300 });
      tokens.push(token);
      return token;
    },
  };
}

export async function startSts(
  tokens: string[] = [],
  options: Partial<DevelopmentStsOptions> = {},
): Promise<DevelopmentSts> {
  const sts = await createDevelopmentSts({
    clients: [
      {
        clientId: AGENT,
        authentication: 'client_secret_basic',
        clientSecret: SECRET,
        audiences: ['calendar', 'mail', 'files'],
      },
    ],
    users: [{ sub: 'alice' }, { sub: 'bob' }],
    onToken: (token) => tokens.push(token),
    ...options,
  });
  onTestFinished(() => sts.close());
  return sts;
}

async function startServer(
  { issuer, jwksUri }: DevelopmentSts,
  name: string,
  { audience = name, requireTokenForDiscovery = false, port = 0, onCall }: McpOptions = {},
): Promise<RunningMcpServer> {
  const server = await startMcpServer({
    ...{ name, audience, issuer, jwksUri, requireTokenForDiscovery, port },
    tools: [
      {
        name: `${name}_tool`,
        description: `The tool of ${name}.`,
        inputSchema: { type: 'object', properties: {} },
        run: async (_args, caller) => {
          await onCall?.(caller);
          return `${name} of ${caller.sub}`;
        },
      },
    ],
  });
  onTestFinished(() => server.close());
  return server;
}

/** A token service of a config. */
export const tokenService = ({ issuer }: DevelopmentSts): Record<string, unknown> => ({
  issuer,
  client_id: AGENT,
  client_authentication: { method: 'client_secret_basic', client_secret: SECRET },
  actor: { source: 'client_credentials' },
});

/** A config whose model calls the tool of each server, one after the other. */
export function configOf(
  { sts }: Pick<Stage, 'sts'>,
  servers: readonly RunningMcpServer[],
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const calls = servers.map(({ name }) => ({ calls: [{ name: `${name}_tool`, args: {} }] }));
  return {
    name: 'team/assistant',
    model: { type: 'scripted', model: 'script', turns: [...calls, { text: 'All done.' }] },
    http_tools: servers.map(({ name, audience, url }) => ({ name, params: { url }, sts_audience: audience })),
    token_exchange: { token_services: { sts: tokenService(sts) } },
    authentication: { mode: 'jwt', audience: AGENT, issuers: [{ issuer: sts.issuer }] },
    ...more,
  };
}

/** A folder with these files, removed after the test. */
export function folderOf(config: unknown, card: unknown = { name: 'assistant' }): string {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-agent-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  writeFileSync(join(folder, 'config.json'), text(config));
  writeFileSync(join(folder, 'agent-card.json'), text(card));
  return folder;
}

/** Serves an agent until the end of the test. */
export async function serve(
  config: unknown,
  options: Partial<AgentServerOptions> & { readonly card?: unknown } = {},
): Promise<AgentServer> {
  const { card, ...more } = options;
  const server = await startAgentServer({ folder: folderOf(config, card), port: 0, graceMs: 2_000, ...more });
  onTestFinished(() => server.close());
  return server;
}

/** An answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is looked at
  readonly body: any;
}

/** Parameters of `message/send`. */
export const message = (text: string, more: object = {}, configuration?: object): object => ({
  message: {
    ...{ kind: 'message', role: 'user', messageId: crypto.randomUUID(), parts: [{ kind: 'text', text }] },
    ...more,
  },
  ...(configuration && { configuration }),
});

/** Makes a JSON-RPC request, with a token or without. */
export async function rpc(
  { url }: AgentServer,
  token: string | undefined,
  method: string,
  params: object,
): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const text = await response.text();
  const body: unknown = text.startsWith('{') ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, text, body };
}

/** Sends a message. */
export const send = (server: AgentServer, token: string | undefined, more: object = {}): Promise<Answer> =>
  rpc(server, token, 'message/send', message('Go.', more));

/** The tool calls that a server got: who, for which audience, by whom, and what it answered. */
export const callsAt = ({ requests }: RunningMcpServer): string[] =>
  requests
    .filter(({ method }) => method === 'tools/call')
    .map(({ sub, aud, act, status }) => `${sub} for ${aud?.join()} by ${act}: ${status}`);

/** Takes ADK's log, which would go to stdout. */
function collectLog(): string[] {
  const lines: string[] = [];
  const write = (...args: unknown[]): void => {
    lines.push(args.map((arg) => (arg instanceof Error ? String(arg.stack) : JSON.stringify(arg))).join(' '));
  };
  setLogger({
    log: (_level, ...args) => write(...args),
    ...{ debug: write, info: write, warn: write, error: write },
    setLogLevel: () => {},
  });
  onTestFinished(() => setLogger(null));
  return lines;
}

/** A model of a config that plays these turns: tools to call at once, by name, and at the end a text. */
export const playing = (...turns: readonly (readonly string[])[]): Record<string, unknown> => ({
  ...{ type: 'scripted', model: 'script' },
  turns: [
    ...turns.map((names) => ({ calls: names.map((name) => ({ name, args: {} })) })),
    { text: 'All done.' },
  ],
});

/** What the STS was asked to exchange, in order: what for, for whom, by whom, and its answer. */
export const exchangesAt = ({ exchanges }: DevelopmentSts): string[] =>
  exchanges.map(({ audience, sub, act, outcome }) => `${audience.join()} for ${sub} by ${act}: ${outcome}`);

/** An MCP server that looks at no token and keeps each, with these tools. */
export function startKeeper(...tools: readonly string[]): Promise<RawMcp> {
  const listed = tools.map((name) => ({ name, inputSchema: { type: 'object' } }));
  return startRawMcp({
    answers: { 'tools/list': (response, id) => result(response, id, { tools: listed }) },
  });
}

/** The token of each tool call that it got; `undefined`: it had none. */
export const tokensAt = (keeper: RawMcp): (string | undefined)[] =>
  keeper.of('tools/call').map(({ authorization }) => authorization?.replace(/^Bearer /, ''));
