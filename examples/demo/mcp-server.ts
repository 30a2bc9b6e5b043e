// A real MCP server over Streamable HTTP that accepts only tokens made for itself, and writes down every
// request it gets with the claims it saw: the witness of the demo. It never keeps or prints a token.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CallToolRequestSchema, ListToolsRequestSchema, type Tool } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { type BearerResult, type Caller, createBearerVerifier } from './bearer.ts';
import { onAnswer, readJsonObject, sendJson } from './http.ts';

export interface DemoTool extends Pick<Tool, 'name' | 'description' | 'inputSchema'> {
  run: (args: Record<string, unknown>, caller: Caller) => string | Promise<string>;
}

/** One HTTP request as the server saw it. */
export interface RecordedRequest extends Partial<Caller> {
  /** When it arrived, in milliseconds since the epoch. */
  at: number;
  server: string;
  /** The JSON-RPC method of a POST, else the HTTP method (`GET`, `DELETE`). */
  method: string;
  tool?: string;
  /** 0 while the answer has not begun. */
  status: number;
}

export interface McpServerOptions {
  name: string;
  audience: string;
  issuer: string;
  jwksUri: string;
  tools: readonly DemoTool[];
  /** Ask for a token on initialize, notifications, tools/list, GET and DELETE too. Default: false. */
  requireTokenForDiscovery?: boolean;
  /** Loopback port. Default: a free one. */
  port?: number;
  /** Called with each request when its answer begins. */
  onAnswered?: ((request: RecordedRequest) => void) | undefined;
}

export interface RunningMcpServer {
  name: string;
  audience: string;
  url: string;
  /** Everything recorded since the start or the last `takeRequests()`. */
  readonly requests: RecordedRequest[];
  readonly openSessions: number;
  takeRequests(): RecordedRequest[];
  /** Answer the next `count` tools/call with 401 although their token is good, as if it had been revoked. */
  rejectNext(count: number): void;
  closeSessions(): Promise<void>;
  close(): Promise<void>;
}

interface Session {
  transport: StreamableHTTPServerTransport;
  /** The subject whose token was first used in this session; nobody else may use it. */
  sub?: string;
}

interface RpcMessage {
  method?: unknown;
  params?: { name?: unknown };
}

/** A refusal, in the form it is answered with. */
interface Refusal {
  status: 400 | 401 | 403 | 404;
  message: string;
  challenge?: string;
}

const METADATA_PATH = '/.well-known/oauth-protected-resource/mcp';
// Compiling schemas is the costly part of a server object, and there is one object for each session.
const schemaValidator = new AjvJsonSchemaValidator();

