// What the demo runs on: an STS, three MCP servers and two ADK agents, all in this process, all on loopback.
import {
  type BasePlugin,
  InMemoryMemoryService,
  InMemorySessionService,
  LlmAgent,
  LOAD_MEMORY,
  Runner,
} from '@google/adk';
import {
  type Broker,
  clientCredentialsActor,
  createBroker,
  createTokenService,
  type ExchangeEvent,
} from 'onbehalf';
import { ADKTokenPropagationPlugin, DelegatedMCPToolset } from 'onbehalf/adk';
import { createDevelopmentSts, type DevelopmentSts } from 'onbehalf/sts';
import type { Caller } from './bearer.ts';
import { type DemoTool, type RunningMcpServer, startMcpServer } from './mcp-server.ts';
import { createMeetingPoint, type MeetingPoint } from './meeting-point.ts';
import { ScriptedModel, type ScriptFor } from './scripted-model.ts';

export const APP = 'demo';
/** The agent's client id at the STS; in issued tokens it is the `sub` of `act`. */
export const AGENT = 'assistant';
export const SERVERS = ['calendar', 'mail', 'files'] as const;
export type ServerName = (typeof SERVERS)[number];

/** The audience each server accepts. The files server's is not the one that is declared for it by default. */
export const AUDIENCE: Record<ServerName, string> = { calendar: 'calendar', mail: 'mail', files: 'files-eu' };
/** The `stsAudience` the toolsets carry: the server-level default. */
const DEFAULT_AUDIENCE: Record<ServerName, string> = { calendar: 'calendar', mail: 'mail', files: 'files' };

export interface WorldOptions {
  scriptFor: ScriptFor;
  onExchange: (exchange: ExchangeEvent) => void;
  /** Sees every token there is. Only for tests that search for tokens where they must not be. */
  onToken?: ((token: string) => void) | undefined;
  /** ADK plugins that run along, after ours. */
  extraPlugins?: readonly BasePlugin[] | undefined;
}

export interface DemoAgent {
  plugin: ADKTokenPropagationPlugin;
  runner: Runner;
}

export interface World {
  sts: DevelopmentSts;
  servers: Record<ServerName, RunningMcpServer>;
  broker: Broker;
  sessions: InMemorySessionService;
  /** `assistant` takes each server's default audience; `assistant-eu` has one of its own for the files server. */
  agents: { assistant: DemoAgent; 'assistant-eu': DemoAgent };
  /** Where tools wait for each other in the run of two users at once. */
  meetingPoint: MeetingPoint;
  close(): Promise<void>;
}

/** Starts everything. What was started is closed again if a later part fails. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const closing: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closing.splice(0).reverse()) await closeOne();
  };
  try {
    const sts = await startSts(options.onToken);
    closing.push(() => sts.close());
    const meetingPoint = createMeetingPoint();
    const started = await Promise.all(SERVERS.map((name) => startServer(name, sts, meetingPoint)));
    for (const server of started) closing.push(() => server.close());
    const servers = Object.fromEntries(started.map((server) => [server.name, server])) as World['servers'];

    const tokenService = createTokenService({
      issuer: sts.issuer,
      clientId: AGENT,
      clientAuth: { method: 'client_secret_basic', clientSecret: CLIENT_SECRET },
    });
    const broker = createBroker({
      tokenService,
      actor: clientCredentialsActor(tokenService),
      retention: 'run',
      observer: { exchange: options.onExchange },
    });
    closing.push(() => broker.close());

    const sessions = new InMemorySessionService();
    const shared = { broker, servers, sessions, options };
    const assistant = createAgent({ ...shared, name: 'assistant', overrides: {} });
    closing.push(() => assistant.plugin.close());
    const assistantEu = createAgent({ ...shared, name: 'assistant_eu', overrides: { files: 'files-eu' } });
    closing.push(() => assistantEu.plugin.close());
    const agents = { assistant, 'assistant-eu': assistantEu };
    return { sts, servers, broker, sessions, agents, meetingPoint, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const CLIENT_SECRET = 'demo-secret-for-loopback-only';

function startSts(onToken: WorldOptions['onToken']): Promise<DevelopmentSts> {
  return createDevelopmentSts({
    // The policy: this agent may get a token for `files-eu`, but not for `files`.
    clients: [
      {
        clientId: AGENT,
        authentication: 'client_secret_basic',
        clientSecret: CLIENT_SECRET,
        audiences: ['calendar', 'mail', 'files-eu'],
      },
    ],
    users: [{ sub: 'alice' }, { sub: 'bob' }],
    ...(onToken && { onToken }),
  });
}

function startServer(
  name: ServerName,
  sts: DevelopmentSts,
  meetingPoint: MeetingPoint,
): Promise<RunningMcpServer> {
  return startMcpServer({
    name,
    audience: AUDIENCE[name],
    issuer: sts.issuer,
    jwksUri: sts.jwksUri,
    tools: TOOLS[name](meetingPoint),
  });
}

/** Every tool answers with the name its server read from the token, not with one it was told. */
const TOOLS: Record<ServerName, (meetingPoint: MeetingPoint) => DemoTool[]> = {
  calendar: (meetingPoint) => [
    tool('list_events', 'Lists the events of today.', async ({ sub }) => {
      await meetingPoint.arrive();
      return `${sub} has two events today`;
    }),
    tool('add_event', 'Adds an event.', ({ sub }) => `added to the calendar of ${sub}`),
  ],
  mail: (meetingPoint) => [
    tool('search_mail', 'Searches the inbox.', async ({ sub }) => {
      await meetingPoint.arrive();
      return `three unread messages for ${sub}`;
    }),
    tool('send_mail', 'Sends a message.', ({ sub }) => `sent as ${sub}`),
  ],
  files: () => [tool('find_file', 'Finds a file by name.', ({ sub }) => `report.pdf, owned by ${sub}`)],
};

function tool(
  name: string,
  description: string,
  answer: (caller: Caller) => string | Promise<string>,
): DemoTool {
  const inputSchema = { type: 'object' as const, properties: {} };
  return { name, description, inputSchema, run: (_args, caller) => answer(caller) };
}

interface AgentParts {
  name: string;
  overrides: Partial<Record<ServerName, string>>;
  broker: Broker;
  servers: World['servers'];
  sessions: InMemorySessionService;
  options: WorldOptions;
}

function createAgent({ name, overrides, broker, servers, sessions, options }: AgentParts): DemoAgent {
  const plugin = new ADKTokenPropagationPlugin({ broker });
  const toolsets = SERVERS.map((server) => {
    const toolset = new DelegatedMCPToolset({
      name: server,
      url: servers[server].url,
      stsAudience: DEFAULT_AUDIENCE[server],
    });
    const override = overrides[server];
    if (override === undefined) plugin.registerToolset(toolset);
    else plugin.registerToolset(toolset, override);
    return toolset;
  });
  const agent = new LlmAgent({
    name,
    model: new ScriptedModel(options.scriptFor),
    tools: [LOAD_MEMORY, ...toolsets],
  });
  const runner = new Runner({
    appName: APP,
    agent,
    sessionService: sessions,
    memoryService: new InMemoryMemoryService(),
    plugins: [plugin, ...(options.extraPlugins ?? [])],
  });
  return { plugin, runner };
}
