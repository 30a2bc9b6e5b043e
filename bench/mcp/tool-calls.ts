// A tool call of a user in a client that all users share, against the same call of a client that is simply kept open.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { type Broker, type Delegation, runAs } from 'onbehalf';
import { createDelegatedFetch, createSessionPool, type DelegatedFetch, defineMcpServer } from 'onbehalf/mcp';
import { subjectToken } from '../broker/token-endpoint.ts';
import { type Call, inRounds, type Rounds } from './rounds.ts';
import { brokerOf, type McpServers } from './servers.ts';

const INFO = { name: 'bench', version: '1.0.0' };
const ECHO = { name: 'echo', arguments: { n: 1 } };

export type ToolCallName = 'v2' | 'v2 bare' | 'v1' | 'v1 bare' | 'pool' | 'fetch' | 'fetch bare';

/** A contender: one call, and its end. */
interface Running {
  readonly call: Call;
  close(): Promise<void>;
}

/** Whom the calls are for, and where they go. */
interface Scene {
  readonly url: string;
  readonly broker: Broker;
  readonly user: Delegation;
}

export async function benchToolCalls(
  servers: McpServers,
  on: 'sdk' | 'plain',
): Promise<Rounds<ToolCallName>> {
  const broker = brokerOf(servers);
  const scene = {
    url: servers.urls[on],
    broker,
    user: broker.begin({ subjectToken: subjectToken('alice') }),
  };
  const started: Readonly<Record<ToolCallName, Running>> = {
    v2: await withFetch(scene, connectV2),
    'v2 bare': await connectV2(scene.url),
    v1: await withFetch(scene, connectV1),
    'v1 bare': await connectV1(scene.url),
    pool: startPool(scene),
    fetch: await withFetch(scene, connectFetch),
    'fetch bare': await connectFetch(scene.url),
  };
  const calls = Object.fromEntries(Object.entries(started).map(([name, { call }]) => [name, call]));
  try {
    return await inRounds(calls as Record<ToolCallName, Call>, { rounds: 20, turns: 40, calls: 1 });
  } finally {
    await Promise.all(Object.values(started).map((one) => one.close()));
    broker.close();
  }
}

type Connect = (url: string, fetch?: DelegatedFetch) => Promise<Running>;

/** The same client with Onbehalf: connected for nobody, as it is when a program starts, and used by a user. */
async function withFetch({ url, broker, user }: Scene, connect: Connect): Promise<Running> {
  const fetch = createDelegatedFetch({ broker, url, target: 'calendar' });
  const { call, close } = await connect(url, fetch);
  return {
    call: () => runAs(user, call),
    async close() {
      await close();
      await fetch.close();
    },
  };
}

const connectV2: Connect = async (url, fetch) => {
  const client = new ClientV2(INFO);
  const transport = new TransportV2(new URL(url), fetch && { fetch });
  await client.connect(transport);
  return { call: () => client.callTool(ECHO), close: () => closed(client, transport) };
};

const connectV1: Connect = async (url, fetch) => {
  const client = new ClientV1(INFO);
  const transport = new TransportV1(new URL(url), fetch && { fetch });
  // The SDK's class does not satisfy its own interface under exactOptionalPropertyTypes.
  await client.connect(transport as Transport);
  return { call: () => client.callTool(ECHO), close: () => closed(client, transport) };
};

/** Without any client: the requests alone. */
const connectFetch: Connect = async (url, fetch = globalThis.fetch as DelegatedFetch) => {
  const headers = new Headers({
    ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    'mcp-protocol-version': '2025-11-25',
  });
  const post = async (message: object): Promise<Response> => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    const response = await fetch(url, { method: 'POST', headers, body });
    if (!response.ok) throw new Error(`status ${response.status}`);
    await response.text();
    return response;
  };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: INFO };
  const opened = await post({ id: 0, method: 'initialize', params });
  headers.set('mcp-session-id', opened.headers.get('mcp-session-id') ?? '');
  await post({ method: 'notifications/initialized' });
  return {
    call: () => post({ id: 1, method: 'tools/call', params: ECHO }),
    close: async () => void (await fetch(url, { method: 'DELETE', headers })),
  };
};

async function closed(client: { close(): Promise<void> }, transport: { terminateSession(): Promise<void> }) {
  await transport.terminateSession();
  await client.close();
}

function startPool({ url, broker, user }: Scene): Running {
  const pool = createSessionPool({ broker });
  const server = defineMcpServer({ url, target: 'calendar' });
  return {
    call: () => pool.call(server, user, (client) => client.callTool(ECHO)),
    close: () => pool.close(),
  };
}
