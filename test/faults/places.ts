import type { ServerResponse } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { vi } from 'vitest';
import { type Handler, type Loopback, startLoopback } from '../support/loopback.ts';
import { granting } from '../support/sts.ts';

/** The servers of a row, its clock, and what must show nowhere. */
export interface Places {
  /** The STS; its token endpoint is at `/token`. */
  readonly sts: Loopback;
  /** The MCP server. */
  readonly mcp: Loopback;
  /** Where nothing may arrive. */
  readonly elsewhere: Loopback;
  /** Tokens that the STS gave out. */
  readonly issued: ReadonlySet<string>;
  /** Other values that must show nowhere: what is sent to the STS. */
  readonly secrets: ReadonlySet<string>;
  /** Makes a value one that must show nowhere. */
  secret(value: string): string;
  /** Makes a token one that the STS gave out. */
  issue(token: string): void;
  /** Makes a value one in which no secret may show. */
  watch(name: string, value: unknown): void;
  readonly watched: Readonly<Record<string, unknown>>;
  /** Starts a server of another kind, closed with the row. Returns its port. */
  listen(server: Server): Promise<number>;
  /** Runs something when the row is over. */
  atEnd(work: () => unknown): void;
  /** Lets time pass, for everybody. */
  pass(ms: number): void;
  /** Answers that are still under way, and connections of servers of another kind. */
  unfinished(): number;
  close(): Promise<void>;
}

export async function createPlaces(): Promise<Places> {
  const issued = new Set<string>();
  const secrets = new Set<string>();
  const underWay = new Set<unknown>();
  const watched: Record<string, unknown> = {};
  const ends: (() => unknown)[] = [];
  const issue = (token: string): void => void issued.add(token);
  const start = async (first: Handler): Promise<Loopback> => {
    const watched =
      (handler: Handler): Handler =>
      (request, response) => {
        underWay.add(response);
        response.on('close', () => underWay.delete(response));
        handler(request, overheard(response, issue));
      };
    const loopback = await startLoopback(watched(first));
    ends.push(loopback.close);
    return { ...loopback, handle: (next) => loopback.handle(watched(next)) };
  };
  return {
    sts: await start(granting()),
    mcp: await start((_request, response) => void response.end('done')),
    elsewhere: await start((_request, response) => void response.end()),
    ...{ issued, secrets, issue },
    secret(value) {
      secrets.add(value);
      return value;
    },
    watch: (name, value) => void Object.assign(watched, { [name]: value }),
    watched,
    async listen(other) {
      const close = track(other, underWay);
      ends.push(close);
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      return (other.address() as AddressInfo).port;
    },
    atEnd: (work) => void ends.push(work),
    pass: (ms) => void vi.setSystemTime(Date.now() + ms),
    unfinished: () => underWay.size,
    async close() {
      for (const end of ends.toReversed()) await end();
    },
  };
}

/** Tells of each token that a response gives out, whoever writes it. */
function overheard(response: ServerResponse, tell: (token: string) => void): ServerResponse {
  const end = response.end.bind(response) as (...given: unknown[]) => ServerResponse;
  response.end = ((...given: unknown[]) => {
    const [chunk] = given;
    const token = typeof chunk === 'string' ? accessToken(chunk) : undefined;
    if (token !== undefined) tell(token);
    return end(...given);
  }) as ServerResponse['end'];
  return response;
}

function accessToken(body: string): string | undefined {
  try {
    const { access_token: token } = JSON.parse(body) as { access_token?: unknown };
    return typeof token === 'string' && token !== '' ? token : undefined;
  } catch {
    return undefined;
  }
}

function track(server: Server, underWay: Set<unknown>): () => Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    // Once there is a request: Node's fetch keeps a connection ready for the next.
    socket.once('data', () => underWay.add(socket));
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      underWay.delete(socket);
    });
  });
  return async () => {
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await stopped;
  };
}
