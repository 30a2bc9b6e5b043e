// The MCP SDK, version 1: one client for each server, shared by all users.

// #region readme
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { runAs } from 'onbehalf';
import { createDelegatedFetch } from 'onbehalf/mcp';
// #endregion
import { answerAll, CALENDAR_URL, MAIL_URL, startBroker } from './environment.ts';

const broker = startBroker();

// #region readme
// At start, before there is any user. A server that wants a token to connect or list: add an `agentCredential`.
async function connect(url: string, target: string) {
  const fetch = createDelegatedFetch({ broker, url, target, failures: 'tool_result' });
  const client = new Client({ name: 'assistant', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch }));
  const { tools } = await client.listTools();
  return { client, tools, fetch };
}
const calendar = await connect(CALENDAR_URL, 'calendar');
const mail = await connect(MAIL_URL, 'mail');

// For each request: the calls are the user's whose token came with it.
async function answer(subjectToken: string) {
  const delegation = broker.begin({ subjectToken });
  try {
    return await runAs(delegation, async () => [
      await calendar.client.callTool({ name: 'whoami_at_calendar' }),
      await mail.client.callTool({ name: 'whoami_at_mail' }),
    ]);
  } finally {
    broker.end(delegation);
  }
}
// #endregion

await answerAll(async (token) => (await answer(token)).map(textOf).join('; '));

function textOf(result: object): string {
  const { content } = result as { content: readonly { readonly text?: string }[] };
  return content.map(({ text = '' }) => text).join(' ');
}

// #region readme
// At the end.
for (const { client, fetch } of [calendar, mail]) {
  await client.close();
  await fetch.close();
}
broker.close();
// #endregion
