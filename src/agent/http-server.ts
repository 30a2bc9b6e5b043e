import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AgentCard } from '@a2a-js/sdk';
import { bind } from './bind.ts';
import type { Caller } from './caller.ts';
import type { Door } from './door.ts';
import { type JsonRpc, sendJson } from './json-rpc.ts';
import { boundConnections, oneAtATime } from './one-at-a-time.ts';

/** What is served. */
export interface Routes {
  readonly card: () => AgentCard;
  /** Protected resource metadata (RFC 9728), where callers need a token. */
  readonly resource: () => object | undefined;
  readonly door: Door;
  readonly jsonRpc: JsonRpc;
  /** After how many seconds this caller may ask again; 0: now. */
  readonly waitOf: (caller: Caller, request: IncomingMessage) => number;
  /** Told the status of each answer. */
  readonly onAnswer: (status: number) => void;
  /** Whether no new requests are taken any more. */
  readonly isStopping: () => boolean;
  /** What the agent needs and has not got yet. It answers all the same, as far as it can. */
  readonly waitingFor: () => readonly string[];
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

/** How often it is looked for such clients. */
const CHECK_INTERVAL_MS = 5_000;

/** Of more connections than these, some that wait are closed. */
const MAX_CONNECTIONS = 4_096;

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
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    oneAtATime((request, response) => {
      // A connection that becomes idle later than close() is kept by Node for seconds more.
      response.once('close', () => stopping && setImmediate(() => server.closeIdleConnections()));
      if (!routes) return sendJson(response, 503, { error: 'the agent is starting' });
      const { onAnswer } = routes;
      response.once('finish', () => onAnswer(response.statusCode));
      respond(routes, request, response).catch(() => {
        if (response.headersSent) response.destroy();
        else sendJson(response, 500, { error: 'the request failed' });
      });
    }),
  );
  boundConnections(server, MAX_CONNECTIONS);
  const url = await bind(server, host, port);
  return {
    url,
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

async function respond(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?', 1)[0];
  if (path === '/') return call(routes, request, response);
  const found = path === undefined ? undefined : document(routes, path);
  if (!found) return sendJson(response, 404, { error: 'there is nothing here' });
  if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod(response, 'GET, HEAD');
  sendJson(response, found.status, found.body);
}

function document(
  routes: Routes,
  path: string,
): { readonly status: number; readonly body: unknown } | undefined {
  switch (path) {
    case CARD_PATH:
      return { status: 200, body: routes.card() };
    case '/health':
      return { status: 200, body: { status: 'ok' } };
    case '/ready':
      return readiness(routes);
    case RESOURCE_PATH: {
      const body = routes.resource();
      return body && { status: 200, body };
    }
    default:
      return undefined;
  }
}

function readiness({ isStopping, waitingFor }: Routes): {
  readonly status: number;
  readonly body: object;
} {
  if (isStopping()) return { status: 503, body: { status: 'stopping' } };
  const waiting_for = waitingFor();
  return waiting_for.length === 0
    ? { status: 200, body: { status: 'ready' } }
    : { status: 503, body: { status: 'starting', waiting_for } };
}

async function call(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') return wrongMethod(response, 'POST');
  if (routes.isStopping()) {
    return sendJson(response, 503, { error: 'the agent is being stopped' }, { connection: 'close' });
  }
  const admitted = await routes.door(request);
  if ('status' in admitted) {
    response.writeHead(admitted.status, { ...admitted.headers, connection: 'close' }).end(admitted.body);
    return;
  }
  const seconds = routes.waitOf(admitted, request);
  if (seconds > 0) {
    const headers = { 'retry-after': String(seconds), connection: 'close' };
    return sendJson(response, 429, { error: 'too many requests: try again later' }, headers);
  }
  await routes.jsonRpc(request, response, admitted);
}

function wrongMethod(response: ServerResponse, allow: string): void {
  sendJson(response, 405, { error: `use ${allow}` }, { allow, connection: 'close' });
}
