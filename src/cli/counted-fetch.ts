import type { FetchLike } from '../core/http.ts';

/** A `fetch` that answers no more than so many bytes, of all its answers together. */
export interface CountedFetch {
  readonly fetch: FetchLike;
  /** Aborts when there were more: what still waits for an answer has no reason to. */
  readonly signal: AbortSignal;
}

/**
 * Makes a `fetch` that counts what it was answered, event streams too, and breaks off the answer that goes beyond. It counts
 * unpacked bytes, so that a small answer that unpacks to a large one is none.
 *
 * @param mostBytes - of all bodies together
 */
export function countedFetch(mostBytes: number): CountedFetch {
  const over = new AbortController();
  let left = mostBytes;
  const count = (): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> =>
    new TransformStream({
      transform(chunk, controller) {
        left -= chunk.byteLength;
        if (left >= 0) return controller.enqueue(chunk);
        // It errors the answer, and so cancels what it is read from.
        over.abort();
        controller.error(new Error('the answers are too large'));
      },
    });
  return {
    signal: over.signal,
    async fetch(url, init) {
      over.signal.throwIfAborted();
      const response = await fetch(url, init);
      if (response.body === null) return response;
      const { status, statusText, headers } = response;
      return new Response(response.body.pipeThrough(count()), { status, statusText, headers });
    },
  };
}
