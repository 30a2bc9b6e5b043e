// One MCP server of the suite: the SDK's own, behind a check of each request's token and session, and with mishaps.
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { Mishap } from './plan.ts';
import type { Thief } from './thief.ts';

/** What the `Authorization` of a request says: nothing, a user by this agent, the agent itself, or what is not for here. */
export type Identity =
  | { readonly kind: 'none' | 'foreign' }
  | {
      readonly kind: 'user' | 'agent';
      readonly sub: string;
      /** Tells one token from another. */
      readonly digest: string;
    };

/** One request at a server. */
export interface SeenRequest {
  readonly server: string;
  /** JSON-RPC method of a POST, else the HTTP method. */
  readonly method: string;
  /** Of a tools/call. */
  readonly marker: string | undefined;
  readonly identity: Identity;
  /** 0 while the answer has not begun, or when none was given. */
  status: number;
  /** In the session of another subject. */
  inOthersSession: boolean;
}

export interface ServerOptions {
  readonly name: string;
  readonly tool: string;
  readonly issuer: string;
  readonly jwksUri: string;
  /** `sub` of the agent's own token. */
  readonly agent: string;
  /** Answers by JSON, or by an event stream. */
  readonly answers: 'json' | 'sse';
  /** Whether it lists its tools for a token only. */
  readonly private: boolean;
  readonly thief: Thief;
  /** The mishap that the call of this marker meets, if any. */
  readonly mishapOf: (marker: string) => Mishap | undefined;
  /** Called when all connections have been dropped. */
  readonly onCut: () => void;
}

export interface IsolationServer {
  readonly name: string;
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** Markers of the calls that were carried out. */
  readonly executed: readonly string[];
  /** Subjects of the sessions that are open. */
  sessions(): readonly (string | undefined)[];
  close(): Promise<void>;
}

interface Session {
  readonly transport: StreamableHTTPServerTransport;
  /** The first subject whose token was shown in it; nobody else may use it. */
  sub?: string;
}

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly arguments?: { readonly marker?: unknown } };
}

// Compiling schemas is the costly part of a server object, and there is one object for each session.
const schemaValidator = new AjvJsonSchemaValidator();

