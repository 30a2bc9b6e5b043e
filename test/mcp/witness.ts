// A real MCP server (the SDK's own) that verifies tokens and writes down every request, with what the demo's
// server has not: resources, tools that change, requests that are held at a gate, sessions that are forgotten.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolRequestSchema,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { type Caller, createBearerVerifier } from '../../examples/demo/bearer.ts';
import { onAnswer, readJsonObject, sendJson } from '../../examples/demo/http.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';

/** One HTTP request as the server saw it. */
export interface Seen extends Partial<Caller> {
  /** JSON-RPC method of a POST, else the HTTP method. */
  method: string;
  tool?: string;
  session?: string;
  /** Header fields, but for the token. */
  headers: IncomingHttpHeaders;
  /** 0 while the answer has not begun. */
  status: number;
}

export interface WitnessOptions {
  /** Also its audience. Default: `calendar`. */
  name?: string;
  tools?: readonly string[];
  /** Ask for a token always, not only for tools/call and resources. Default: false. */
  private?: boolean;
}

export interface Witness {
  url: string;
  /** Everything since the start or the last `take()`. */
  requests: Seen[];
  take(): Seen[];
  /** The requests of these methods, as `method sub status`. */
  log(...methods: string[]): string[];
  /** Calls that were carried out, as `tool sub`. */
  executed: string[];
  readonly openSessions: number;
  /** Called for each request before it is looked at; return a promise to hold it. */
  onRequest: ((seen: Seen) => void | Promise<void>) | undefined;
  /** Called within each tool call; throw to fail it, return a promise to hold it. */
  onCall: ((tool: string, caller: Caller) => void | Promise<void>) | undefined;
  /** Answer the next requests of a method with a status. */
  refuse(method: string, status: number, times?: number): void;
  /** Forgets every session without telling anybody, as a server does that is started anew. */
  forgetSessions(): void;
  /** Has other tools from now on, and tells everybody who listens. */
  changeTools(tools: readonly string[]): Promise<void>;
}

interface Session {
  transport: StreamableHTTPServerTransport;
  mcp: McpServer;
  sub?: string;
}

/** Starts a witness on a free loopback port; closed after the test. */
export async function startWitness(sts: DevelopmentSts, options: WitnessOptions = {}): Promise<Witness> {
  const { name = 'calendar' } = options;
  const verify = createBearerVerifier({ issuer: sts.issuer, jwksUri: sts.jwksUri, audience: name });
  const sessions = new Map<string, Session>();
  const refusals: { method: string; status: number }[] = [];
  let tools = options.tools ?? ['whoami'];

  const http = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const message =
      request.method === 'POST'
        ? await readJsonObject<{ method?: unknown; params?: { name?: unknown } }>(request)
        : undefined;
    const { authorization, ...headers } = request.headers;
    const seen: Seen = { method: String(message?.method ?? request.method), headers, status: 0 };
    if (seen.method === 'tools/call') seen.tool = String(message?.params?.name);
    const id = request.headers['mcp-session-id'];
    if (typeof id === 'string') seen.session = id;
    witness.requests.push(seen);
    onAnswer(response, (status) => {
      seen.status = status;
    });
    const bearer = await verify(request);
    if (bearer.kind === 'valid') Object.assign(seen, bearer.caller);
    await witness.onRequest?.(seen);

    const refusal = refusals.findIndex(({ method }) => method === seen.method);
    if (refusal >= 0) return sendJson(response, refusals.splice(refusal, 1)[0]?.status ?? 500, {});
    const anonymous = ['initialize', 'notifications/initialized', 'tools/list', 'GET', 'DELETE'];
    const needed = options.private === true || !anonymous.includes(seen.method);
    if (bearer.kind === 'invalid' || (needed && bearer.kind === 'absent')) return sendJson(response, 401, {});
    const session = typeof id === 'string' ? sessions.get(id) : undefined;
    if (id !== undefined && !session) return sendJson(response, 404, {});
    const caller = bearer.kind === 'valid' ? bearer.caller : undefined;
    if (caller && session?.sub !== undefined && session.sub !== caller.sub)
      return sendJson(response, 403, {});
    const target = session ?? (await openSession());
    if (caller) target.sub ??= caller.sub;
    const auth = caller && { token: '', clientId: '', scopes: [], extra: { caller } };
    await target.transport.handleRequest(Object.assign(request, auth && { auth }), response, message);
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
    const mcp = new McpServer(
      { name, version: '1.0.0' },
      { capabilities: { tools: { listChanged: true }, resources: {} } },
    );
    mcp.server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: tools.map((tool) => ({ name: tool, inputSchema: { type: 'object', properties: {} } })),
    }));
    mcp.server.setRequestHandler(CallToolRequestSchema, async ({ params }, { authInfo }) => {
      const caller = authInfo?.extra?.caller as Caller;
      await witness.onCall?.(params.name, caller);
      witness.executed.push(`${params.name} ${caller.sub}`);
      return { content: [{ type: 'text', text: `you are ${caller.sub}` }] };
    });
    mcp.server.setRequestHandler(ListResourcesRequestSchema, () => ({
      resources: [{ name: 'notes', uri: 'memo://notes' }],
    }));
    mcp.server.setRequestHandler(ReadResourceRequestSchema, ({ params }, { authInfo }) => {
      const caller = authInfo?.extra?.caller as Caller;
      return { contents: [{ uri: params.uri, text: `the notes of ${caller.sub}` }] };
    });
    const session: Session = { transport, mcp };
    // The SDK's class does not satisfy its own interface under exactOptionalPropertyTypes.
    await mcp.connect(transport as Transport);
    return session;
  }

  const witness: Witness = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    requests: [],
    take: () => witness.requests.splice(0),
    log: (...methods) =>
      witness.requests
        .filter(({ method }) => methods.length === 0 || methods.includes(method))
        .map(({ method, sub, status }) => `${method} ${sub ?? '-'} ${status}`),
    executed: [],
    get openSessions() {
      return sessions.size;
    },
    onRequest: undefined,
    onCall: undefined,
    refuse(method, status, times = 1) {
      for (let index = 0; index < times; index++) refusals.push({ method, status });
    },
    forgetSessions: () => sessions.clear(),
    async changeTools(next) {
      tools = next;
      await Promise.all([...sessions.values()].map(({ mcp }) => mcp.server.sendToolListChanged()));
    },
  };
  return witness;
}

/** A failure that the server's own tool reports by a JSON-RPC error with this code. */
export const protocolError = (code: number): McpError => new McpError(code, 'said the tool');
