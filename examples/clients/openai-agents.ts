// OpenAI Agents: one MCP server object for each server, shared by all users.

// #region readme
import { Agent, connectMcpServers, MCPServerStreamableHttp, Runner } from '@openai/agents';
import { runAs } from 'onbehalf';
import { openAIAgentsServer } from 'onbehalf/mcp';
// #endregion
import { answerAll, CALENDAR_URL, MAIL_URL, startBroker } from './environment.ts';
import { scriptedModel as model } from './models/openai-agents.ts';

const broker = startBroker();

// #region readme
// At start, before there is any user. A server that wants a token to connect or list: add an `agentCredential`.
const calendar = new MCPServerStreamableHttp(
  openAIAgentsServer({ broker, url: CALENDAR_URL, target: 'calendar' }),
);
const mail = new MCPServerStreamableHttp(openAIAgentsServer({ broker, url: MAIL_URL, target: 'mail' }));
// Strict: without it, a server that cannot be connected is left out, and nobody is told.
const servers = await connectMcpServers([calendar, mail], { strict: true });
const agent = new Agent({ name: 'assistant', model, mcpServers: servers.active });
const runner = new Runner({ tracingDisabled: true });

// For each request: the run is the user's whose token came with it.
async function answer(subjectToken: string): Promise<string> {
  const delegation = broker.begin({ subjectToken });
  try {
    const { finalOutput } = await runAs(delegation, () => runner.run(agent, 'Who am I?'));
    return finalOutput ?? '';
  } finally {
    broker.end(delegation);
  }
}
// #endregion

await answerAll(answer);

// #region readme
// At the end.
await servers.close();
broker.close();
// #endregion
