// What is compared: ADK's own MCPToolset, ours, and a bare MCP client that is simply kept open (the limit).
import {
  BaseTool,
  type Event,
  InMemorySessionService,
  LlmAgent,
  MCPToolset,
  type RunAsyncToolRequest,
  Runner,
} from '@google/adk';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Broker, createBroker, createTokenService } from 'onbehalf';
import { ADKTokenPropagationPlugin, DelegatedMCPToolset } from 'onbehalf/adk';
import { type CallTimes, createMeasuring } from './measuring-plugins.ts';
import { ScriptedModel, type Step } from './scripted-model.ts';
import type { Servers } from './servers.ts';

export interface User {
  sub: string;
  subjectToken: string;
}

export interface RunResult {
  ms: number;
  /** Why the run counts as failed: it threw, it ended in an error event, or a tool call was answered with an error. */
  failure?: string;
}

export interface Contender {
  run(user: User, message: string): Promise<RunResult>;
  /** The tool calls timed since last asked. */
  takeCalls(): CallTimes[];
  close(): Promise<void>;
}

const APP = 'bench';

/** `10 calls` is ten steps of one call; `4 at once` is one step of four. */
function scriptFor(message: string): Step[] {
  const count = Number.parseInt(message, 10);
  const calls = Array.from({ length: count }, (_, n) => ({ name: 'echo', args: { n } }));
  return message.endsWith('at once') ? [calls] : calls.map((call) => [call]);
}

/** One agent with stock MCPToolset for all users. A static header is all it can send: one token for everybody. */
export function stock(servers: Servers, bearer: string): Contender {
  const measuring = createMeasuring();
  const toolset = new MCPToolset({
    type: 'StreamableHTTPConnectionParams',
    url: servers.url,
    header: { Authorization: `Bearer ${bearer}` },
  });
  const sessionService = new InMemorySessionService();
  const agent = new LlmAgent({ name: 'stock', model: new ScriptedModel(scriptFor), tools: [toolset] });
  const plugins = [measuring.first, measuring.last];
  const runner = new Runner({ appName: APP, agent, sessionService, plugins });
  return {
    run: plainRun(runner, sessionService),
    takeCalls: measuring.take,
    close: () => toolset.close(),
  };
}

/** One agent with our plugin and toolset for all users, each with a token of their own. Closes the broker, too. */
export function ours(servers: Pick<Servers, 'url' | 'audience'>, broker: Broker): Contender {
  const measuring = createMeasuring();
  const plugin = new ADKTokenPropagationPlugin({ broker });
  const toolset = new DelegatedMCPToolset({ name: 'bench', url: servers.url, stsAudience: servers.audience });
  plugin.registerToolset(toolset);
  const sessionService = new InMemorySessionService();
  const agent = new LlmAgent({ name: 'ours', model: new ScriptedModel(scriptFor), tools: [toolset] });
  const plugins = [measuring.first, plugin, measuring.last];
  const runner = new Runner({ appName: APP, agent, sessionService, plugins });
  return {
    run: (user, message) =>
      timed(sessionService, user, (sessionId) =>
        plugin.runAsync(runner, {
          subjectToken: user.subjectToken,
          userId: user.sub,
          sessionId,
          newMessage: newMessage(message),
        }),
      ),
    takeCalls: measuring.take,
    async close() {
      await plugin.close();
      await broker.close();
    },
  };
}

/** @param actorToken - the agent's own, at hand as in a pod; by client credentials it is one request more per process */
export function createBenchBroker(
  servers: Servers,
  actorToken: string,
  retention: 'run' | 'subject',
): Broker {
  const { clientId, clientSecret } = servers.client;
  const tokenService = createTokenService({
    issuer: servers.issuer,
    clientId,
    clientAuth: { method: 'client_secret_basic', clientSecret },
  });
  return createBroker({ tokenService, actor: () => actorToken, retention });
}

/** The limit: the same agent with a tool around one MCP client that is kept open, for nobody in particular. */
export async function bareClient(servers: Pick<Servers, 'url'>, bearer?: string): Promise<Contender> {
  const measuring = createMeasuring();
  const client = new Client({ name: 'bare', version: '1.0.0' });
  const headers = bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(servers.url), { requestInit: { headers } }));
  const sessionService = new InMemorySessionService();
  const agent = new LlmAgent({
    name: 'bare',
    model: new ScriptedModel(scriptFor),
    tools: [new BareTool(client)],
  });
  const plugins = [measuring.first, measuring.last];
  const runner = new Runner({ appName: APP, agent, sessionService, plugins });
  return {
    run: plainRun(runner, sessionService),
    takeCalls: measuring.take,
    close: () => client.close(),
  };
}

class BareTool extends BaseTool {
  readonly #client: Client;

  constructor(client: Client) {
    super({ name: 'echo', description: 'Gives back what it was given.' });
    this.#client = client;
  }

  override _getDeclaration(): { name: string; description: string } {
    return { name: this.name, description: this.description };
  }

  override async runAsync({ args }: RunAsyncToolRequest): Promise<unknown> {
    return this.#client.callTool({ name: this.name, arguments: args });
  }
}

function newMessage(text: string): { role: string; parts: { text: string }[] } {
  return { role: 'user', parts: [{ text }] };
}

/** A run as ADK makes it, for nobody in particular. */
function plainRun(runner: Runner, sessionService: InMemorySessionService): Contender['run'] {
  return (user, message) =>
    timed(sessionService, user, (sessionId) =>
      runner.runAsync({ userId: user.sub, sessionId, newMessage: newMessage(message) }),
    );
}

async function timed(
  sessionService: InMemorySessionService,
  user: User,
  start: (sessionId: string) => AsyncIterable<Event>,
): Promise<RunResult> {
  const { id } = await sessionService.createSession({ appName: APP, userId: user.sub });
  const since = performance.now();
  let failure: string | undefined;
  try {
    for await (const event of start(id)) failure ??= failureOf(event);
  } catch (error) {
    failure = error instanceof Error ? error.message : 'thrown';
  }
  const ms = performance.now() - since;
  await sessionService.deleteSession({ appName: APP, userId: user.sub, sessionId: id });
  return failure === undefined ? { ms } : { ms, failure };
}

function failureOf(event: Event): string | undefined {
  if (event.errorCode !== undefined) return event.errorMessage ?? event.errorCode;
  for (const { functionResponse } of event.content?.parts ?? []) {
    const response = functionResponse?.response;
    if (response?.error !== undefined)
      return typeof response.error === 'string' ? response.error : JSON.stringify(response.error);
    if (response?.isError === true) return 'tool result with isError';
  }
  return undefined;
}
