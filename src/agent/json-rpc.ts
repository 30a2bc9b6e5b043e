import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  A2AError,
  type A2ARequestHandler,
  JsonRpcTransportHandler,
  ServerCallContext,
} from '@a2a-js/sdk/server';
import { inTraceOf } from '../telemetry/caller-trace.ts';
import type { Caller } from './caller.ts';
import { isNestedDeeper } from './nesting.ts';
import { isShortText } from './user-message.ts';

/** Answers one JSON-RPC request of a caller. */
export type JsonRpc = (request: IncomingMessage, response: ServerResponse, caller: Caller) => Promise<void>;

/** What a request is answered that is not even JSON-RPC. */
const ERRORS = {
  type: [415, -32600, 'content-type must be application/json'],
  size: [413, -32600, 'the request is too large'],
  depth: [400, -32600, 'the request is nested too deeply'],
  parse: [400, -32700, 'the body is not valid JSON'],
} as const;

/**
 * JSON-RPC over HTTP: one answer, or an event stream of them.
 *
 * @param maxBytes - largest body that is read
 */
export function createJsonRpc(handler: A2ARequestHandler, maxBytes: number): JsonRpc {
  const transport = new JsonRpcTransportHandler(handler);
  return async (request, response, caller) => {
    // Any page of a browser may send other types without asking first.
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return fail(response, 'type');
    const body = await readBody(request, maxBytes);
    if (body === undefined) return fail(response, 'size');
    if (isNestedDeeper(body, MAX_DEPTH)) return fail(response, 'depth');
    const message = parse(body);
    if (message === undefined) return fail(response, 'parse');
    const refused = refusalOf(message);
    if (refused) return sendJson(response, 200, refused);
    await inTraceOf(request.headers, async () => {
      const answer = await transport.handle(message, new ServerCallContext(undefined, caller));
      if (Symbol.asyncIterator in answer) return stream(response, answer, idOf(message));
      sendJson(response, 200, answer);
    });
  };
}

/** Deepest that a body is nested: far more than A2A needs. */
const MAX_DEPTH = 64;

/** Sends JSON, as the whole answer. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) return;
  // First, so that another answer can be given when this one cannot be written.
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
}

function fail(response: ServerResponse, why: keyof typeof ERRORS): void {
  const [status, code, message] = ERRORS[why];
  // What is left of the body is not read.
  sendJson(response, status, rpcError(null, code, message), { connection: 'close' });
}

function rpcError(id: unknown, code: number, message: string): object {
  return { jsonrpc: '2.0', id, error: { code, message } };
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(body: string): object | undefined {
  try {
    const message: unknown = JSON.parse(body);
    return typeof message === 'object' && message !== null ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Why a request is not for the SDK, which writes its ids into the log as they are. */
function refusalOf(message: object): object | undefined {
  const id = idOf(message);
  if (typeof id === 'string' && !isShortText(id)) return rpcError(null, -32600, 'id must be a short text');
  const { id: taskId } = Object((message as { readonly params?: unknown }).params) as { id?: unknown };
  if (taskId === undefined || (isShortText(taskId) && taskId !== '')) return undefined;
  return rpcError(id, -32602, 'params.id must be a short text');
}

function idOf(message: object): unknown {
  return (message as { readonly id?: unknown }).id ?? null;
}

async function stream(
  response: ServerResponse,
  events: AsyncGenerator<unknown, void, undefined>,
  id: unknown,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    // nginx would hold events back.
    'x-accel-buffering': 'no',
  });
  try {
    for await (const event of events) {
      // The run goes on without its listener; its task can be asked for.
      if (response.destroyed) break;
      if (response.write(`data: ${JSON.stringify(event)}\n\n`)) continue;
      if (!(await drained(response))) return void response.destroy();
    }
  } catch (error) {
    // What else went wrong is not for callers.
    const { code, message } =
      error instanceof A2AError ? error : { code: -32603, message: 'the answer broke off' };
    response.write(`event: error\ndata: ${JSON.stringify(rpcError(id, code, message))}\n\n`);
  }
  response.end();
}

/** How long a client may read nothing before it is cut off: what it does not read is kept for it. */
const READ_TIMEOUT_MS = 30_000;

/** @returns whether the client has read on, or has left by itself; `false` when it does neither */
async function drained(response: ServerResponse): Promise<boolean> {
  const over = new AbortController();
  const { signal } = over;
  const tooLong = setTimeout(() => over.abort(), READ_TIMEOUT_MS);
  const is = (event: string): Promise<boolean> => once(response, event, { signal }).then(() => true);
  try {
    return await Promise.race([is('drain'), is('close')]);
  } catch {
    return false;
  } finally {
    clearTimeout(tooLong);
    over.abort();
  }
}
