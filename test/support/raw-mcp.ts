import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** A request as it arrived. */
export interface RawRequest {
  /** JSON-RPC method of a POST; else the HTTP method. */
  readonly method: string;
  readonly path: string;
  readonly tool: string | undefined;
  readonly session: string | undefined;
  readonly authorization: string | undefined;
}

/** Answers a request in place of the server. `id` is that of the JSON-RPC message. */
export type RawAnswer = (response: ServerResponse, id: unknown, seen: RawRequest) => void;

export interface RawMcpOptions {
  /** Whether it does without session ids. Default: false. */
  readonly stateless?: boolean;
  /** By method, how it misbehaves. */
  readonly answers?: Readonly<Record<string, RawAnswer>>;
}

/** An MCP server of bare HTTP, which can be made to do what no SDK does. It looks at no token. */
export interface RawMcp {
  readonly url: string;
  readonly requests: readonly RawRequest[];
  /** Sessions that were opened and not yet deleted. */
  readonly sessions: ReadonlySet<string>;
  /** Requests of this method. */
  of(method: string): readonly RawRequest[];
  /** Resolves when so many requests of this method have arrived. */
  arrived(method: string, count?: number): Promise<void>;
  close(): Promise<void>;
}

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly protocolVersion?: string };
}

/** A JSON-RPC result. */
export function result(response: ServerResponse, id: unknown, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result: value }));
}

/** The result of a tool that did its work. */
export const done: RawAnswer = (response, id) =>
  result(response, id, { content: [{ type: 'text', text: 'done' }] });

/** Answers with a status and nothing else. */
export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): RawAnswer =>
  (response) =>
    void response.writeHead(code, headers).end();

/** Starts a server that is closed at the end of the test. */
export async function startRawMcp({ stateless = false, answers = {} }: RawMcpOptions = {}): Promise<RawMcp> {
  const requests: RawRequest[] = [];
  const sessions = new Set<string>();
  let waiting: { method: string; count: number; resolve: () => void }[] = [];
  const of = (method: string): RawRequest[] => requests.filter((seen) => seen.method === method);

  const usual: Readonly<
    Record<string, (response: ServerResponse, message: Message, seen: RawRequest) => void>
  > = {
    initialize(response, { id, params }) {
      const session = `s${of('initialize').length}`;
      if (!stateless) sessions.add(session);
      if (!stateless) response.setHeader('mcp-session-id', session);
      const { protocolVersion } = params ?? {};
      const capabilities = { tools: { listChanged: true } };
      result(response, id, { protocolVersion, capabilities, serverInfo: { name: 'raw', version: '1' } });
    },
    'notifications/initialized': status(202),
    'tools/list': (response, { id }) =>
      result(response, id, { tools: [{ name: 't', inputSchema: { type: 'object' } }] }),
    'tools/call': (response, { id }, seen) => done(response, id, seen),
    GET: status(405),
    DELETE(response, _message, { session }) {
      sessions.delete(session ?? '');
      response.writeHead(200).end();
    },
  };

  const http = createServer(async (request, response) => {
    // A connection kept alive would be cut off at close(), and a call on it fail otherwise than by refusal.
    response.setHeader('connection', 'close');
    const body = await text(request);
    const message: Message = body === '' ? {} : JSON.parse(body);
    const { authorization, 'mcp-session-id': session } = request.headers;
    const method = message.method ?? request.method ?? '';
    const seen: RawRequest = {
      ...{ method, path: request.url ?? '', tool: message.params?.name, authorization },
      session: session === undefined ? undefined : String(session),
    };
    requests.push(seen);
    const misbehave = answers[method];
    if (misbehave) misbehave(response, message.id, seen);
    else usual[method]?.(response, message, seen);
    const reached = of(method).length;
    for (const one of waiting) if (one.method === method && one.count <= reached) one.resolve();
    waiting = waiting.filter((one) => one.method !== method || one.count > reached);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    const stopped = new Promise<void>((resolve) => http.close(() => resolve()));
    http.closeAllConnections();
    await stopped;
  };
  onTestFinished(close);
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    requests,
    sessions,
    of,
    arrived: (method, count = 1) =>
      of(method).length >= count
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ method, count, resolve })),
    close,
  };
}
