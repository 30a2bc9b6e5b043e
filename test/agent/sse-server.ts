// A real MCP server of the transport of before 2025-03-26 (HTTP with server-sent events), by the official SDK, which verifies the token
// of every request and writes down who made it, with which header fields.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { createBearerVerifier } from '../../examples/demo/bearer.ts';
import { readJsonObject } from '../../examples/demo/http.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';

/** A request as it arrived. */
export interface SseRequest {
  /** JSON-RPC method of a POST; else the HTTP method. */
  readonly method: string;
  readonly session: string | undefined;
  readonly sub: string | undefined;
  readonly audience: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export interface SseServerOptions {
  readonly name: string;
  /** Whose tokens are needed, for every request. Default: none is. */
  readonly sts?: DevelopmentSts;
  /** Whether a call is refused although its token is good. Default: none is. */
  readonly refuse?: () => boolean;
  /** What the server names as its endpoint, as `http://host/team/messages`. Default: the right one. */
  readonly endpoint?: (origin: string) => string;
  /** What a call does before it is answered; false: it is not answered. */
  readonly onCall?: (server: RunningSse) => boolean | Promise<boolean>;
}

export interface RunningSse {
  readonly url: string;
  readonly requests: readonly SseRequest[];
  /** Event streams open. */
  readonly sessions: ReadonlyMap<string, unknown>;
  of(method: string): readonly SseRequest[];
  /** Resolves when so many event streams have been closed. */
  closed(count: number): Promise<void>;
  /** Cuts every event stream off. */
  cut(): void;
}

/** Starts the server; it is closed after the test. Its tool is `NAME_tool`. */
export async function startSseServer(options: SseServerOptions): Promise<RunningSse> {
  const { name, sts, onCall } = options;
  const verify = sts && createBearerVerifier({ audience: name, issuer: sts.issuer, jwksUri: sts.jwksUri });
  const requests: SseRequest[] = [];
  const sessions = new Map<
    string,
    { readonly transport: SSEServerTransport; readonly response: ServerResponse }
  >();
  let ended = 0;
  let waiting: (() => void)[] = [];
  const origin = (): string => `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  const open = async (response: ServerResponse): Promise<void> => {
    const endpoint = options.endpoint?.(origin()) ?? '/team/messages';
    const transport = new SSEServerTransport(endpoint, response);
    sessions.set(transport.sessionId, { transport, response });
    response.on('close', () => {
      sessions.delete(transport.sessionId);
      ended += 1;
      for (const resolve of waiting) resolve();
    });
    const server = new Server({ name, version: '1' }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [{ name: `${name}_tool`, description: name, inputSchema: { type: 'object' } }],
    }));
    server.setRequestHandler(CallToolRequestSchema, async () => {
      if ((await onCall?.(running)) === false) return new Promise<never>(() => {});
      const { sub = 'nobody' } = requests.findLast(({ method }) => method === 'tools/call') ?? {};
      return { content: [{ type: 'text', text: `${name} of ${sub}` }] };
    });
    await server.connect(transport);
  };

  const http = createServer(async (request: IncomingMessage, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', origin());
    const message =
      request.method === 'POST' ? await readJsonObject<{ method?: string }>(request) : undefined;
    const bearer = await verify?.(request);
    const caller = bearer?.kind === 'valid' ? bearer.caller : undefined;
    const session = searchParams.get('sessionId') ?? undefined;
    requests.push({
      ...{ method: message?.method ?? request.method ?? '', session, headers: request.headers },
      ...{ sub: caller?.sub, audience: caller?.aud.join() },
    });
    const refused = message?.method === 'tools/call' && options.refuse?.() === true;
    if (refused || (verify && !caller)) {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
    } else if (pathname === '/team/sse' && request.method === 'GET') await open(response);
    else if (pathname === '/team/messages' && sessions.has(session ?? '')) {
      await sessions.get(session ?? '')?.transport.handlePostMessage(request, response, message);
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const stopped = new Promise<void>((resolve) => http.close(() => resolve()));
    http.closeAllConnections();
    await stopped;
  });
  const running: RunningSse = {
    url: `${origin()}/team/sse`,
    requests,
    sessions,
    of: (wanted) => requests.filter(({ method }) => method === wanted),
    closed: async (count) => {
      while (ended < count) await new Promise<void>((resolve) => waiting.push(resolve));
      waiting = [];
    },
    cut: () => {
      for (const { response } of sessions.values()) response.destroy();
    },
  };
  return running;
}
