import type { Client, StreamableHTTPClientTransport, Tool } from '@modelcontextprotocol/client';
import { abortable } from '../core/abortable.ts';
import type { FetchLike } from '../core/http.ts';
import { loadPeer } from '../core/peer.ts';
import { describeCallFailure, type Stage } from './call-failure.ts';
import { createEcho } from './echo.ts';
import type { McpServer } from './server.ts';
import type { Opening, OpenSession } from './session-place.ts';

/** One open MCP session. Whoever opened it ends it at the server. */
export interface McpSession extends OpenSession {
  readonly client: Client;
}

/** How {@link openSession} connects. */
export interface OpenOptions extends Opening {
  /**
   * Whether to open the GET stream for messages of the server. A session for calls does without: the client offers
   * nothing a server could ask for, and each stream holds a socket.
   */
  readonly listen: boolean;
  readonly onToolsChanged: () => void;
}

const CLIENT_INFO = { name: 'onbehalf', version: '0.0.0' };

/**
 * Opens an MCP session over Streamable HTTP. Whatever its client gives, in answers and errors, is without the tokens
 * that were sent: nothing that a server says over HTTP leaves it, nor does a token that a JSON-RPC message repeats.
 *
 * @throws OnbehalfError `peer_missing`, `server_rejected_token`, `server_unreachable`, `server_failed`, or what `fetch`
 * throws; a JSON-RPC error of the server; the reason of `signal`
 */
export async function openSession(server: McpServer, options: OpenOptions): Promise<McpSession> {
  const sdk = await loadPeer(
    '@modelcontextprotocol/client',
    'onbehalf/mcp',
    () => import('@modelcontextprotocol/client'),
  );
  const client = new sdk.Client(CLIENT_INFO);
  client.setNotificationHandler('notifications/tools/list_changed', options.onToolsChanged);
  // A server that does not say that its tools change has nothing to tell on the stream.
  const listens = (): boolean =>
    options.listen && client.getServerCapabilities()?.tools?.listChanged === true;
  const echo = createEcho();
  const fetchLike = withoutStream(options.fetch({ ...server, fetch: echo.watch(server.fetch) }), listens);
  const transport = new sdk.StreamableHTTPClientTransport(server.url, {
    fetch: (url, init) => fetchLike(String(url), init ?? {}),
    requestInit: { redirect: 'manual' },
  });
  let stage: Stage = 'opening';
  const told = (error: unknown): unknown => describeCallFailure(server, error, stage) ?? error;
  // The client calls it before it looks at the message itself.
  transport.onmessage = echo.clean;
  tellSafely(transport, told);
  const dispose = (): Promise<void> => client.close();
  const { signal } = options;
  try {
    // The SDK's own signal ends with the answer to `initialize`; what follows may hang as well.
    await abortable(client.connect(transport, { signal }), signal);
  } catch (error) {
    await dispose().catch(() => {});
    throw signal.aborted ? signal.reason : told(error);
  }
  stage = 'call';
  const { onerror } = transport;
  transport.onerror = (error) => onerror?.(told(error) as Error);
  const headers: Record<string, string> = {};
  if (transport.sessionId) headers['mcp-session-id'] = transport.sessionId;
  if (transport.protocolVersion) headers['mcp-protocol-version'] = transport.protocolVersion;
  return { client, headers, dispose };
}

/** Errors of the SDK hold the whole answer of the server: its callers get ours instead. */
function tellSafely(transport: StreamableHTTPClientTransport, told: (error: unknown) => unknown): void {
  const send = transport.send.bind(transport);
  transport.send = async (...message) => {
    try {
      await send(...message);
    } catch (error) {
      throw told(error);
    }
  };
}

/** Lists all tools of a server; one that declares none has none. */
export async function listTools(client: Client, signal?: AbortSignal): Promise<readonly Tool[]> {
  if (!client.getServerCapabilities()?.tools) return [];
  const { tools } = await client.listTools(undefined, { cacheMode: 'refresh', ...(signal && { signal }) });
  return tools;
}

/**
 * Unless somebody listens, answers the GET as a server that offers no stream (405), without asking the server. One that
 * resumes the stream of a call (`Last-Event-ID`) is the call's own.
 */
function withoutStream(fetchLike: FetchLike, listens: () => boolean): FetchLike {
  return async (url, init) => {
    if (init.method !== 'GET' || listens()) return fetchLike(url, init);
    const resumes = new Headers(init.headers).has('last-event-id');
    return resumes ? fetchLike(url, init) : new Response(null, { status: 405 });
  };
}
