// The AI SDK's own tools, of one MCP client for each server.
import { createMCPClient } from '@ai-sdk/mcp';
import { runAs } from '../../../../src/index.ts';
import { aiSdkTransport } from '../../../../src/mcp/index.ts';
import type { ClientUnderTest, TestServer } from '../../../isolation/client-under-test.ts';
import { serverOptions, textOf, toolNamed } from './support.ts';

export const aiSdk: ClientUnderTest = {
  name: '@ai-sdk/mcp',
  async start({ broker, servers }) {
    const started = await Promise.all(
      servers.map((server) => connect(serverOptions(broker, server), server)),
    );
    return {
      async call(user, server, tool, args) {
        const { execute } = toolNamed(started, server, tool);
        const options = { toolCallId: args.marker, messages: [], context: undefined };
        return textOf(await runAs(user, () => execute({ ...args }, options)));
      },
      async close() {
        await Promise.all(started.map(({ close }) => close()));
      },
    };
  },
};

async function connect(options: Parameters<typeof aiSdkTransport>[0], { name }: TestServer) {
  const transport = aiSdkTransport(options);
  const client = await createMCPClient({ transport });
  const close = async (): Promise<void> => {
    await client.close();
    await transport.fetch.close();
  };
  return { name, tools: await client.tools(), close };
}
