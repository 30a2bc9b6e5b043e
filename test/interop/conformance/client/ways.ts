// The ways by which an MCP client reaches a server with Onbehalf.
import {
  Client,
  type ClientOptions,
  StreamableHTTPClientTransport,
  type Tool,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type ActorSource, runAs } from 'onbehalf';
import {
  createAgentFetch,
  createDelegatedFetch,
  createSessionPool,
  createToolCatalogue,
  defineMcpServer,
} from 'onbehalf/mcp';
import type { UserAccess } from './access.ts';

/** What a scenario is played with. */
export interface Session {
  list(): Promise<readonly Tool[]>;
  call(name: string, args: Record<string, unknown>): Promise<unknown>;
  /** The client itself, for what has no method of its own here. */
  use<T>(work: (client: Client) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;

const INFO = { name: 'onbehalf-conformance', version: '1.0.0' };

/** A client of version 2 whose `fetch` all users share, connected and listing outside of any run where that can be. */
export async function sharedFetch(
  url: string,
  access: UserAccess,
  options?: ClientOptions,
): Promise<Session> {
  const send = createDelegatedFetch({ url, target: access.target, broker: access.broker });
  const session = await inFirstRun(access, () => connected(url, send, options));
  return inRunOf(access, session, () => send.close());
}

/** A client of version 2 that one user alone has, and all that it asks for is asked by him. */
export async function ownFetch(url: string, access: UserAccess, options?: ClientOptions): Promise<Session> {
  const { broker, target, delegation } = access;
  const send = createDelegatedFetch({
    ...{ url, target, broker },
    delegation: () => delegation,
    discovery: 'delegated',
  });
  return inRunOf(access, await connected(url, send, options), () => send.close());
}

/** The same with a client of version 1. */
export async function sharedFetchV1(url: string, access: UserAccess): Promise<Session> {
  const send = createDelegatedFetch({ url, target: access.target, broker: access.broker });
  const client = new ClientV1(INFO);
  await inFirstRun(access, () => client.connect(new TransportV1(new URL(url), { fetch: send })));
  // What is asked of a client here, both versions have.
  const session = sessionOf(client as unknown as Client);
  return inRunOf(access, session, () => send.close());
}

/** The session pool and the catalogue of tools: what the ADK toolset is made of. */
export async function pooled(url: string, access: UserAccess): Promise<Session> {
  const { broker, delegation } = access;
  const pool = createSessionPool({ broker });
  const catalogue = createToolCatalogue({ pool });
  const server = defineMcpServer({ url, target: access.target });
  const use: Session['use'] = (work) => pool.call(server, delegation, work);
  return {
    use,
    list: () => catalogue.list(server, { delegation }),
    call: (name, args) => use((client) => client.callTool({ name, arguments: args })),
    async close() {
      await catalogue.close();
      await pool.close();
    },
  };
}

/** The agent itself, on behalf of nobody. */
export function asAgent(
  url: string,
  agentCredential: ActorSource,
  options?: ClientOptions,
): Promise<Session> {
  return connected(url, createAgentFetch({ url, agentCredential }), options);
}

async function connected(url: string, send: Fetch, options?: ClientOptions): Promise<Session> {
  const client = new Client(INFO, options);
  // Whatever has a default gets it from the client.
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: {} }));
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: send }));
  return sessionOf(client);
}

function sessionOf(client: Client): Session {
  return {
    use: (work) => work(client),
    list: async () => (await client.listTools()).tools,
    call: (name, args) => client.callTool({ name, arguments: args }),
    close: () => client.close(),
  };
}

const inFirstRun = <T>({ connectsInRun, delegation }: UserAccess, work: () => Promise<T>): Promise<T> =>
  connectsInRun ? runAs(delegation, work) : work();

/** Calls are made in the user's run; connecting and listing only where the server leaves no choice. */
function inRunOf(access: UserAccess, session: Session, end: () => Promise<void>): Session {
  const { delegation } = access;
  return {
    use: (work) => runAs(delegation, () => session.use(work)),
    list: () => inFirstRun(access, () => session.list()),
    call: (name, args) => runAs(delegation, () => session.call(name, args)),
    async close() {
      await session.close();
      await end();
    },
  };
}
