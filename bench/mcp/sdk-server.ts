// An MCP server of the SDK, as servers are written: it answers with event streams. It looks at no token.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { type BenchServer, ECHO, listening, type SessionCounts } from './bench-server.ts';

// Compiling schemas is the costly part of a server object, and there is one object for each session.
const jsonSchemaValidator = new AjvJsonSchemaValidator();

export async function startSdkServer(): Promise<BenchServer> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const counts: SessionCounts = { open: 0, most: 0, calls: 0 };

  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        sessions.set(id, transport);
        counts.most = Math.max(counts.most, sessions.size);
      },
      onsessionclosed: (id) => void sessions.delete(id),
    });
    const server = new Server(
      { name: 'sdk', version: '1.0.0' },
      { capabilities: { tools: {} }, jsonSchemaValidator },
    );
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [ECHO] }));
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
      counts.calls += 1;
      return { content: [{ type: 'text', text: JSON.stringify(params.arguments) }] };
    });
    // The SDK's class does not satisfy its own interface under exactOptionalPropertyTypes.
    await server.connect(transport as Transport);
    return transport;
  };

  const http = createServer(async (request, response) => {
    const id = request.headers['mcp-session-id'];
    const session = id === undefined ? await open() : sessions.get(id as string);
    if (session) await session.handleRequest(request, response);
    else response.writeHead(404).end();
  });
  const url = await listening(http);
  return { url, counts: () => Object.assign(counts, { open: sessions.size }) };
}
