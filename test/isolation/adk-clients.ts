// ADK's real runner with a scripted model: each call is a run of one agent that all users share.
import {
  type Event,
  InMemorySessionService,
  LlmAgent,
  type LlmRequest,
  type LlmResponse,
  MCPToolset,
  Runner,
  setLogger,
} from '@google/adk';
import { ScriptedModel, type Step } from '../../bench/scripted-model.ts';
import { ADKTokenPropagationPlugin, DelegatedMCPToolset } from '../../src/adk/index.ts';
import { iterateAs } from '../../src/index.ts';
import type { ClientUnderTest, ClientWorld, RunningClient, TestServer } from './client-under-test.ts';

/** Makes a toolset and registers it. */
type Toolsets = (plugin: ADKTokenPropagationPlugin, server: TestServer) => MCPToolset;

const APP = 'isolation';

async function startAdk({ broker, servers }: ClientWorld, toolsetOf: Toolsets): Promise<RunningClient> {
  const silent = (): void => {};
  setLogger({ log: silent, debug: silent, info: silent, warn: silent, error: silent, setLogLevel: silent });
  const plugin = new ADKTokenPropagationPlugin({ broker });
  const tools = servers.map((server) => toolsetOf(plugin, server));
  // A message says which tool to call, and with what.
  const model = new IsolationModel((text) => [[JSON.parse(text)] as Step, 'Done.']);
  const sessionService = new InMemorySessionService();
  const agent = new LlmAgent({ name: 'assistant', model, tools });
  const runner = new Runner({ appName: APP, agent, sessionService, plugins: [plugin] });
  return {
    async call(user, _server, name, args) {
      // Who the user is must be known by the token alone, so all of them have the same userId.
      const session = { appName: APP, userId: 'team', sessionId: args.marker };
      await sessionService.createSession(session);
      const newMessage = { role: 'user', parts: [{ text: JSON.stringify({ name, args }) }] };
      const events = iterateAs(user, () => runner.runAsync({ ...session, newMessage }));
      const text = await answerIn(events);
      await sessionService.deleteSession(session);
      return text;
    },
    async close() {
      await plugin.close();
      setLogger(null);
    },
  };
}

/** A model that says so where it is not offered the tool that it is to call: a server may list none for a denied user. */
class IsolationModel extends ScriptedModel {
  override async *generateContentAsync(request: LlmRequest): AsyncGenerator<LlmResponse, void> {
    for await (const answer of super.generateContentAsync(request)) {
      const name = answer.content?.parts?.[0]?.functionCall?.name;
      const missing = name !== undefined && !(name in request.toolsDict);
      yield missing ? { content: { role: 'model', parts: [{ text: NOT_OFFERED }] } } : answer;
    }
  }
}

const NOT_OFFERED = JSON.stringify({ error: { code: 'tool_not_offered' } });

/** The text of the tool's result in a run's events, or what the plugin told in its place. */
async function answerIn(events: AsyncIterable<Event>): Promise<string> {
  let told = '';
  for await (const { content, errorMessage } of events) {
    if (errorMessage !== undefined) told = errorMessage;
    for (const { functionResponse, text } of content?.parts ?? []) {
      if (text === NOT_OFFERED) told = text;
      const response = functionResponse?.response as { content?: readonly { text?: string }[] } | undefined;
      if (response) told = response.content?.[0]?.text ?? JSON.stringify(response);
    }
  }
  return told;
}

export const delegatedToolset: ClientUnderTest = {
  name: 'ADK, DelegatedMCPToolset',
  start: (world) =>
    startAdk(world, (plugin, { url, audience, headers, agentCredential }) => {
      const toolset = new DelegatedMCPToolset({ url, stsAudience: audience, headers, agentCredential });
      plugin.registerToolset(toolset);
      return toolset;
    }),
};

export const stockToolset: ClientUnderTest = {
  name: 'ADK, its own MCPToolset',
  start: (world) =>
    startAdk(world, (plugin, { url, audience, headers }) => {
      const toolset = new MCPToolset({ type: 'StreamableHTTPConnectionParams', url, header: { ...headers } });
      plugin.registerToolset(toolset, audience);
      return toolset;
    }),
};
