// Mastra's own tools, of one MCP client for all servers.
import { RequestContext } from '@mastra/core/request-context';
import { MCPClient } from '@mastra/mcp';
import { MASTRA_DELEGATION, mastraServer } from '../../../../src/mcp/index.ts';
import type { ClientUnderTest } from '../../../isolation/client-under-test.ts';
import { serverOptions, textOf, toolNamed } from './support.ts';

export const mastra: ClientUnderTest = {
  name: '@mastra/mcp',
  async start({ broker, servers }) {
    const definitions = servers.map(
      (server) => [server.name, mastraServer(serverOptions(broker, server))] as const,
    );
    const client = new MCPClient({ servers: Object.fromEntries(definitions) });
    const { toolsets, errors } = await client.listToolsetsWithErrors();
    if (Object.keys(errors).length > 0) throw new Error(JSON.stringify(errors));
    const started = Object.entries(toolsets).map(([name, tools]) => ({ name, tools }));
    return {
      async call(user, server, tool, args) {
        const { execute } = toolNamed(started, server, tool);
        const requestContext = new RequestContext();
        requestContext.set(MASTRA_DELEGATION, user);
        // An agent gives it more, of which an MCP tool needs nothing.
        const context = { requestContext } as unknown as Parameters<NonNullable<typeof execute>>[1];
        return textOf(await execute?.({ ...args }, context));
      },
      async close() {
        await client.disconnect();
        await Promise.all(definitions.map(([, { fetch }]) => fetch.close()));
      },
    };
  },
};
