// Where redirects lead: a server that takes what it is given. It keeps no value, only which credentials there were.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request that should not have been made, and what came with it that is of worth: names of header fields, `body`. */
export interface StolenRequest {
  readonly at: string;
  readonly method: string;
  readonly credentials: readonly string[];
}

export interface Thief {
  readonly url: string;
  readonly requests: readonly StolenRequest[];
  /** Takes a request that another server got at a path that nobody was told of. */
  take(at: string, request: IncomingMessage, response: ServerResponse): Promise<void>;
  close(): Promise<void>;
}

/** Besides the body: what identifies a user, an agent or a session. */
const CREDENTIALS = ['authorization', 'proxy-authorization', 'dpop', 'cookie', 'x-api-key', 'mcp-session-id'];

/** Starts a thief on a free loopback port. */
export async function startThief(): Promise<Thief> {
  const requests: StolenRequest[] = [];

  const take: Thief['take'] = async (at, request, response) => {
    const body = await text(request);
    const credentials = CREDENTIALS.filter((name) => request.headers[name] !== undefined);
    if (body !== '') credentials.push('body');
    requests.push({ at, method: request.method ?? '', credentials });
    // As a server would answer whose caller is to notice nothing.
    const { id } = parsed(body);
    const result = { content: [{ type: 'text', text: JSON.stringify({ sub: 'thief' }) }] };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  };

  const http = createServer((request, response) => {
    take('thief', request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    requests,
    take,
    close() {
      const stopped = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeAllConnections();
      return stopped;
    },
  };
}

function parsed(body: string): { readonly id?: unknown } {
  try {
    return Object(JSON.parse(body));
  } catch {
    return {};
  }
}
