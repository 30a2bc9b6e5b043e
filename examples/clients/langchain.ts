// LangChain: one MCP client for each server, shared by all users.

// #region readme
import { loadMcpTools } from '@langchain/mcp-adapters';
import { createAgent, toolErrorMiddleware } from 'langchain';
import { runAs } from 'onbehalf';
import { langchainClient } from 'onbehalf/langchain';
// #endregion
import { answerAll, CALENDAR_URL, MAIL_URL, startBroker } from './environment.ts';
import { ScriptedModel } from './models/langchain.ts';

const broker = startBroker();
const model = new ScriptedModel();

// #region readme
// At start, before there is any user. A server that wants a token to connect or list: add an `agentCredential`.
const calendar = await langchainClient({ broker, url: CALENDAR_URL, target: 'calendar' });
const mail = await langchainClient({ broker, url: MAIL_URL, target: 'mail' });
const tools = [...(await loadMcpTools('calendar', calendar)), ...(await loadMcpTools('mail', mail))];

// Without it, the first error of a tool ends the run: LangChain throws what an MCP server answers as a tool's error.
const toolErrors = toolErrorMiddleware({
  onError: (error) => (error instanceof Error && error.name === 'ToolException' ? error.message : undefined),
});
const agent = createAgent({ model, tools, middleware: [toolErrors] });

// For each request: the run is the user's whose token came with it.
async function answer(subjectToken: string): Promise<string> {
  const delegation = broker.begin({ subjectToken });
  try {
    const messages = [{ role: 'user', content: 'Who am I?' }];
    const state = await runAs(delegation, () => agent.invoke({ messages }));
    return state.messages.at(-1)?.text ?? '';
  } finally {
    broker.end(delegation);
  }
}
// #endregion

await answerAll(answer);

// #region readme
// At the end.
await Promise.all([calendar.close(), mail.close()]);
broker.close();
// #endregion
