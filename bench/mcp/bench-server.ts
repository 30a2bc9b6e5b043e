// What the MCP servers of this bench have in common.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a server has seen of sessions. */
export interface SessionCounts {
  /** Open now. */
  open: number;
  /** Most that were open at once. */
  most: number;
  /** Tool calls. */
  calls: number;
}

export interface BenchServer {
  readonly url: string;
  counts(): SessionCounts;
}

/** The one tool. */
export const ECHO = {
  name: 'echo',
  description: 'Gives back what it was given.',
  inputSchema: { type: 'object' as const, properties: { n: { type: 'number' } } },
};

/** A thousand clients connect at once; what the backlog has no room for is tried again after a second. */
const BACKLOG = 4_096;

/** Starts a server on a free loopback port. @returns the address of its MCP endpoint */
export async function listening(http: Server): Promise<string> {
  http.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) =>
    http.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, resolve),
  );
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
}
