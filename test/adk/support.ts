// What the tests of src/adk stand on: a stage with a real STS, verifying MCP servers and the real ADK runner, on
// which scripted agents act for users. What happened is read from what the STS and the servers recorded.
import {
  type BasePlugin,
  type BaseTool,
  type BaseToolset,
  type Event,
  InMemoryMemoryService,
  InMemorySessionService,
  LlmAgent,
  type LlmRequest,
  type LlmResponse,
  Runner,
  setLogger,
} from '@google/adk';
import { onTestFinished } from 'vitest';
import { type ScriptedCall, ScriptedModel, type Step } from '../../bench/scripted-model.ts';
import type { Caller } from '../../examples/demo/bearer.ts';
import {
  type RecordedRequest,
  type RunningMcpServer,
  startMcpServer,
} from '../../examples/demo/mcp-server.ts';
import {
  ADKTokenPropagationPlugin,
  type ADKTokenPropagationPluginOptions,
  DelegatedMCPToolset,
  type DelegatedMCPToolsetOptions,
} from '../../src/adk/index.ts';
import type { Broker, BrokerOptions, TokenServiceOptions } from '../../src/index.ts';
import type { DevelopmentSts, DevelopmentStsOptions } from '../../src/sts/index.ts';
import { brokerFor, startSts, subjectToken } from '../mcp/support.ts';

export {
  AGENT,
  createGate,
  exchanged,
  failure,
  type Gate,
  heldExchanges,
  subjectToken,
} from '../mcp/support.ts';

const APP = 'app';

/** One function call in one response of the model. */
export const call = (name: string, args: Record<string, unknown> = {}): readonly ScriptedCall[] => [
  { name, args },
];

/** A model that plays a script and remembers what it was asked. */
export class TestModel extends ScriptedModel {
  readonly asked: LlmRequest[] = [];
  /** Called before each answer. */
  onAsk: ((request: LlmRequest) => void | Promise<void>) | undefined;

  constructor(script: readonly Step[] | ((text: string) => readonly Step[])) {
    super(typeof script === 'function' ? script : () => script);
  }

  override async *generateContentAsync(request: LlmRequest): AsyncGenerator<LlmResponse, void> {
    // The request object is used again for the next step, so its contents are copied.
    this.asked.push({ ...request, contents: [...request.contents] });
    await this.onAsk?.(request);
    yield* super.generateContentAsync(request);
  }
}

/** What the model got back for a tool call. */
export interface Answer {
  tool: string;
  response: Record<string, unknown>;
}

/** How a run went. */
export interface Outcome {
  events: Event[];
  answers: Answer[];
  /** What the run threw, or the error that ended it. */
  failure: unknown;
}

export interface RunOptions {
  sessionId?: string;
  userId?: string;
  message?: string;
  signal?: AbortSignal;
  /** In place of a token minted for the user. */
  token?: string;
}

export interface ServerOptions {
  audience?: string;
  tools?: readonly string[];
  requireTokenForDiscovery?: boolean;
  /** Called within each call. */
  onCall?: (tool: string, caller: Caller) => void | Promise<void>;
}

export interface Stage {
  sts: DevelopmentSts;
  broker: Broker;
  plugin: ADKTokenPropagationPlugin;
  sessions: InMemorySessionService;
  /** What ADK and we logged, warnings and above as `WARN ...`. */
  log: string[];
  /** Starts a server whose tools answer with the name that is in the token. */
  server(name: string, options?: ServerOptions): Promise<RunningMcpServer>;
  /** Makes one of our toolsets for a server, and registers it. */
  toolset(server: RunningMcpServer, options?: Partial<DelegatedMCPToolsetOptions>): DelegatedMCPToolset;
  runner(agent: LlmAgent | BaseAgentLike, plugins?: readonly BasePlugin[]): Runner;
  /** Runs on behalf of a user by `plugin.runAsync`, to the end. */
  run(runner: Runner, sub: string, options?: RunOptions): Promise<Outcome>;
  /** Runs by ADK's own `runAsync`, so that nobody says for whom. */
  runPlain(runner: Runner, options?: RunOptions): Promise<Outcome>;
  /** Parameters of `runAsync`, with the session made. */
  params(options?: RunOptions, appName?: string): Promise<RunParams>;
}

type BaseAgentLike = ConstructorParameters<typeof Runner>[0]['agent'] & object;
type RunParams = Parameters<Runner['runAsync']>[0];

export interface StageOptions {
  sts?: Partial<DevelopmentStsOptions>;
  broker?: Partial<BrokerOptions>;
  plugin?: Partial<ADKTokenPropagationPluginOptions>;
  /** How the broker talks to the STS. */
  service?: Partial<TokenServiceOptions>;
}

