// The README's example for any MCP client, as code that is compiled and run by a test.
// #region readme
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Broker, runAs } from 'onbehalf';
import { createDelegatedFetch } from 'onbehalf/mcp';

/** Once, at start. Nobody's token is needed to connect and to list tools, and none is exchanged. */
export async function connect(broker: Broker, url: string) {
  const fetch = createDelegatedFetch({ broker, url, target: 'calendar' }); // the one line
  const client = new Client({ name: 'assistant', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch }));
  const close = async () => {
    await client.close(); // first, or it tries to get its stream back
    await fetch.close();
  };
  return { client, close };
}

/** For each request: calls a tool for the user whose token came with it. */
export async function callAs(broker: Broker, subjectToken: string, client: Client, name: string) {
  const delegation = broker.begin({ subjectToken });
  try {
    return await runAs(delegation, () => client.callTool({ name }));
  } finally {
    broker.end(delegation);
  }
}
// #endregion
