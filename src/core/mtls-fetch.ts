import type { IncomingMessage } from 'node:http';
import type { Agent, request as httpsRequest } from 'node:https';
import { ReadableStream } from 'node:stream/web';
import type { ClientCertificate, ClientCertificateSource } from './client-certificate.ts';
import { OnbehalfError } from './errors.ts';
import type { FetchLike } from './http.ts';

/** How long a connection is kept for the next request, in milliseconds: less than servers usually do. */
const KEEP_ALIVE_MS = 4000;
const MAX_IDLE_CONNECTIONS = 16;
/** Statuses that a Response with a body refuses (Fetch, null body status). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

interface Connection {
  readonly request: typeof httpsRequest;
  readonly agent: Agent;
}

/**
 * Makes a `fetch` that shows a client certificate (RFC 8705), which the global one cannot. It follows no redirect and
 * decodes no content coding. A certificate that was replaced is shown from the next request on, in a new connection.
 *
 * @returns a function that throws OnbehalfError `insecure_url` for plain http, `client_auth_unavailable`, errors with a
 * system or TLS `code`, or the reason of the request's signal
 */
export function createMtlsFetch(source: ClientCertificateSource): FetchLike {
  let shown: ClientCertificate | undefined;
  let connection: Promise<Connection> | undefined;
  return async (url, init) => {
    const { signal, ...rest } = init;
    // It knows every form of body and headers there is.
    const request = new Request(url, rest);
    assertHttps(url);
    const certificate = await source(signal ?? undefined);
    if (certificate !== shown) {
      shown = certificate;
      connection = connect(certificate);
    }
    const body = Buffer.from(await request.arrayBuffer());
    return send(await (connection as Promise<Connection>), { request, body, signal: signal ?? undefined });
  };
}

async function connect({ cert, key, ca }: ClientCertificate): Promise<Connection> {
  // Loaded at the first request: to import this package should cost nothing that is not needed.
  const { Agent, request } = await import('node:https');
  // The agent that it replaces may still be in use, and closes its connections when they are idle for so long.
  const limits = { timeout: KEEP_ALIVE_MS, maxFreeSockets: MAX_IDLE_CONNECTIONS };
  return { request, agent: new Agent({ keepAlive: true, ...limits, cert, key, ...(ca && { ca }) }) };
}

function send(
  connection: Connection,
  { request, body, signal }: { request: Request; body: Buffer; signal: AbortSignal | undefined },
): Promise<Response> {
  const headers = { 'accept-encoding': 'identity', ...Object.fromEntries(request.headers) };
  return new Promise((resolve, reject) => {
    const options = { agent: connection.agent, method: request.method, headers, ...(signal && { signal }) };
    const outgoing = connection.request(request.url, options);
    outgoing.on('error', (error) => reject(signal?.aborted ? signal.reason : error));
    outgoing.on('response', (incoming) => {
      try {
        resolve(toResponse(incoming));
      } catch (error) {
        incoming.destroy();
        reject(error);
      }
    });
    outgoing.end(body);
  });
}

function toResponse(incoming: IncomingMessage): Response {
  const headers = new Headers();
  const { statusCode: status = 0, rawHeaders } = incoming;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    headers.append(rawHeaders[i] as string, rawHeaders[i + 1] as string);
  }
  if (!NULL_BODY.has(status)) return new Response(ReadableStream.from(incoming), { status, headers });
  incoming.destroy();
  return new Response(null, { status, headers });
}

function assertHttps(url: string): void {
  const { origin, protocol } = new URL(url);
  if (protocol === 'https:') return;
  throw new OnbehalfError(
    'insecure_url',
    `a client certificate cannot be shown to ${origin}: "clientAuth" by TLS needs https`,
    { failure: 'misconfigured' },
  );
}
