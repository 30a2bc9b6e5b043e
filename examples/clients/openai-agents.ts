// OpenAI Agents: one MCP server object for each server, shared by all users.
import { Agent, connectMcpServers, MCPServerStreamableHttp, Runner } from '@openai/agents';
import { runAs } from 'onbehalf';
import { openAIAgentsServer } from 'onbehalf/mcp';
import { answerAll, CALENDAR_URL, MAIL_URL, startBroker } from './environment.ts';
import { scriptedModel as model } from './models/openai-agents.ts';

const broker = startBroker();
const runner = new Runner({ tracingDisabled: true });

// #region readme
// At start, before there is any user: connecting and listing tools needs no token of anybody.
const calendar = new MCPServerStreamableHttp(
  openAIAgentsServer({ broker, url: CALENDAR_URL, target: 'calendar' }),
);
const mail = new MCPServerStreamableHttp(openAIAgentsServer({ broker, url: MAIL_URL, target: 'mail' }));
// Strict: without it, a server that cannot be connected is left out, and nobody is told.
const servers = await connectMcpServers([calendar, mail], { strict: true });
const agent = new Agent({ name: 'assistant', model, mcpServers: servers.active });

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
await servers.close();
broker.close();
