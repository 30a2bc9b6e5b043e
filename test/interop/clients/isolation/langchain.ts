// LangChain's own tools, of one MCP client for each server.
import { loadMcpTools } from '@langchain/mcp-adapters';
import { runAs } from '../../../../src/index.ts';
import { langchainClient } from '../../../../src/mcp/adapters/langchain.ts';
import type { ClientUnderTest } from '../../../isolation/client-under-test.ts';
import { serverOptions, toolNamed } from './support.ts';

export const langchain: ClientUnderTest = {
  name: '@langchain/mcp-adapters',
  async start({ broker, servers }) {
    const started = await Promise.all(
      servers.map(async (server) => {
        const client = await langchainClient(serverOptions(broker, server));
        const tools = await loadMcpTools(server.name, client);
        const byName = Object.fromEntries(tools.map((tool) => [tool.name, tool]));
        return { name: server.name, tools: byName, close: () => client.close() };
      }),
    );
    return {
      async call(user, server, tool, args) {
        const found = toolNamed(started, server, tool);
        return String(await runAs(user, () => found.invoke({ ...args })));
      },
      async close() {
        await Promise.all(started.map(({ close }) => close()));
      },
    };
  },
};
