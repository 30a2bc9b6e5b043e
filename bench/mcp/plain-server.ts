// An MCP server over Streamable HTTP, by hand: as little work as can be, so that what a client takes is a large part of
// what is measured. It looks at no token; where it tells whose call it was, it believes whatever the token says.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type BenchServer, ECHO, listening, type SessionCounts } from './bench-server.ts';

/** How a plain server answers. */
export interface PlainServerOptions {
  /** The two forms that the transport knows. */
  readonly answers: 'json' | 'events';
  /** Whether the tool says who called. */
  readonly tellsSubject: boolean;
}

interface Rpc {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly protocolVersion?: string; readonly arguments?: object };
}

export async function startPlainServer(options: PlainServerOptions): Promise<BenchServer> {
  const sessions = new Set<string>();
  const counts: SessionCounts = { open: 0, most: 0, calls: 0 };

  const open = (response: ServerResponse): void => {
    const id = randomUUID();
    sessions.add(id);
    counts.most = Math.max(counts.most, sessions.size);
    response.setHeader('mcp-session-id', id);
  };

  const answer = (request: IncomingMessage, response: ServerResponse, rpc: Rpc): void => {
    const session = request.headers['mcp-session-id'];
    if (rpc.method === 'initialize') open(response);
    else if (session === undefined) return void response.writeHead(400).end();
    else if (!sessions.has(session as string)) return void response.writeHead(404).end();
    if (rpc.id === undefined) return void response.writeHead(202).end();
    if (rpc.method === 'tools/call') counts.calls += 1;
    const sub = options.tellsSubject ? subjectOf(request) : undefined;
    send(response, options.answers, { jsonrpc: '2.0', id: rpc.id, result: resultOf(rpc, sub) });
  };

  const http = createServer((request, response) => {
    if (request.method === 'DELETE') {
      const known = sessions.delete(request.headers['mcp-session-id'] as string);
      return void response.writeHead(known ? 200 : 404).end();
    }
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(request, response, JSON.parse(Buffer.concat(chunks).toString()) as Rpc));
  });
  const url = await listening(http);
  return { url, counts: () => Object.assign(counts, { open: sessions.size }) };
}

function resultOf({ method, params }: Rpc, sub: string | undefined): object {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'plain', version: '1.0.0' },
      };
    case 'tools/list':
      return { tools: [ECHO] };
    case 'tools/call':
      return { content: [{ type: 'text', text: JSON.stringify({ ...params?.arguments, sub }) }] };
    default:
      return {};
  }
}

function send(response: ServerResponse, form: 'json' | 'events', message: object): void {
  const text = JSON.stringify(message);
  if (form === 'json') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  } else {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`event: message\ndata: ${text}\n\n`);
  }
}

function subjectOf({ headers }: IncomingMessage): string | undefined {
  const [, payload] = (headers.authorization ?? '').split('.');
  if (payload === undefined) return undefined;
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub?: string }).sub;
}
