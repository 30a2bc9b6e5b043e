// Small helpers for node:http servers.
import type { IncomingMessage, ServerResponse } from 'node:http';

const MAX_BODY_BYTES = 1_000_000;

/** The JSON object in the body, or undefined if it is something else or too large. */
export async function readJsonObject<T extends object>(request: IncomingMessage): Promise<T | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as T) : undefined;
  } catch {
    return undefined;
  }
}

/** An event stream stays open for long, so its status is taken when the head is written, not at the end. */
export function onAnswer(response: ServerResponse, listener: (status: number) => void): void {
  const writeHead = response.writeHead;
  response.writeHead = ((...args: Parameters<typeof writeHead>) => {
    response.writeHead = writeHead;
    const written = writeHead.apply(response, args);
    listener(response.statusCode);
    return written;
  }) as typeof writeHead;
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
