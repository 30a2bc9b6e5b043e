import { checkOptions } from '../core/options.ts';
import { loadPeer } from '../core/peer.ts';
import { loadAgentFolder } from './load-config.ts';
import type { AgentServer, AgentServerOptions } from './types.ts';

/**
 * Serves the agent of a folder over A2A (JSON-RPC): each run acts for the user whose token came with the message, and for nobody
 * else. Token services and MCP servers that are down do not keep it from starting.
 *
 * @throws TypeError that names the file and the field which is wrong, and what to do
 * @throws OnbehalfError `insecure_url`; `client_auth_unavailable` when the key of the model cannot be read; `peer_missing` without
 * `@google/adk` or `@a2a-js/sdk`, or without `@modelcontextprotocol/client` where there are MCP servers
 */
export async function startAgentServer(options: AgentServerOptions): Promise<AgentServer> {
  checkOptions(options, 'startAgentServer()', {
    folder: 'text',
    host: 'text?',
    port: 'natural?',
    graceMs: 'natural?',
    maxContexts: 'positive?',
    contextTtlMs: 'positive?',
    adminPort: 'natural?',
    maxRequestsPerMinute: 'positive?',
    reloadIntervalMs: 'natural?',
    observer: 'object?',
    environment: 'object?',
    onWarning: 'function?',
    onError: 'function?',
  });
  const folder = await loadAgentFolder(options.folder, options.environment ?? process.env);
  const { http_tools, sse_tools } = folder.config;
  // Before the ADK, which fails for want of it too.
  await loadPeer('@a2a-js/sdk', PURPOSE, () => import('@a2a-js/sdk'));
  const { serve } = await loadPeer('@google/adk', PURPOSE, () => import('./serve.ts'));
  // It would be loaded for the first run; but that it is missing should be known before there are users.
  if (http_tools.length + sse_tools.length > 0) {
    await loadPeer(
      '@modelcontextprotocol/client',
      'an agent with MCP servers',
      () => import('@modelcontextprotocol/client'),
    );
  }
  return serve(folder, options);
}

const PURPOSE = 'an agent server';
