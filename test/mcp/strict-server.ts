// An MCP server of bare HTTP that binds each session to whoever opened it, and writes down all it gets. It can be made to
// refuse, to forget, to hold and to answer as no SDK does.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** One request as it came. */
export interface Seen {
  /** JSON-RPC method of a POST; else the HTTP method. */
  readonly method: string;
  /** JSON-RPC id. */
  readonly id: unknown;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  /** `sub` of the token; `-` without one. */
  readonly sub: string;
  readonly token: string | undefined;
  readonly session: string | undefined;
  /** 0 while the answer has not begun. */
  status: number;
}

/** Answers in place of the server; `false` leaves it to the server. */
type Answer = (seen: Seen, response: ServerResponse) => boolean | undefined | Promise<boolean | undefined>;

export interface StrictOptions {
  /** Who may do without a token: nobody, whoever finds out what there is (default), everybody. */
  readonly open?: 'nothing' | 'discovery' | 'everything';
  /** Whether it does without session ids. Default: false. */
  readonly stateless?: boolean;
}

export interface StrictServer {
  readonly url: string;
  readonly requests: Seen[];
  /** Sessions that are open, and who opened them. */
  readonly sessions: Map<string, string>;
  /** Calls that were carried out, as `tool sub`. */
  readonly executed: string[];
  /** What must never come: a call without a token, a token in a session that was opened under another. */
  readonly violations: string[];
  /** The requests of these methods, as `method sub status`. */
  log(...methods: string[]): string[];
  of(method: string): Seen[];
  /** Asked before anything else, until it is set to `undefined`. */
  answer: Answer | undefined;
  /** Answers the next requests of a method with this. */
  refuse(method: string, status: number, more?: { times?: number; challenge?: string }): void;
  /** Forgets every session, as a server does that is started anew. */
  restart(): void;
  /** Takes this token no more. */
  revoke(token: string | undefined): void;
  /** Resolves when so many requests of this method have come. */
  arrived(method: string, count?: number): Promise<void>;
}

const DISCOVERY = new Set(['initialize', 'notifications/initialized', 'tools/list', 'ping', 'GET', 'DELETE']);

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly protocolVersion?: string };
}

/** Starts the server on a free loopback port; closed after the test. */
export async function startStrictServer(options: StrictOptions = {}): Promise<StrictServer> {
  const { open = 'discovery', stateless = false } = options;
  const refusals: { method: string; status: number; challenge: string | undefined }[] = [];
  const revoked = new Set<string>();
  let waiting: { method: string; count: number; resolve: () => void }[] = [];
  let opened = 0;

  const usual = (seen: Seen, message: Message, response: ServerResponse): true => {
    const { method, session, sub } = seen;
    const needsToken = open === 'nothing' || (open === 'discovery' && !DISCOVERY.has(method));
    if (seen.token === undefined && needsToken) {
      if (method === 'tools/call') server.violations.push('a call without a token');
      return end(response, 401);
    }
    if (seen.token !== undefined && revoked.has(seen.token)) {
      return end(response, 401, { 'www-authenticate': 'Bearer error="invalid_token"' });
    }
    // Whoever opens a session has none yet.
    const named = method === 'initialize' ? undefined : session;
    const owner = server.sessions.get(named ?? '');
    if (named !== undefined && owner === undefined) return end(response, 404);
    if (owner !== undefined && owner !== sub) {
      server.violations.push(`${method} of ${sub} in a session of ${owner}`);
      return end(response, 403);
    }
    if (method === 'GET') return end(response, 405);
    if (method === 'DELETE') {
      server.sessions.delete(session ?? '');
      return end(response, 200);
    }
    if (method === 'initialize') {
      opened += 1;
      if (!stateless) {
        server.sessions.set(`s${opened}`, sub);
        response.setHeader('mcp-session-id', `s${opened}`);
      }
      const { protocolVersion } = message.params ?? {};
      return result(response, message.id, {
        ...{ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'strict', version: '1' } },
      });
    }
    if (message.id === undefined) return end(response, 202);
    if (session === undefined && !stateless) return end(response, 400);
    if (method === 'tools/list') {
      const tools = [{ name: 'whoami', inputSchema: { type: 'object' } }];
      return result(response, message.id, { tools });
    }
    if (method === 'tools/call') server.executed.push(`${message.params?.name} ${sub}`);
    return result(response, message.id, { content: [{ type: 'text', text: `you are ${sub}` }] });
  };

  const http = createServer(async (request, response) => {
    const body = await text(request);
    const message: Message = body === '' ? {} : Object(JSON.parse(body));
    const { 'mcp-session-id': session, authorization } = request.headers;
    const token = authorization?.replace(/^Bearer /, '');
    const seen: Seen = {
      ...{ method: message.method ?? request.method ?? '', id: message.id, body, headers: request.headers },
      ...{
        sub: subOf(token),
        token,
        session: session === undefined ? undefined : String(session),
        status: 0,
      },
    };
    response.on('finish', () => {
      seen.status = response.statusCode;
    });
    server.requests.push(seen);
    const reached = server.of(seen.method).length;
    for (const one of waiting) if (one.method === seen.method && one.count <= reached) one.resolve();
    if ((await server.answer?.(seen, response)) === true) return;
    const index = refusals.findIndex(({ method }) => method === seen.method);
    const [refusal] = index < 0 ? [] : refusals.splice(index, 1);
    if (!refusal) return void usual(seen, message, response);
    end(response, refusal.status, refusal.challenge ? { 'www-authenticate': refusal.challenge } : {});
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });

  const server: StrictServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    requests: [],
    sessions: new Map(),
    executed: [],
    violations: [],
    of: (method) => server.requests.filter((seen) => seen.method === method),
    log: (...methods) =>
      server.requests
        .filter(({ method }) => methods.length === 0 || methods.includes(method))
        .map(({ method, sub, status }) => `${method} ${sub} ${status}`),
    answer: undefined,
    refuse(method, status, { times = 1, challenge } = {}) {
      for (let index = 0; index < times; index++) refusals.push({ method, status, challenge });
    },
    restart: () => server.sessions.clear(),
    revoke: (token) => void revoked.add(token ?? ''),
    arrived(method, count = 1) {
      if (server.of(method).length >= count) return Promise.resolve();
      return new Promise((resolve) => {
        waiting = [...waiting, { method, count, resolve }];
      });
    },
  };
  return server;
}

/** Answers with a JSON-RPC result. */
export function result(response: ServerResponse, id: unknown, value: object): true {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result: value }));
  return true;
}

/** Answers with a status, and a body if there is one. */
export function end(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
  body = '',
): true {
  response.writeHead(status, headers).end(body);
  return true;
}

function subOf(token: string | undefined): string {
  if (token === undefined) return '-';
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub;
  } catch {
    return token;
  }
}
