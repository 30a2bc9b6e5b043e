// OpenAI Agents: its object for an MCP server, and the agent's whole run with it.
import {
  Agent,
  MCPServerStreamableHttp,
  type Model,
  Runner,
  setTracingDisabled,
  Usage,
} from '@openai/agents';
import { type Delegation, runAs } from '../../../../src/index.ts';
import { openAIAgentsServer } from '../../../../src/mcp/index.ts';
import type { ClientUnderTest, ClientWorld } from '../../../isolation/client-under-test.ts';
import { serverOptions, textOf } from './support.ts';

export const openAIAgents: ClientUnderTest = {
  name: '@openai/agents, a server object',
  async start(world) {
    const { servers, close } = await connectAll(world);
    return {
      async call(user, name, tool, args) {
        const server = servers.get(name);
        return textOf({ content: await runAs(user, () => server?.callTool(tool, { ...args })) });
      },
      close,
    };
  },
};

export const openAIAgentsRun: ClientUnderTest = {
  name: '@openai/agents, an agent that runs',
  async start(world) {
    setTracingDisabled(true);
    const { servers, close } = await connectAll(world);
    const runner = new Runner({ tracingDisabled: true });
    const agents = new Map(
      [...servers].map(([name, server]) => [name, new Agent({ name, model, mcpServers: [server] })]),
    );
    return {
      async call(user: Delegation, name, tool, args) {
        const agent = agents.get(name) as Agent;
        const { finalOutput } = await runAs(user, () => runner.run(agent, JSON.stringify({ tool, args })));
        return String(finalOutput);
      },
      close,
    };
  },
};

/** Makes the call that the message names, and then says what the tool said. */
const model: Model = {
  async getResponse({ input }) {
    const items = typeof input === 'string' ? [] : input;
    const result = items.find((item) => item.type === 'function_call_result');
    if (result) return { usage: new Usage(), output: [saying(textOf({ content: [result.output].flat() }))] };
    const asked = items.find((item) => item.type === 'message' || item.type === undefined);
    const { tool, args } = JSON.parse(String(asked && 'content' in asked ? asked.content : input));
    return { usage: new Usage(), output: [calling(tool, args)] };
  },
  getStreamedResponse() {
    throw new Error('this model does not stream');
  },
};

const saying = (text: string) => ({
  ...({ type: 'message', role: 'assistant', status: 'completed' } as const),
  content: [{ type: 'output_text' as const, text }],
});

const calling = (name: string, args: object) => ({
  ...({ type: 'function_call', status: 'completed', callId: 'call' } as const),
  ...{ name, arguments: JSON.stringify(args) },
});

async function connectAll({ broker, servers }: ClientWorld) {
  const started = await Promise.all(
    servers.map(async (server) => {
      const options = openAIAgentsServer(serverOptions(broker, server));
      const connected = new MCPServerStreamableHttp({ ...options, cacheToolsList: true });
      await connected.connect();
      await connected.listTools();
      const close = async (): Promise<void> => {
        await connected.close();
        await options.fetch.close();
      };
      return { name: server.name, connected, close };
    }),
  );
  return {
    servers: new Map(started.map(({ name, connected }) => [name, connected])),
    async close() {
      await Promise.all(started.map(({ close }) => close()));
    },
  };
}
