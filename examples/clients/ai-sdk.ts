// The AI SDK: one MCP client for each server, shared by all users.

// #region readme
import { createMCPClient } from '@ai-sdk/mcp';
import { generateText, isStepCount } from 'ai';
import { runAs } from 'onbehalf';
import { aiSdkTransport } from 'onbehalf/mcp';
// #endregion
import { answerAll, CALENDAR_URL, MAIL_URL, startBroker } from './environment.ts';
import { scriptedModel as model } from './models/ai-sdk.ts';

const broker = startBroker();

// #region readme
// At start, before there is any user. A server that wants a token to connect or list: add an `agentCredential`.
const calendar = await createMCPClient({
  transport: aiSdkTransport({ broker, url: CALENDAR_URL, target: 'calendar' }),
});
const mail = await createMCPClient({ transport: aiSdkTransport({ broker, url: MAIL_URL, target: 'mail' }) });
const tools = { ...(await calendar.tools()), ...(await mail.tools()) };

// For each request: the run is the user's whose token came with it.
async function answer(subjectToken: string): Promise<string> {
  const delegation = broker.begin({ subjectToken });
  try {
    const prompt = 'Who am I?';
    const stopWhen = isStepCount(5);
    const { text } = await runAs(delegation, () => generateText({ model, tools, prompt, stopWhen }));
    return text;
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
