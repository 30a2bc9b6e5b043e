import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isLoopback } from '../core/secure-url.ts';

/** A bound port that answers 503 until it is given something to serve. */
export interface Listener {
  /** `http://HOST:PORT`. */
  readonly origin: string;
  serve(handler: RequestListener): void;
  /** Stops listening and destroys all open sockets. */
  close(): Promise<void>;
}

/**
 * Binds the port first, because the issuer identifier needs its number.
 *
 * @throws Error when the host is not loopback and that was not allowed, or the port cannot be bound (the
 * `cause` is the system error)
 */
export async function listen(options: {
  readonly host: string;
  readonly port: number;
  readonly allowNonLoopback: boolean;
}): Promise<Listener> {
  const { host, port, allowNonLoopback } = options;
  const hostname = host.includes(':') ? `[${host}]` : host;
  if (!isLoopback(hostname) && !allowNonLoopback) {
    throw new Error(
      `The development STS hands out tokens for any configured user, so it listens on loopback only, not on ${host}. ` +
        'Use 127.0.0.1, or, if everybody who can reach that address may have them, set dangerouslyAllowNonLoopback',
    );
  }

  let handler: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => handler(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(bindError(cause, host, port)));
    server.listen(port, host, resolve);
  });
  return {
    origin: `http://${hostname}:${(server.address() as AddressInfo).port}`,
    serve(next) {
      handler = next;
    },
    async close() {
      // The callback comes also when the server was closed before.
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await stopped;
    },
  };
}

function bindError(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  const why: Record<string, string> = {
    EADDRINUSE: 'the port is in use; choose another one, or 0 for any free port',
    EACCES: 'it needs more rights; choose a port from 1024 up, or 0 for any free port',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'the host name does not resolve',
  };
  const reason = why[cause.code ?? ''] ?? cause.code ?? 'unknown reason';
  return new Error(`Cannot listen on ${host} port ${port}: ${reason}`, { cause });
}
