// What the demo runs on: an STS, three MCP servers and two agent servers, all in this process, all on loopback, all over HTTP.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExchangeEvent } from 'onbehalf';
import type { AgentServer } from 'onbehalf/agent';
import { createDevelopmentSts, type DevelopmentSts } from 'onbehalf/sts';
import { type AgentName, CLIENT_SECRET, startAgent } from './agents.ts';
import type { Caller } from './bearer.ts';
import { type DemoTool, type RecordedRequest, type RunningMcpServer, startMcpServer } from './mcp-server.ts';
import { createMeetingPoint, type MeetingPoint } from './meeting-point.ts';
import { AGENT, AUDIENCE, SERVERS, type ServerName } from './names.ts';

export interface WorldOptions {
  onExchange: (exchange: ExchangeEvent) => void;
  /** Sees each request that an MCP server has answered. */
  onRequest?: ((request: RecordedRequest) => void) | undefined;
  /** Sees every token there is. Only for tests that search for tokens where they must not be. */
  onToken?: ((token: string) => void) | undefined;
  /** What the agent servers warn of when they start. */
  onWarning?: ((warning: string) => void) | undefined;
}

export interface World {
  sts: DevelopmentSts;
  servers: Record<ServerName, RunningMcpServer>;
  agents: Record<AgentName, AgentServer>;
  /** Where the agents' config files are. */
  folder: string;
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
    const start = (name: ServerName): Promise<RunningMcpServer> =>
      startMcpServer({
        ...{ name, audience: AUDIENCE[name], issuer: sts.issuer, jwksUri: sts.jwksUri },
        ...{ tools: TOOLS[name](meetingPoint), onAnswered: options.onRequest },
      });
    const started = await Promise.all(SERVERS.map(start));
    for (const server of started) closing.push(() => server.close());
    const servers = Object.fromEntries(started.map((server) => [server.name, server])) as World['servers'];

    const folder = await mkdtemp(join(tmpdir(), 'onbehalf-demo-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const { issuer } = sts;
    const { onExchange, onWarning } = options;
    const shared = { parent: folder, issuer, servers, onExchange, onWarning };
    const assistant = await startAgent({ ...shared, name: 'assistant' });
    closing.push(() => assistant.close());
    const assistantEu = await startAgent({ ...shared, name: 'assistant-eu' });
    closing.push(() => assistantEu.close());
    return { sts, servers, agents: { assistant, 'assistant-eu': assistantEu }, folder, meetingPoint, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function startSts(onToken: WorldOptions['onToken']): Promise<DevelopmentSts> {
  return createDevelopmentSts({
    // The policy: this client may get a token for `files-eu`, but not for `files`.
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
