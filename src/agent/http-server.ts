import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AgentCard } from '@a2a-js/sdk';
import type { Door } from './door.ts';
import { type JsonRpc, sendJson } from './json-rpc.ts';

/** What is served. */
export interface Routes {
  readonly card: AgentCard;
  /** Protected resource metadata (RFC 9728), where callers need a token. */
  readonly resource: object | undefined;
  readonly door: Door;
  readonly jsonRpc: JsonRpc;
  /** Whether new requests are taken. */
  readonly isReady: () => boolean;
}

/** An HTTP server that listens. */
export interface Listening {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Serves from now on. */
  serve(routes: Routes): void;
  /** Takes no new connections, and closes those that are idle. Resolves when all are closed. */
  stop(): Promise<void>;
  /** Cuts off every connection that is left. */
  cut(): void;
}

/** A client that sends a request slowly is cut off after this time. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Path of the A2A agent card. */
export const CARD_PATH = '/.well-known/agent-card.json';
/** Path of the protected resource metadata, for a resource without a path (RFC 9728 section 3.1). */
export const RESOURCE_PATH = '/.well-known/oauth-protected-resource';

/**
 * Listens.
 *
 * @param port - 0 for a free one
 * @throws Error of Node when the address cannot be had, e.g. `EADDRINUSE`
 */
export async function listen(host: string, port: number): Promise<Listening> {
  let routes: Routes | undefined;
  let stopping = false;
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    // A connection that becomes idle later than close() is kept by Node for seconds more.
    response.once('close', () => stopping && setImmediate(() => server.closeIdleConnections()));
    if (!routes) return sendJson(response, 503, { error: 'the agent is starting' });
    respond(routes, request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: 'the request failed' });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    url: urlOf(server, host),
    serve(next) {
      routes = next;
    },
    stop() {
      stopping = true;
      return new Promise((resolve) => server.close(() => resolve()));
    },
    cut: () => server.closeAllConnections(),
  };
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function respond(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?', 1)[0];
  if (path === '/') return call(routes, request, response);
  const found = path === undefined ? undefined : document(routes, path);
  if (!found) return sendJson(response, 404, { error: 'there is nothing here' });
  if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod(response, 'GET, HEAD');
  sendJson(response, found.status, found.body);
}

function document(
  { card, resource, isReady }: Routes,
  path: string,
): { readonly status: number; readonly body: unknown } | undefined {
  switch (path) {
    case CARD_PATH:
      return { status: 200, body: card };
    case '/health':
      return { status: 200, body: { status: 'ok' } };
    case '/ready':
      return isReady()
        ? { status: 200, body: { status: 'ready' } }
        : { status: 503, body: { status: 'stopping' } };
    case RESOURCE_PATH:
      return resource && { status: 200, body: resource };
    default:
      return undefined;
  }
}

async function call(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') return wrongMethod(response, 'POST');
  if (!routes.isReady()) {
    return sendJson(response, 503, { error: 'the agent is being stopped' }, { connection: 'close' });
  }
  const admitted = await routes.door(request);
  if ('status' in admitted) {
    response.writeHead(admitted.status, { ...admitted.headers, connection: 'close' }).end(admitted.body);
    return;
  }
  await routes.jsonRpc(request, response, admitted);
}

function wrongMethod(response: ServerResponse, allow: string): void {
  sendJson(response, 405, { error: `use ${allow}` }, { allow, connection: 'close' });
}
