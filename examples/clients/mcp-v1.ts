// The MCP SDK, version 1: one client for each server, shared by all users.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { runAs } from 'onbehalf';
import { createDelegatedFetch } from 'onbehalf/mcp';
import { answerAll, CALENDAR_URL, MAIL_URL, startBroker } from './environment.ts';

const broker = startBroker();

// #region readme
async function connect(url: string, target: string) {
  const fetch = createDelegatedFetch({ broker, url, target, failures: 'tool_result' });
  const client = new Client({ name: 'assistant', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch }));
  const { tools } = await client.listTools();
  return { client, tools, fetch };
}

// At start, before there is any user: connecting and listing tools needs no token of anybody.
const servers = [await connect(CALENDAR_URL, 'calendar'), await connect(MAIL_URL, 'mail')];

// For each request: the calls are the user's whose token came with it.
async function answer(subjectToken: string): Promise<string> {
  const delegation = broker.begin({ subjectToken });
  try {
    return await runAs(delegation, callAllTools);
  } finally {
    broker.end(delegation);
  }
}
// #endregion

async function callAllTools(): Promise<string> {
  const calls = servers.flatMap(({ client, tools }) => tools.map(({ name }) => client.callTool({ name })));
  return (await Promise.all(calls)).map(textOf).join('; ');
}

function textOf(result: object): string {
  const { content } = result as { content: readonly { readonly text?: string }[] };
  return content.map(({ text = '' }) => text).join(' ');
}

await answerAll(answer);
for (const { client, fetch } of servers) {
  await client.close();
  await fetch.close();
}
broker.close();
