import type { Client, Tool } from '@modelcontextprotocol/client';
import { abortable } from '../core/abortable.ts';
import { causes, isOnbehalfError, networkCause, OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { loadPeer } from '../core/peer.ts';
import type { McpServer } from './server.ts';

/** One open MCP session. */
export interface McpSession {
  readonly client: Client;
  /** `Mcp-Session-Id` that the server gave, and the negotiated version: what a DELETE has to carry. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends the session with DELETE, as far as the server answers in time, and closes the client. Never throws. */
  end(): Promise<void>;
}

/** How {@link openSession} connects. */
export interface OpenOptions {
  readonly fetch: FetchLike;
  /**
   * Whether to open the GET stream for messages of the server. A session for calls does without: the client offers
   * nothing a server could ask for, and each stream holds a socket.
   */
  readonly listen: boolean;
  readonly onToolsChanged: () => void;
  readonly signal?: AbortSignal | undefined;
}

const CLIENT_INFO = { name: 'onbehalf', version: '0.0.0' };

/**
 * Opens an MCP session over Streamable HTTP.
 *
 * @throws OnbehalfError `peer_missing`, or what `fetch` or the SDK throws
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
  const fetchLike = withoutStream(options.fetch, listens);
  const transport = new sdk.StreamableHTTPClientTransport(server.url, {
    fetch: (url, init) => fetchLike(String(url), init ?? {}),
    requestInit: { redirect: 'manual' },
  });
  const end = async (): Promise<void> => {
    await within(DELETE_TIMEOUT_MS, transport.terminateSession());
    await within(DELETE_TIMEOUT_MS, client.close());
  };
  const { signal } = options;
  try {
    // The SDK's own signal ends with the answer to `initialize`; what follows may hang as well.
    await abortable(client.connect(transport, signal ? { signal } : {}), signal);
  } catch (error) {
    // The server may have made a session before it failed.
    await end();
    throw signal?.aborted ? error : openFailure(server, error);
  }
  const headers: Record<string, string> = {};
  if (transport.sessionId) headers['mcp-session-id'] = transport.sessionId;
  if (transport.protocolVersion) headers['mcp-protocol-version'] = transport.protocolVersion;
  return { client, headers, end };
}

/** How long a DELETE may take: nobody waits for a server that does not answer. */
export const DELETE_TIMEOUT_MS = 2_000;

/** Waits for a promise to settle, but not longer than that. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise.catch(() => {}), elapsed]);
  clearTimeout(timer);
}

/** Lists all tools of a server; one that declares none has none. */
export async function listTools(client: Client, signal?: AbortSignal): Promise<readonly Tool[]> {
  if (!client.getServerCapabilities()?.tools) return [];
  const { tools } = await client.listTools(undefined, { cacheMode: 'refresh', ...(signal && { signal }) });
  return tools;
}

/** Unless somebody listens, answers the GET as a server that offers no stream (405), without asking the server. */
function withoutStream(fetchLike: FetchLike, listens: () => boolean): FetchLike {
  return async (url, init) =>
    init.method === 'GET' && !listens() ? new Response(null, { status: 405 }) : fetchLike(url, init);
}

/**
 * HTTP status behind an error of the MCP SDK. Its `code` is another matter: that of a JSON-RPC error is whatever the
 * server likes, 404 included.
 */
export function httpStatus(error: unknown): number | undefined {
  for (const cause of causes(error)) {
    // Its status is what the STS answered.
    if (isOnbehalfError(cause)) return undefined;
    const { status } = cause as { status?: unknown };
    if (typeof status === 'number') return status;
  }
  return undefined;
}

/** The OnbehalfError in an error's chain of causes: an SDK may have wrapped it. */
export function findOnbehalfError(error: unknown): OnbehalfError | undefined {
  for (const cause of causes(error)) if (isOnbehalfError(cause)) return cause;
  return undefined;
}

/**
 * Says what went wrong in a call to a server without repeating what the server said, which may hold its token.
 * An error of the MCP protocol itself (a JSON-RPC error) is an answer, so it is left to the caller: `undefined`.
 */
export function describeCallFailure(server: McpServer, error: unknown): OnbehalfError | undefined {
  const ours = findOnbehalfError(error);
  if (ours) return ours;
  const status = httpStatus(error);
  if (status === 401 || status === 403) {
    return new OnbehalfError('server_rejected_token', `${server.name} answered with status ${status}`, {
      failure: 'denied',
      status,
    });
  }
  if (status === undefined && typeof (error as { code?: unknown } | null)?.code === 'number')
    return undefined;
  const reason = networkCause(error)?.message ?? '';
  if (status === undefined && NOT_CONNECTED.has(reason)) {
    const message = `${server.name} could not be reached (${reason})`;
    return new OnbehalfError('server_unreachable', message, { failure: 'unavailable' });
  }
  if (status === 429) {
    return new OnbehalfError('server_failed', `${server.name} answered with status 429`, {
      failure: 'unavailable',
      status,
    });
  }
  // It was sent. Whether it was done, nobody here knows; to do it twice may be worse than not at all.
  const what = status === undefined ? 'gave no answer' : `answered with status ${status}`;
  const message = `${server.name} ${what}; whether the call was carried out is not known`;
  const failure = status !== undefined && status < 500 ? 'misconfigured' : 'unavailable';
  return new OnbehalfError('server_failed', message, { failure, status, retryable: false });
}

/** Opening does nothing yet, so where the server is to blame it may be tried again. Other errors stay as they are. */
function openFailure(server: McpServer, error: unknown): unknown {
  const status = httpStatus(error);
  const isTold = findOnbehalfError(error) || typeof (error as { code?: unknown } | null)?.code === 'number';
  if (isTold || (status !== undefined && status < 500 && status !== 429)) return error;
  const reason = networkCause(error)?.message;
  const what = status === undefined ? 'could not be reached' : `answered with status ${status}`;
  const message = `${server.name} ${what}${reason === undefined ? '' : ` (${reason})`}`;
  return new OnbehalfError('server_unreachable', message, { failure: 'unavailable', status });
}

/** System errors before anything was sent. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
