import type { RequestListener, ServerResponse } from 'node:http';

/** How long a client may take to read an answer that is there as a whole. */
const READ_TIMEOUT_MS = 30_000;

/**
 * Answers one request of a connection at a time, and for a while only. An answer that nobody reads is kept in memory, and a client that
 * sends requests without reading could have it filled with them. No client in use pipelines (RFC 9112 section 9.3.2).
 */
export function oneAtATime(listener: RequestListener): RequestListener {
  const busy = new WeakSet<object>();
  return (request, response) => {
    const { socket } = request;
    if (busy.has(socket)) return void socket.destroy();
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
    cutOffLateReaders(response, () => socket.destroy());
    listener(request, response);
  };
}

function cutOffLateReaders(response: ServerResponse, cut: () => void): void {
  response.once('prefinish', () => {
    const late = setTimeout(cut, READ_TIMEOUT_MS).unref();
    response.once('close', () => clearTimeout(late));
  });
}
