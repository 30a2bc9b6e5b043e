import type { RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How long a client may take to read an answer that is there as a whole. */
const READ_TIMEOUT_MS = 30_000;

/** Connections with a request that is being answered. */
const busy = new WeakSet<object>();

/**
 * Answers one request of a connection at a time, and for a while only. An answer that nobody reads is kept in memory, and a client that
 * sends requests without reading could have it filled with them. No client in use pipelines (RFC 9112 section 9.3.2).
 */
export function oneAtATime(listener: RequestListener): RequestListener {
  return (request, response) => {
    const { socket } = request;
    if (busy.has(socket)) return void socket.destroy();
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
    cutOffLateReaders(response, () => socket.destroy());
    listener(request, response);
  };
}

/**
 * Keeps so many connections open. When there are more, the one goes that has been open longest of those that wait for a request: whoever opens
 * many and says nothing cannot keep others out.
 *
 * @param most - connections
 */
export function boundConnections(server: Server, most: number): void {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (open.size <= most) return;
    for (const one of open) {
      if (busy.has(one)) continue;
      // Its end is told later, when more may have come.
      open.delete(one);
      return void one.destroy();
    }
  });
}

function cutOffLateReaders(response: ServerResponse, cut: () => void): void {
  response.once('prefinish', () => {
    const late = setTimeout(cut, READ_TIMEOUT_MS).unref();
    response.once('close', () => clearTimeout(late));
  });
}
