// The clients that the root's own dependencies are enough for: both SDKs, each one client object for all users, and
// the session pool.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { runAs } from '../../src/index.ts';
import {
  createDelegatedFetch,
  createSessionPool,
  type DelegatedFetch,
  defineMcpServer,
} from '../../src/mcp/index.ts';
import type { ClientUnderTest, ClientWorld, RunningClient, TestServer } from './client-under-test.ts';

const INFO = { name: 'isolation', version: '1.0.0' };

/** The text of a tool's result, whichever SDK it came by. */
export function textOf(result: unknown): string {
  const { content } = result as { content?: readonly { text?: string }[] };
  return content?.[0]?.text ?? '';
}

/** A connected client of an SDK. */
interface Connected {
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

/** One client for each server, shared by all users, connected before there is any. */
function shared(
  name: string,
  connect: (server: TestServer, fetch: DelegatedFetch) => Promise<Connected>,
): ClientUnderTest {
  return {
    name,
    async start({ broker, servers }) {
      const ends: (() => Promise<void>)[] = [];
      const clients = new Map<string, Connected>();
      for (const server of servers) {
        const { url, audience, headers, agentCredential } = server;
        const fetch = createDelegatedFetch({ broker, url, target: audience, headers, agentCredential });
        const client = await connect(server, fetch);
        clients.set(server.name, client);
        ends.push(async () => {
          await client.close();
          await fetch.close();
        });
      }
      return {
        call: async (user, server, tool, args) =>
          textOf(
            await runAs(user, () => clients.get(server)?.callTool({ name: tool, arguments: { ...args } })),
          ),
        close: async () => void (await Promise.all(ends.map((end) => end()))),
      };
    },
  };
}

export const v2: ClientUnderTest = shared(
  '@modelcontextprotocol/client, one for all',
  async ({ url }, fetch) => {
    const client = new ClientV2(INFO);
    await client.connect(new TransportV2(new URL(url), { fetch }));
    await client.listTools();
    return client;
  },
);

export const v1: ClientUnderTest = shared(
  '@modelcontextprotocol/sdk, one for all',
  async ({ url }, fetch) => {
    const client = new ClientV1(INFO);
    // The SDK's class does not satisfy its own interface under exactOptionalPropertyTypes.
    await client.connect(new TransportV1(new URL(url), { fetch }) as Transport);
    await client.listTools();
    return client;
  },
);

export const pool: ClientUnderTest = { name: 'session pool', start: startPool };

async function startPool({ broker, servers }: ClientWorld): Promise<RunningClient> {
  const sessions = createSessionPool({ broker });
  const defined = new Map(
    servers.map(({ name, url, audience, headers }) => [
      name,
      defineMcpServer({ url, target: audience, headers }),
    ]),
  );
  return {
    async call(user, name, tool, args) {
      const server = defined.get(name);
      if (!server) throw new TypeError(`there is no server ${name}`);
      const params = { name: tool, arguments: { ...args } };
      return textOf(await sessions.call(server, user, (client) => client.callTool(params)));
    },
    close: () => sessions.close(),
  };
}
