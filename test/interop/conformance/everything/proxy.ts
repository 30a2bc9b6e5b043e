import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { AGENT, type Caller } from '../parts.ts';

/** One request that was let through. */
export interface Passed {
  readonly sub: string;
  readonly actor: string | undefined;
  /** JSON-RPC method, or that of HTTP where there is none: an answer of the client is `response`. */
  readonly method: string;
  /** Tool that was called, if one was. */
  readonly tool: string | undefined;
}

/** A reverse proxy that lets requests to an MCP server through only under a token that it has verified. */
export interface VerifyingProxy {
  readonly url: string;
  readonly passed: readonly Passed[];
  /** Why requests were refused, the anonymous ones aside. */
  readonly refused: readonly string[];
  /** Requests without a token: refused, and nothing of them reached the server. */
  readonly anonymous: readonly string[];
  /** Sessions that are open, with the `sub` under whose token each was opened. */
  readonly sessions: ReadonlyMap<string, string>;
  /** Under whose token a session was opened, that may have ended. */
  ownerOf(session: string): string | undefined;
}

/** What an agent may ask for in its own name, without a user. */
const OF_THE_AGENT: ReadonlySet<string> = new Set([
  ...['initialize', 'notifications/initialized', 'GET', 'DELETE'],
  ...['tools/list', 'resources/list', 'resources/templates/list', 'prompts/list'],
]);

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: string;
  readonly message: { readonly method?: string; readonly params?: { readonly name?: string } };
}

/** Starts the proxy on loopback, in front of a server that listens on a socket file. Stopped after the test. */
export async function startVerifyingProxy(
  socketPath: string,
  verify: (token: string) => Promise<Caller>,
): Promise<VerifyingProxy> {
  const passed: Passed[] = [];
  const refused: string[] = [];
  const anonymous: string[] = [];
  const owners = new Map<string, string>();
  const sessions = new Map<string, string>();

  const methodOf = ({ incoming, message }: Exchange): string =>
    incoming.method === 'POST' ? (message.method ?? 'response') : (incoming.method ?? '');

  /** Why a caller may not do this; nothing when it may. */
  const objection = (exchange: Exchange, caller: Caller): string | undefined => {
    const session = exchange.incoming.headers['mcp-session-id'];
    const owner = typeof session === 'string' ? owners.get(session) : undefined;
    if (owner !== undefined && owner !== caller.sub) return `${caller.sub} in a session of ${owner}`;
    if (caller.actor === AGENT) return undefined;
    const itself = caller.actor === undefined && caller.sub === AGENT;
    return itself && OF_THE_AGENT.has(methodOf(exchange)) ? undefined : `${caller.sub} without an actor`;
  };

  const refuse = ({ response }: Exchange, status: 401 | 403, reason: string): void => {
    refused.push(reason);
    response.writeHead(status, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
  };

  const forward = (exchange: Exchange, caller: Caller): void => {
    const { incoming, response, body } = exchange;
    // The server has no use for the token, and cannot tell what it was not told.
    const { authorization: _, ...headers } = incoming.headers;
    const onward = request({ socketPath, path: incoming.url, method: incoming.method, headers }, (answer) => {
      const session = answer.headers['mcp-session-id'];
      if (exchange.message.method === 'initialize' && typeof session === 'string') {
        owners.set(session, caller.sub);
        sessions.set(session, caller.sub);
      }
      if (incoming.method === 'DELETE') sessions.delete(String(incoming.headers['mcp-session-id']));
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    });
    response.on('close', () => onward.destroy());
    onward.end(body);
  };

  const handle = async (exchange: Exchange): Promise<void> => {
    const { authorization } = exchange.incoming.headers;
    if (authorization === undefined) {
      anonymous.push(methodOf(exchange));
      exchange.response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
      return;
    }
    const caller = await verify(authorization.replace(/^Bearer /, '')).catch((error: Error) => error);
    if (caller instanceof Error) return refuse(exchange, 401, caller.message);
    const reason = objection(exchange, caller);
    if (reason !== undefined) return refuse(exchange, 403, reason);
    const tool = exchange.message.method === 'tools/call' ? exchange.message.params?.name : undefined;
    passed.push({ sub: caller.sub, actor: caller.actor, method: methodOf(exchange), tool });
    forward(exchange, caller);
  };

  const server = createServer(async (incoming, response) => {
    const body = await text(incoming);
    const message = incoming.method === 'POST' ? JSON.parse(body) : {};
    await handle({ incoming, response, body, message });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return { url, passed, refused, anonymous, sessions, ownerOf: (session) => owners.get(session) };
}
