// The README's example, as code that is compiled and run by a test.
import type { Event, LlmAgentConfig } from '@google/adk';
// #region readme
import { InMemorySessionService, LlmAgent, Runner } from '@google/adk';
import { clientCredentialsActor, createBroker, createTokenService } from 'onbehalf';
import { ADKTokenPropagationPlugin, DelegatedMCPToolset } from 'onbehalf/adk';
// #endregion

export interface Settings {
  issuer: string;
  clientSecret: string;
  calendarUrl: string;
  mailUrl: string;
  model: NonNullable<LlmAgentConfig['model']>;
}

/** One question of a user, with the token that came in with the request. */
export interface Question {
  subjectToken: string;
  userId: string;
  sessionId: string;
  text: string;
}

export interface Assistant {
  ask(question: Question): AsyncGenerator<Event, void, undefined>;
  close(): Promise<void>;
}

export function createAssistant({ issuer, clientSecret, calendarUrl, mailUrl, model }: Settings): Assistant {
  // #region readme
  // 1. The STS, and this agent's client there. The agent acts with a token of its own: `act` in every issued token.
  const tokenService = createTokenService({
    issuer, // for example https://sts.example.com
    clientId: 'assistant',
    clientAuth: { method: 'client_secret_basic', clientSecret },
  });
  const broker = createBroker({ tokenService, actor: clientCredentialsActor(tokenService) });

  // 2. The MCP servers, each with the audience that its tokens are for.
  const calendar = new DelegatedMCPToolset({ url: calendarUrl, stsAudience: 'calendar' });
  const mail = new DelegatedMCPToolset({ url: mailUrl, stsAudience: 'mail' });
  const plugin = new ADKTokenPropagationPlugin({ broker });
  plugin.registerToolset(calendar);
  plugin.registerToolset(mail);

  // 3. The agent, as always.
  const agent = new LlmAgent({ name: 'assistant', model, tools: [calendar, mail] });
  const sessionService = new InMemorySessionService();
  const runner = new Runner({ appName: 'app', agent, sessionService, plugins: [plugin] });

  // 4. Each request runs for the user who sent it, with the bearer token that came with it.
  async function* ask({ subjectToken, userId, sessionId, text }: Question) {
    await sessionService.getOrCreateSession({ appName: 'app', userId, sessionId });
    const newMessage = { role: 'user', parts: [{ text }] };
    yield* plugin.runAsync(runner, { subjectToken, userId, sessionId, newMessage });
  }

  // 5. At the end. Before, the plugin listens for changed tools, which keeps a process alive for a minute.
  async function close() {
    await plugin.close();
    broker.close();
  }
  // #endregion
  return { ask, close };
}