/** Starts the server on loopback. */
export async function startMcpServer(options: McpServerOptions): Promise<RunningMcpServer> {
  const verifyBearer = createBearerVerifier(options);
  const sessions = new Map<string, Session>();
  let recorded: RecordedRequest[] = [];
  let toReject = 0;

  const http = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: error instanceof Error ? error.name : 'error' });
    });
  });
  await new Promise<void>((resolve) => http.listen(options.port ?? 0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0];
    if (path === METADATA_PATH) {
      return sendJson(response, 200, {
        resource: `${origin}/mcp`,
        authorization_servers: [options.issuer],
      });
    }
    if (path !== '/mcp') return sendJson(response, 404, { error: 'not found' });

    const message = request.method === 'POST' ? await readJsonObject<RpcMessage>(request) : undefined;
    const method = request.method === 'POST' ? String(message?.method ?? 'invalid') : `${request.method}`;
    const at = performance.timeOrigin + performance.now();
    const entry: RecordedRequest = { at, server: options.name, method, status: 0 };
    if (method === 'tools/call') entry.tool = String(message?.params?.name);
    recorded.push(entry);
    onAnswer(response, (status) => {
      entry.status = status;
      options.onAnswered?.({ ...entry });
    });

    const bearer = await verifyBearer(request);
    if (bearer.kind === 'valid') Object.assign(entry, bearer.caller);
    const id = request.headers['mcp-session-id'];
    const session = typeof id === 'string' ? sessions.get(id) : undefined;
    const refusal = refuse({ request, method, message, bearer, session });
    if (refusal) return sendRefusal(response, refusal);

    const caller = bearer.kind === 'valid' ? bearer.caller : undefined;
    const target = session ?? (await openSession());
    if (caller) target.sub ??= caller.sub;
    await target.transport.handleRequest(withCaller(request, caller), response, message);
  }

  function refuse(seen: {
    request: IncomingMessage;
    method: string;
    message: RpcMessage | undefined;
    bearer: BearerResult;
    session: Session | undefined;
  }): Refusal | undefined {
    const { request, method, message, bearer, session } = seen;
    // One message a request: an array could smuggle a tools/call past the check of its method.
    if (request.method === 'POST' && message === undefined) {
      return { status: 400, message: 'one JSON-RPC message expected' };
    }
    const challenge = `resource_metadata="${origin}${METADATA_PATH}"`;
    const invalid = `Bearer error="invalid_token", ${challenge}`;
    if (bearer.kind === 'invalid') return { status: 401, message: bearer.reason, challenge: invalid };
    const needsToken = method === 'tools/call' || options.requireTokenForDiscovery === true;
    if (needsToken && bearer.kind === 'absent') {
      return { status: 401, message: 'bearer token required', challenge: `Bearer ${challenge}` };
    }
    if (method === 'tools/call' && toReject > 0) {
      toReject -= 1;
      return { status: 401, message: 'the token was revoked', challenge: invalid };
    }
    const named = request.headers['mcp-session-id'] !== undefined;
    if (named && !session) return { status: 404, message: 'unknown session' };
    if (!named && method !== 'initialize') return { status: 400, message: 'no session' };
    if (session?.sub !== undefined && bearer.kind === 'valid' && bearer.caller.sub !== session.sub) {
      return { status: 403, message: 'this session belongs to another subject' };
    }
    return undefined;
  }

  async function openSession(): Promise<Session> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        sessions.set(id, session);
      },
      onsessionclosed: (id) => {
        sessions.delete(id);
      },
    });
    const session: Session = { transport };
    // The SDK's class does not satisfy its own interface under exactOptionalPropertyTypes.
    await createProtocolServer(options.name, options.tools).connect(transport as Transport);
    return session;
  }

  async function closeSessions(): Promise<void> {
    const open = [...sessions.values()];
    sessions.clear();
    await Promise.all(open.map((session) => session.transport.close()));
  }

  return {
    name: options.name,
    audience: options.audience,
    url: `${origin}/mcp`,
    get requests() {
      return recorded.map((entry) => ({ ...entry }));
    },
    get openSessions() {
      return sessions.size;
    },
    takeRequests() {
      const taken = recorded;
      recorded = [];
      return taken;
    },
    rejectNext(count) {
      toReject += count;
    },
    closeSessions,
    async close() {
      await closeSessions();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function createProtocolServer(name: string, tools: readonly DemoTool[]): McpServer {
  const mcp = new McpServer(
    { name, version: '1.0.0' },
    { capabilities: { tools: {} }, jsonSchemaValidator: schemaValidator },
  );
  mcp.server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
  }));
  mcp.server.setRequestHandler(CallToolRequestSchema, async ({ params }, { authInfo }) => {
    const tool = tools.find((candidate) => candidate.name === params.name);
    const caller = authInfo?.extra?.caller as Caller | undefined;
    if (!tool || !caller) return { isError: true, content: [{ type: 'text', text: 'no such tool' }] };
    const text = await tool.run(params.arguments ?? {}, caller);
    return { content: [{ type: 'text', text }] };
  });
  return mcp;
}

/** The SDK hands `auth` on to the tool handler. The token itself stays here: no tool needs it. */
function withCaller(request: IncomingMessage, caller: Caller | undefined): IncomingMessage {
  if (!caller) return request;
  const scopes = caller.scope?.split(' ') ?? [];
  return Object.assign(request, {
    auth: { token: '', clientId: caller.act ?? caller.sub, scopes, extra: { caller } },
  });
}

function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  if (refusal.challenge) response.setHeader('www-authenticate', refusal.challenge);
  sendJson(response, refusal.status, {
    jsonrpc: '2.0',
    error: { code: -32000, message: refusal.message },
    id: null,
  });
}