/** Starts a server on a free loopback port. */
export async function startServer(options: ServerOptions): Promise<IsolationServer> {
  const { name, thief } = options;
  const verify = createVerifier(options);
  const sessions = new Map<string, Session>();
  const requests: SeenRequest[] = [];
  const executed: string[] = [];
  const met = new Set<string>();
  const revoked = new Set<string>();
  let storm = 0;

  const http = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url !== '/mcp') return thief.take(name, request, response);
    const message = request.method === 'POST' ? ((await json(request)) as Message) : undefined;
    const method = message?.method ?? String(message ? 'response' : request.method);
    const marker = method === 'tools/call' ? String(message?.params?.arguments?.marker) : undefined;
    const identity = await verify(request.headers.authorization);
    const seen: SeenRequest = { server: name, method, marker, identity, status: 0, inOthersSession: false };
    requests.push(seen);
    const refused = refusal(seen) ?? (marker === undefined ? undefined : meet(marker, identity));
    if (refused) return answer(response, seen, refused);
    const session = sessionOf(request, seen);
    if (typeof session === 'number') return answer(response, seen, { status: session });
    const to = session ?? (await openSession());
    if ('sub' in identity) to.sub ??= identity.sub;
    seen.status = 200;
    await to.transport.handleRequest(Object.assign(request, authOf(seen)), response, message);
    // Nobody was told of a session whose answer was lost.
    if (!session && to.transport.sessionId && request.socket.destroyed)
      sessions.delete(to.transport.sessionId);
  }

  function refusal({ marker, identity }: SeenRequest): Answer | undefined {
    const needed = marker !== undefined || options.private;
    if (identity.kind === 'foreign' || (needed && identity.kind === 'none')) return UNAUTHORIZED;
    // Of calls alone: what is refused while a session is opened could not be told from what is refused to a call.
    return marker !== undefined && 'digest' in identity && revoked.has(identity.digest)
      ? INVALID_TOKEN
      : undefined;
  }

  /** Lets a mishap happen, and returns what it makes of the request. */
  function meet(marker: string, identity: Identity): Answer | undefined {
    const mishap = met.has(marker) ? undefined : options.mishapOf(marker);
    met.add(marker);
    if (mishap?.kind === 'storm') storm = mishap.calls;
    if (storm > 0 || mishap?.kind === 'rejected') {
      storm = Math.max(0, storm - 1);
      // From now on: what helps is another token, not to ask again.
      if ('digest' in identity) revoked.add(identity.digest);
      return INVALID_TOKEN;
    }
    if (mishap?.kind === 'redirected') {
      const location = mishap.to === 'thief' ? thief.url : `${origin}/elsewhere`;
      return { status: mishap.status, headers: { location } };
    }
    if (mishap?.kind === 'lost') {
      executed.push(marker);
      return mishap.by === 'cut' ? { status: 0 } : { status: mishap.by };
    }
    return mishap?.kind === 'restarted' ? restart(mishap.cut) : undefined;
  }

  function restart(cut: boolean): Answer | undefined {
    sessions.clear();
    // A client waits its whole time-out for a stream that was cut, so only where answers are no streams.
    if (!cut || options.answers === 'sse') return undefined;
    http.closeAllConnections();
    options.onCut();
    return { status: 0 };
  }

  /** The session that a request names, nothing for the first of a session, or the status of a refusal. */
  function sessionOf(request: IncomingMessage, seen: SeenRequest): Session | number | undefined {
    const id = request.headers['mcp-session-id'];
    if (id === undefined) return seen.method === 'initialize' ? undefined : 400;
    const session = sessions.get(String(id));
    if (!session) return 404;
    if (!('sub' in seen.identity)) return session;
    session.sub ??= seen.identity.sub;
    if (session.sub === seen.identity.sub) return session;
    seen.inOthersSession = true;
    return 403;
  }

  async function openSession(): Promise<Session> {
    const transport = new StreamableHTTPServerTransport({
      enableJsonResponse: options.answers === 'json',
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, session),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    const session: Session = { transport };
    const server = new Server(
      { name, version: '1.0.0' },
      { capabilities: { tools: { listChanged: true } }, jsonSchemaValidator: schemaValidator },
    );
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [toolOf(options.tool)] }));
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, { authInfo }) => {
      const marker = String(params.arguments?.marker);
      // So that calls end in another order than they came.
      for (let turns = marker.length % 3; turns > 0; turns--) await nextTurn();
      executed.push(marker);
      const text = JSON.stringify({ sub: authInfo?.extra?.sub, marker });
      return { content: [{ type: 'text', text }] };
    });
    // The SDK's class does not satisfy its own interface under exactOptionalPropertyTypes.
    await server.connect(transport as Transport);
    return session;
  }

  return {
    name,
    url: `${origin}/mcp`,
    requests,
    executed,
    sessions: () => [...sessions.values()].map(({ sub }) => sub),
    close() {
      const stopped = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeAllConnections();
      return stopped;
    },
  };
}

interface Answer {
  /** 0: the connection is dropped. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const UNAUTHORIZED: Answer = { status: 401, headers: { 'www-authenticate': 'Bearer' } };
const INVALID_TOKEN: Answer = {
  status: 401,
  headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
};

function answer(response: ServerResponse, seen: SeenRequest, { status, headers = {} }: Answer): void {
  seen.status = status;
  if (status === 0) response.destroy();
  else response.writeHead(status, headers).end();
}

function toolOf(name: string): object {
  return {
    name,
    description: 'Says who is calling.',
    inputSchema: { type: 'object', properties: { marker: { type: 'string' } }, required: ['marker'] },
  };
}

function authOf({ identity }: SeenRequest): { auth?: AuthInfo } {
  if (!('sub' in identity)) return {};
  // The SDK wants a token here; the tool is to know the name only.
  return { auth: { token: '', clientId: '', scopes: [], extra: { sub: identity.sub } } };
}

/** Verifies by a library that nobody here wrote: signature, issuer, expiry, audience; and that a user's token has this actor. */
function createVerifier({
  name,
  issuer,
  jwksUri,
  agent,
}: ServerOptions): (field?: string) => Promise<Identity> {
  const jwks = createRemoteJWKSet(new URL(jwksUri));
  return async (field) => {
    if (field === undefined) return { kind: 'none' };
    const token = /^Bearer ([\w.-]+)$/.exec(field)?.[1] ?? '';
    try {
      const { payload } = await jwtVerify(token, jwks, {
        issuer,
        audience: name,
        requiredClaims: ['sub', 'exp'],
      });
      const { sub = '', act } = payload;
      const digest = createHash('sha256').update(token).digest('base64url');
      if (sub === agent) return { kind: 'agent', sub, digest };
      return (act as { sub?: unknown } | undefined)?.sub === agent
        ? { kind: 'user', sub, digest }
        : { kind: 'foreign' };
    } catch {
      return { kind: 'foreign' };
    }
  };
}
