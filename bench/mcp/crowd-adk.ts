// The crowd as runs of one ADK agent.
import { InMemorySessionService, LlmAgent, Runner, setLogger } from '@google/adk';
import { ADKTokenPropagationPlugin, DelegatedMCPToolset } from 'onbehalf/adk';
import { subjectToken } from '../broker/token-endpoint.ts';
import { ScriptedModel } from '../scripted-model.ts';
import { assertFor, CALLS, ORDER, type StartCrowd, TARGETS } from './crowd.ts';

const APP = 'crowd';
const SCRIPT = ORDER.map((target) => [{ name: `${target}_echo`, args: {} }]);

/** One plugin and one agent for all users, with a toolset for each server. */
export const startAdk: StartCrowd = async ({ servers, broker, bounds }) => {
  setLogger(null);
  const plugin = new ADKTokenPropagationPlugin({ broker, sessions: bounds });
  const tools = TARGETS.map((target) => {
    const url = servers.urls[target];
    return new DelegatedMCPToolset({ name: target, url, stsAudience: target, prefix: target });
  });
  for (const toolset of tools) plugin.registerToolset(toolset);
  const sessionService = new InMemorySessionService();
  const agent = new LlmAgent({ name: 'crowd', model: new ScriptedModel(() => SCRIPT), tools });
  const runner = new Runner({ appName: APP, agent, sessionService, plugins: [plugin] });
  return {
    async run(user) {
      const { id: sessionId } = await sessionService.createSession({ appName: APP, userId: user });
      const newMessage = { role: 'user', parts: [{ text: 'call' }] };
      const params = { subjectToken: subjectToken(user), userId: user, sessionId, newMessage };
      let answered = 0;
      for await (const event of plugin.runAsync(runner, params)) {
        if (event.errorCode !== undefined) throw new Error(event.errorMessage ?? event.errorCode);
        for (const { functionResponse } of event.content?.parts ?? []) {
          if (!functionResponse) continue;
          const error = functionResponse.response?.error as { code?: string } | undefined;
          if (error) throw new Error(error.code ?? 'a tool call failed');
          assertFor(user, functionResponse.response);
          answered += 1;
        }
      }
      if (answered !== CALLS) throw new Error(`${answered} calls instead of ${CALLS}`);
    },
    settled: () => plugin.settled(),
    close: () => plugin.close(),
  };
};
