import type { IncomingMessage } from 'node:http';
import type { Agent, AgentOptions, request as httpsRequest } from 'node:https';
import { ReadableStream } from 'node:stream/web';
import type { FetchLike } from './http.ts';

/** How long a connection is kept for the next request, in milliseconds: less than servers usually do. */
const KEEP_ALIVE_MS = 4000;
const MAX_IDLE_CONNECTIONS = 16;
/** Statuses that a Response with a body refuses (Fetch, null body status). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
/** Statuses that name another place (Fetch, redirect status). */
const REDIRECT: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Connections of `node:https` that are kept and used again. */
export interface HttpsConnection {
  readonly request: typeof httpsRequest;
  readonly agent: Agent;
}

/** Makes connections with these settings. One that is replaced closes its own when they have been idle for a while. */
export async function connectHttps(settings: AgentOptions): Promise<HttpsConnection> {
  // Loaded at the first request: to import this package should cost nothing that is not needed.
  const { Agent, request } = await import('node:https');
  const limits = { timeout: KEEP_ALIVE_MS, maxFreeSockets: MAX_IDLE_CONNECTIONS };
  return { request, agent: new Agent({ ...settings, ...limits, keepAlive: true }) };
}

/**
 * Makes a `fetch` over `node:https`, whose TLS can be set, which the global one's cannot. It follows no redirect, decodes no
 * content coding, and reads the whole body of a request before it is sent. Answers are streamed.
 *
 * @param connection - gives the connection for a request
 * @returns a function that throws what `connection` does, errors with a system or TLS `code`, TypeError for a redirect where
 * the request says `redirect: 'error'`, or the reason of the request's signal
 */
export function createHttpsFetch(
  connection: (url: string, signal: AbortSignal | undefined) => Promise<HttpsConnection>,
): FetchLike {
  return async (url, init) => {
    const { signal, ...rest } = init;
    // It knows every form of body and headers there is.
    const request = new Request(url, rest);
    const used = await connection(url, signal ?? undefined);
    const body = Buffer.from(await request.arrayBuffer());
    return send(used, { request, body, signal: signal ?? undefined });
  };
}

function send(
  { agent, request: open }: HttpsConnection,
  { request, body, signal }: { request: Request; body: Buffer; signal: AbortSignal | undefined },
): Promise<Response> {
  const headers = { 'accept-encoding': 'identity', ...Object.fromEntries(request.headers) };
  return new Promise((resolve, reject) => {
    const outgoing = open(request.url, { agent, method: request.method, headers, ...(signal && { signal }) });
    outgoing.on('error', (error) => reject(signal?.aborted ? signal.reason : error));
    outgoing.on('response', (incoming) => {
      try {
        if (request.redirect === 'error' && REDIRECT.has(incoming.statusCode ?? 0)) {
          throw new TypeError('the server answered with a redirect');
        }
        resolve(toResponse(incoming, signal));
      } catch (error) {
        incoming.destroy();
        reject(error);
      }
    });
    outgoing.end(body);
  });
}

function toResponse(incoming: IncomingMessage, signal: AbortSignal | undefined): Response {
  const headers = new Headers();
  const { statusCode: status = 0, rawHeaders } = incoming;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    headers.append(rawHeaders[i] as string, rawHeaders[i + 1] as string);
  }
  if (!NULL_BODY.has(status)) return new Response(streamOf(incoming, signal), { status, headers });
  incoming.destroy();
  return new Response(null, { status, headers });
}

/** Not `ReadableStream.from`: cancelling that waits for the next bytes, which a silent event stream never sends. */
function streamOf(incoming: IncomingMessage, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let over = false;
  const once = (act: () => void): void => {
    if (!over) act();
    over = true;
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const fail = (error: unknown): void =>
        once(() => controller.error(signal?.aborted ? signal.reason : error));
      incoming.on('data', (chunk: Buffer) => {
        if (over) return;
        controller.enqueue(new Uint8Array(chunk));
        if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
      });
      incoming.on('end', () => once(() => controller.close()));
      incoming.on('error', fail);
      incoming.on('close', () => fail(new TypeError('the connection was closed before the answer ended')));
    },
    pull: () => void incoming.resume(),
    cancel() {
      over = true;
      incoming.destroy();
    },
  });
}
