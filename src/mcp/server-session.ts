import { isReadable } from 'node:stream';
import type { OpenSession } from './session-place.ts';

/** A session at a server in which a client's own requests are made, one by one. */
export interface ServerSession extends OpenSession {
  readonly headers: Record<string, string>;
  /** Takes note of an answer that is a stream: as long as it is read, the session is in use. */
  watch(response: Response): void;
}

/** More streams at once than this are looked through at each new one. */
const FEW = 16;

/** @param headers - what its requests carry: `Mcp-Session-Id`, unless the server gives none */
export function serverSession(headers: Record<string, string>): ServerSession {
  // A stream that nobody reads any more is collected, and then nobody waits for it.
  const streams = new Set<WeakRef<ReadableStream>>();
  const prune = (): void => {
    for (const stream of streams) {
      const body = stream.deref();
      if (!body || !isReadable(body as unknown as NodeJS.ReadableStream)) streams.delete(stream);
    }
  };
  return {
    headers,
    watch(response) {
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return;
      if (streams.size >= FEW) prune();
      if (response.body) streams.add(new WeakRef(response.body));
    },
    busy() {
      prune();
      return streams.size > 0;
    },
  };
}