/** Sets the stage; all is closed after the test. */
export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const log: string[] = [];
  collectLog(log);
  const sts = await startSts(options.sts);
  const broker = brokerFor(sts, options.broker, options.service);
  const plugin = new ADKTokenPropagationPlugin({ broker, ...options.plugin });
  onTestFinished(() => plugin.close());
  const sessions = new InMemorySessionService();
  const stage: Stage = {
    sts,
    broker,
    plugin,
    sessions,
    log,
    server: (name, more) => startServer(sts, name, more),
    toolset(server, more = {}) {
      const toolset = new DelegatedMCPToolset({ url: server.url, stsAudience: server.audience, ...more });
      plugin.registerToolset(toolset);
      return toolset;
    },
    runner: (agent, plugins = [plugin]) =>
      new Runner({
        appName: APP,
        agent,
        sessionService: sessions,
        memoryService: new InMemoryMemoryService(),
        plugins: [...plugins],
      }),
    async params({ sessionId = 'chat', userId = 'team', message = 'Go.', signal } = {}, appName = APP) {
      await sessions.getOrCreateSession({ appName, userId, sessionId });
      const newMessage = { role: 'user', parts: [{ text: message }] };
      return { userId, sessionId, newMessage, ...(signal && { abortSignal: signal }) };
    },
    async run(runner, sub, more = {}) {
      const token = more.token ?? (await subjectToken(sts, sub));
      return play(plugin.runAsync(runner, { ...(await stage.params(more)), subjectToken: token }));
    },
    runPlain: async (runner, more) => play(runner.runAsync(await stage.params(more))),
  };
  return stage;
}

/** An agent with a model that plays a script. */
export function agentOf(
  model: TestModel,
  tools: readonly (BaseTool | BaseToolset)[],
  more: Partial<ConstructorParameters<typeof LlmAgent>[0]> = {},
): LlmAgent {
  return new LlmAgent({ name: 'assistant', model, tools: [...tools], ...more });
}

/** Consumes a run to its end. */
export async function play(events: AsyncIterable<Event>): Promise<Outcome> {
  const outcome: Outcome = { events: [], answers: [], failure: undefined };
  try {
    for await (const event of events) {
      outcome.events.push(event);
      if (event.errorCode !== undefined) outcome.failure = `${event.errorCode} ${event.errorMessage ?? ''}`;
      for (const { functionResponse } of event.content?.parts ?? []) {
        if (!functionResponse) continue;
        outcome.answers.push({
          tool: functionResponse.name ?? '',
          response: functionResponse.response ?? {},
        });
      }
    }
  } catch (error) {
    outcome.failure = error;
  }
  return outcome;
}

/** The texts of MCP results, by tool; the error's code where one was told instead. */
export function told({ answers }: Outcome): string[] {
  return answers.map(({ tool, response }) => {
    const { content, error } = response as {
      content?: { text?: string }[];
      error?: { code?: string } | string;
    };
    const said = content?.[0]?.text ?? (typeof error === 'object' ? error.code : error);
    return `${tool}: ${said}`;
  });
}

/** The tool calls that a server got, as `tool sub status`. */
export const callsAt = ({ requests }: RunningMcpServer): string[] =>
  requests.filter(isCall).map(({ tool, sub, status }) => `${tool} ${sub} ${status}`);

/** The methods that a server got. */
export const methodsAt = ({ requests }: RunningMcpServer): string[] => requests.map(({ method }) => method);

/**
 * Requests with a token that is not the one of these users, this agent and this server. One that was refused with 401
 * counts: the server read no claims from it, but it may have been shown another server's token.
 */
export function strangers(server: RunningMcpServer, ...users: string[]): RecordedRequest[] {
  return server.requests.filter(({ method, sub, aud, act, status }) => {
    if (status !== 401 && method !== 'tools/call' && sub === undefined) return false;
    return !(users.includes(sub ?? '') && aud?.join() === server.audience && act === 'agent');
  });
}

function isCall({ method }: RecordedRequest): boolean {
  return method === 'tools/call';
}

async function startServer(
  sts: DevelopmentSts,
  name: string,
  options: ServerOptions = {},
): Promise<RunningMcpServer> {
  const { tools = [`${name}_tool`], onCall } = options;
  const server = await startMcpServer({
    name,
    audience: options.audience ?? name,
    issuer: sts.issuer,
    jwksUri: sts.jwksUri,
    requireTokenForDiscovery: options.requireTokenForDiscovery ?? false,
    tools: tools.map((tool) => ({
      name: tool,
      description: `The tool ${tool}.`,
      inputSchema: { type: 'object', properties: {} },
      run: async (_args, caller) => {
        await onCall?.(tool, caller);
        return `${name} of ${caller.sub}`;
      },
    })),
  });
  onTestFinished(() => server.close());
  return server;
}

/** Takes ADK's log, which would go to stdout, and everything in it. */
function collectLog(lines: string[]): void {
  const write =
    (level: string) =>
    (...args: unknown[]): void => {
      lines.push(
        [level, ...args.map((arg) => (arg instanceof Error ? String(arg.stack) : JSON.stringify(arg)))].join(
          ' ',
        ),
      );
    };
  setLogger({
    log: (level, ...args) => write(String(level))(...args),
    debug: write('DEBUG'),
    info: write('INFO'),
    warn: write('WARN'),
    error: write('ERROR'),
    setLogLevel: () => {},
  });
  onTestFinished(() => setLogger(null));
}
