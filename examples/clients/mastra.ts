// Mastra: one MCP client for all servers, shared by all users. The run's request context says whose it is.

// #region readme
import { Agent } from '@mastra/core/agent';
import { RequestContext } from '@mastra/core/request-context';
import { MCPClient } from '@mastra/mcp';
import { MASTRA_DELEGATION, mastraServer } from 'onbehalf/mcp';
// #endregion
import { answerAll, CALENDAR_URL, MAIL_URL, startBroker } from './environment.ts';
import { scriptedModel as model } from './models/mastra.ts';

const broker = startBroker();

// #region readme
// At start, before there is any user. A server that wants a token to connect or list: add an `agentCredential`.
const calendar = mastraServer({ broker, url: CALENDAR_URL, target: 'calendar' });
const mail = mastraServer({ broker, url: MAIL_URL, target: 'mail' });
const mcp = new MCPClient({ servers: { calendar, mail } });
const { tools, errors } = await mcp.listToolsWithErrors();
// Without it, a server that cannot be connected is left out, and only Mastra's log says so.
if (Object.keys(errors).length > 0) throw new Error(JSON.stringify(errors));
const agent = new Agent({ id: 'assistant', name: 'assistant', instructions: 'Help.', model, tools });

// For each request: the run is the user's whose token came with it.
async function answer(subjectToken: string): Promise<string> {
  const delegation = broker.begin({ subjectToken });
  try {
    const requestContext = new RequestContext([[MASTRA_DELEGATION, delegation]]);
    const { text } = await agent.generate('Who am I?', { requestContext });
    return text;
  } finally {
    broker.end(delegation);
  }
}
// #endregion

await answerAll(answer);

// #region readme
// At the end.
await mcp.disconnect();
await Promise.all([calendar.fetch.close(), mail.fetch.close()]);
broker.close();
// #endregion
