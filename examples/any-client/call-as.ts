// The README's example for any MCP client, as code that is compiled and run by a test.
// #region readme
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Broker, runAs } from 'onbehalf';
import { createDelegatedFetch } from 'onbehalf/mcp';

/** Calls one tool for the user whose token came in with a request. */
export async function callAs(broker: Broker, subjectToken: string, url: string, name: string) {
  const fetch = createDelegatedFetch({ broker, url, target: 'calendar' });
  const client = new Client({ name: 'assistant', version: '1.0.0' });
  const delegation = broker.begin({ subjectToken });
  try {
    return await runAs(delegation, async () => {
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch }));
      return client.callTool({ name });
    });
  } finally {
    await client.close();
    broker.end(delegation);
  }
}
// #endregion
