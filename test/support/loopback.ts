import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request as it arrived. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly form: URLSearchParams;
}

export type Handler = (request: Received, response: ServerResponse) => void;

/** A server on loopback that answers as it is told and keeps what it received. */
export interface Loopback {
  readonly origin: string;
  readonly host: string;
  readonly received: readonly Received[];
  /** Answers requests from now on. */
  handle(next: Handler): void;
  /** Resolves when this many requests have arrived. */
  arrived(count: number): Promise<void>;
  /** Resolves when this many connections were cut off before an answer ended. */
  cutOff(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server that is closed at the end of the test. */
export async function startLoopback(first: Handler): Promise<Loopback> {
  let handler = first;
  const received: Received[] = [];
  const arrivals = createCounter();
  const cuts = createCounter();
  const server = createServer(async (request, response) => {
    response.on('close', () => {
      if (!response.writableEnded) cuts.add();
    });
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { method = '', url = '', headers } = request;
    const one = { method, path: url, headers, body, form: new URLSearchParams(body) };
    received.push(one);
    arrivals.add();
    handler(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await stopped;
  };
  onTestFinished(close);
  return {
    origin: `http://${host}`,
    host,
    received,
    handle: (next) => {
      handler = next;
    },
    arrived: arrivals.reached,
    cutOff: cuts.reached,
    close,
  };
}

/** Answers with JSON. */
export function json(
  response: ServerResponse,
  body: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Answers every request with this JSON. */
export const always =
  (body: unknown, more?: { status?: number; headers?: Record<string, string> }): Handler =>
  (_request, response) =>
    json(response, body, more);

/** Leaves every request without an answer. */
export const never: Handler = () => {};

function createCounter(): { add(): void; reached(count: number): Promise<void> } {
  let value = 0;
  let waiting: { count: number; resolve: () => void }[] = [];
  return {
    add() {
      value += 1;
      for (const one of waiting) if (one.count <= value) one.resolve();
      waiting = waiting.filter((one) => one.count > value);
    },
    reached(count) {
      if (value >= count) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ count, resolve }));
    },
  };
}
