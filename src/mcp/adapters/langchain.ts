import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { loadPeer } from '../../core/peer.ts';
import { createDelegatedFetch, type DelegatedFetchOptions } from '../delegated-fetch.ts';

/**
 * Connects the MCP client whose tools `loadMcpTools(name, client)` of `@langchain/mcp-adapters` loads. All users share it:
 * each tool runs on behalf of the user under whose `runAs` it runs. A call that cannot be made is a `ToolException` that
 * the model can read. `client.close()` also ends its sessions at the server.
 *
 * That package's own `MultiServerMCPClient` takes no `fetch`, and its `authProvider` cannot keep users' sessions apart.
 *
 * @param options - as of `createDelegatedFetch`; `failures` is `tool_result` unless said otherwise
 * @throws OnbehalfError `peer_missing`, `delegation_missing` where the server wants a token to connect and nobody is known,
 * or as a request fails
 */
export async function langchainClient(options: DelegatedFetchOptions): Promise<Client> {
  const fetch = createDelegatedFetch({ failures: 'tool_result', ...options });
  const sdk = '@modelcontextprotocol/sdk';
  const [{ Client }, { StreamableHTTPClientTransport }] = await Promise.all([
    loadPeer(sdk, 'langchainClient()', () => import('@modelcontextprotocol/sdk/client/index.js')),
    loadPeer(sdk, 'langchainClient()', () => import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
  ]);
  const client = new Client({ name: 'onbehalf', version: '0.0.0' });
  const close = client.close.bind(client);
  client.close = async () => {
    await fetch.close();
    await close();
  };
  const transport = new StreamableHTTPClientTransport(new URL(options.url), { fetch });
  try {
    // The SDK's class does not satisfy its own interface under exactOptionalPropertyTypes.
    await client.connect(transport as Transport);
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}
