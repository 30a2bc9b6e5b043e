import { randomUUID } from 'node:crypto';
import { withDeadline } from '../core/deadline.ts';
import { isOnbehalfError, OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { openSseSession, type SseSession } from './sse-session.ts';

/** Options of {@link createSseBridge}. */
export interface SseBridgeOptions {
  /** Names the server in errors. */
  readonly name: string;
  /** URL of the server's event stream. */
  readonly url: string;
  /** Sends the requests. The bodies of its answers have to be bounded. */
  readonly fetch: FetchLike;
}

/** How long the server may take to name its endpoint. */
const OPENING_MS = 30_000;
/** A session that nobody has used for so long is closed, where its client has not said that it is over. */
const IDLE_MS = 120_000;
const MOST_SESSIONS = 10_000;

interface Kept {
  readonly session: SseSession;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * A `fetch` that is a server of the Streamable HTTP transport, made of one that speaks the transport of before (HTTP with
 * server-sent events, MCP 2024-11-05). So whatever holds for a client's requests holds here: each session is its client's own, and each
 * message goes with the token and the header fields that its client gave it. Of the server's own answers 401, 403 and 404
 * are the client's to read. Messages go to the endpoint that the server names, which has to be where its event stream is.
 */
export function createSseBridge({ name, url, fetch }: SseBridgeOptions): FetchLike {
  const sessions = new Map<string, Kept>();

  const rest = (kept: Kept): void => {
    clearTimeout(kept.timer);
    kept.timer = setTimeout(() => (kept.session.busy ? rest(kept) : kept.session.close()), IDLE_MS).unref();
  };

  const open = async (
    init: RequestInit,
  ): Promise<{ readonly id: string; readonly kept: Kept } | Response> => {
    if (sessions.size >= MOST_SESSIONS) throw full(name);
    const id = randomUUID();
    const session = await openStream(init, () => {
      clearTimeout(sessions.get(id)?.timer);
      sessions.delete(id);
    });
    if (session instanceof Response) return session;
    const kept: Kept = { session, timer: undefined };
    if (session.ended) return { id, kept };
    sessions.set(id, kept);
    rest(kept);
    return { id, kept };
  };

  const openStream = async (init: RequestInit, onClosed: () => void): Promise<SseSession | Response> => {
    const cutting = new AbortController();
    const cut = (): void => cutting.abort();
    const signal = init.signal ?? undefined;
    signal?.addEventListener('abort', cut);
    try {
      const response = await fetch(url, {
        ...{ method: 'GET', redirect: init.redirect ?? 'manual', signal: cutting.signal },
        headers: fieldsFor(init, { accept: 'text/event-stream' }),
      });
      const { body, headers } = response;
      if (!response.ok) return response;
      if (!body || !headers.get('content-type')?.startsWith('text/event-stream')) {
        cut();
        throw noStream(name);
      }
      return await withDeadline(OPENING_MS, signal, () =>
        openSseSession({ server: name, url, body, cut, onClosed }),
      );
    } catch (error) {
      cut();
      signal?.throwIfAborted();
      if (isOnbehalfError(error) && error.code === 'deadline_exceeded') throw slow(name);
      throw error;
    } finally {
      signal?.removeEventListener('abort', cut);
    }
  };

  const post = async ({ session }: Kept, init: RequestInit, message: Message): Promise<Response> => {
    const signal = init.signal ?? undefined;
    const isRequest = message.id !== undefined && message.method !== undefined;
    // Before it is sent: the answer may come before the server says that it has taken the request.
    const answer = isRequest ? session.answersTo(message.id, signal) : undefined;
    const drop = (): void => {
      if (isRequest) session.forget(message.id);
    };
    try {
      const response = await fetch(session.endpoint, { ...init, headers: fieldsFor(init, {}) });
      if (response.ok) {
        void response.body?.cancel().catch(() => {});
        return answer ?? new Response(null, { status: 202 });
      }
      drop();
      // It knows the session no more.
      if (response.status === 404) session.close();
      return response;
    } catch (error) {
      drop();
      throw error;
    }
  };

  const initialize = async (init: RequestInit, message: Message): Promise<Response> => {
    const opened = await open(init);
    if (opened instanceof Response) return opened;
    const { id, kept } = opened;
    try {
      const response = await post(kept, init, message);
      if (!response.ok) kept.session.close();
      else response.headers.set('mcp-session-id', id);
      return response;
    } catch (error) {
      kept.session.close();
      throw error;
    }
  };

  return async (_url, init) => {
    const id = new Headers(init.headers).get('mcp-session-id');
    const kept = id === null ? undefined : sessions.get(id);
    const message = init.method === 'POST' ? messageOf(init.body) : undefined;
    if (message?.method === 'initialize') return initialize(init, message);
    if (!kept) return new Response(null, { status: id === null && !message ? 405 : 404 });
    rest(kept);
    if (message) return post(kept, init, message);
    if (init.method === 'GET') {
      return kept.session.listen(init.signal ?? undefined) ?? new Response(null, { status: 409 });
    }
    kept.session.close();
    return new Response(null, { status: 204 });
  };
}

interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
}

function messageOf(body: RequestInit['body']): Message {
  try {
    return Object(JSON.parse(String(body))) as Message;
  } catch {
    return {};
  }
}

/** The session is the bridge's own, of which the server knows nothing. */
function fieldsFor({ headers: given }: RequestInit, more: Readonly<Record<string, string>>): Headers {
  const headers = new Headers(given);
  headers.delete('mcp-session-id');
  if (more.accept !== undefined) headers.delete('content-type');
  for (const [name, value] of Object.entries(more)) headers.set(name, value);
  return headers;
}

function full(name: string): OnbehalfError {
  const message = `${MOST_SESSIONS} sessions are open at ${name}, the most there may be`;
  return new OnbehalfError('capacity_exceeded', message, { failure: 'unavailable' });
}

function slow(name: string): OnbehalfError {
  const message = `${name} opened no session: it named no endpoint within ${OPENING_MS} ms`;
  return new OnbehalfError('server_unreachable', message, { failure: 'unavailable' });
}

function noStream(name: string): OnbehalfError {
  const message = `${name} opened no session: it answered with no event stream, so its transport is not SSE`;
  return new OnbehalfError('server_failed', message, { failure: 'misconfigured', retryable: false });
}
