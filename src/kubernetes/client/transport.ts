import type { IncomingHttpHeaders, IncomingMessage, Agent as PlainAgent } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import type { Access } from './credentials.ts';

/** A request as it is sent. */
export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Whether the answer lasts for minutes. */
  readonly lasting: boolean;
  readonly access: Access;
  readonly signal: AbortSignal;
}

/** An answer as it arrives. */
export interface KubeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** Sends requests over connections that are kept. */
export interface Transport {
  /** @throws errors with a system or TLS `code`, or the reason of the request's signal */
  send(request: KubeRequest): Promise<KubeAnswer>;
  close(): void;
}

/** Requests at the same time; more wait. Less than what one client is given by the API server's fairness rules. */
const MAX_CONNECTIONS = 16;
/** Idle connections are closed by us after so long; by the API server after 90 seconds, maybe just as we write. */
const IDLE_MS = 30_000;
/** When nothing arrives for so long, TCP asks whether the other side is still there. */
const PROBE_MS = 15_000;

interface Agents {
  readonly tls: Access['tls'];
  readonly short: PlainAgent;
  readonly lasting: PlainAgent;
}

/** Makes a transport over HTTP/1.1. */
export function createTransport(): Transport {
  let agents: Agents | undefined;
  const agentsOf = ({ server, tls }: Access): Agents => {
    if (agents && isDeepStrictEqual(agents.tls, tls)) return agents;
    const Agent = isPlain(server) ? http.Agent : https.Agent;
    const { rejectUnauthorized, ...rest } = tls;
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const options = { ...given, rejectUnauthorized };
    // Watches have connections of their own, so that no request has to wait for the end of one.
    agents = {
      tls,
      short: new Agent({ ...options, keepAlive: true, maxSockets: MAX_CONNECTIONS, timeout: IDLE_MS }),
      lasting: new Agent({ ...options, keepAlive: false }),
    };
    return agents;
  };
  return {
    send(request) {
      const { access, lasting } = request;
      const { short, lasting: own } = agentsOf(access);
      return exchange(request, lasting ? own : short);
    },
    close() {
      agents?.short.destroy();
      agents?.lasting.destroy();
      agents = undefined;
    },
  };
}

const isPlain = (server: string): boolean => server.startsWith('http:');

function exchange(request: KubeRequest, agent: PlainAgent): Promise<KubeAnswer> {
  const { access, method, headers, body, signal } = request;
  const url = new URL(access.server);
  const send = isPlain(access.server) ? http.request : https.request;
  return new Promise((resolve, reject) => {
    const outgoing = send({
      ...{ agent, method, signal },
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? undefined : url.port,
      path: `${url.pathname.replace(/\/$/, '')}${request.path}`,
      headers: {
        ...headers,
        ...access.headers,
        host: url.host,
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      },
      ...(access.auth === undefined ? {} : { auth: access.auth }),
    });
    outgoing.on('socket', (socket) => socket.setKeepAlive(true, PROBE_MS));
    outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    outgoing.on('response', (incoming: IncomingMessage) => {
      // Whoever does not read to the end must not be told of a connection that breaks then.
      incoming.on('error', () => {});
      resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: incoming });
    });
    outgoing.end(body);
  });
}
