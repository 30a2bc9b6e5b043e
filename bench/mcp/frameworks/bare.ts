// The frameworks as they come, with no token and for nobody: the same calls as in test/interop/clients/isolation.
import { createMCPClient } from '@ai-sdk/mcp';
import { loadMcpTools } from '@langchain/mcp-adapters';
import { MCPClient } from '@mastra/mcp';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { MCPServerStreamableHttp } from '@openai/agents';
import { textOf } from '../../../test/interop/clients/isolation/support.ts';
import type { ClientUnderTest } from '../../../test/isolation/client-under-test.ts';

interface OneServer {
  readonly name: string;
  readonly url: string;
}

interface Connected {
  call(tool: string, args: { readonly marker: string }): Promise<string>;
  close(): Promise<void>;
}

/** All of them are measured at one server. */
const bare = (name: string, connect: (server: OneServer) => Promise<Connected>): ClientUnderTest => ({
  name,
  async start({ servers }) {
    const connected = await connect(servers[0] as OneServer);
    return { call: (_user, _server, tool, args) => connected.call(tool, args), close: connected.close };
  },
});

export const bareAiSdk = bare('@ai-sdk/mcp', async ({ url }) => {
  const client = await createMCPClient({ transport: { type: 'http', url } });
  const tools = await client.tools();
  return {
    async call(tool, args) {
      const options = { toolCallId: args.marker, messages: [], context: undefined };
      return textOf(await tools[tool]?.execute({ ...args }, options));
    },
    close: () => client.close(),
  };
});

export const bareLangchain = bare('@langchain/mcp-adapters', async ({ name, url }) => {
  const client = new Client({ name: 'bare', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const tools = await loadMcpTools(name, client);
  return {
    call: async (tool, args) => String(await tools.find((one) => one.name === tool)?.invoke({ ...args })),
    close: () => client.close(),
  };
});

export const bareOpenAIAgents = bare('@openai/agents', async ({ name, url }) => {
  const server = new MCPServerStreamableHttp({ name, url, cacheToolsList: true });
  await server.connect();
  await server.listTools();
  return {
    call: async (tool, args) => textOf({ content: await server.callTool(tool, { ...args }) }),
    close: () => server.close(),
  };
});

export const bareMastra = bare('@mastra/mcp', async ({ name, url }) => {
  const client = new MCPClient({ servers: { [name]: { url: new URL(url) } } });
  const { toolsets } = await client.listToolsetsWithErrors();
  return {
    call: async (tool, args) => textOf(await toolsets[name]?.[tool]?.execute?.({ ...args }, {})),
    close: () => client.disconnect(),
  };
});
