import { networkCause, OnbehalfError } from '../../core/errors.ts';
import { type FetchLike, inBrackets } from '../../core/http.ts';
import { withRetry } from '../../core/retry.ts';

/** First wait and longest wait before a request is made again, in milliseconds. */
const RETRY = { attempts: 3, backoffMs: 500, maxWaitMs: 30_000 } as const;
/** Most that is read of an answer that is an error, in bytes. */
const MOST = 65_536;
/** Statuses that a Response with a body refuses (Fetch, null body status). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** What a model's `fetch` is made from. */
export interface ModelFetchOptions {
  readonly fetch: FetchLike;
  /** Header fields that are not to be sent. */
  readonly drop: readonly string[];
  /** Header fields that are sent instead of those that the provider's library makes, or beside them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * Makes the `fetch` of a model: it follows no redirect, which would take the key elsewhere, and tries again, twice at the most, what
 * had no answer, 429 or 5xx; `Retry-After` is obeyed.
 *
 * @returns a function that throws OnbehalfError `server_unreachable`, or the reason of its signal
 */
export function createModelFetch({ fetch, drop, headers: own }: ModelFetchOptions): typeof globalThis.fetch {
  const attempt = async (url: string, init: RequestInit): Promise<Response> => {
    try {
      const response = await fetch(url, init);
      return response.ok ? response : await settled(response);
    } catch (error) {
      init.signal?.throwIfAborted();
      // What was said by us is safe; nothing else is passed on.
      if (error instanceof OnbehalfError) throw error;
      const cause = networkCause(error);
      const { origin } = new URL(url);
      throw new OnbehalfError(
        'server_unreachable',
        `the model at ${origin} could not be reached${inBrackets(cause)}`,
        { failure: 'unavailable', cause },
      );
    }
  };
  return (input, init = {}) => {
    const headers = new Headers(init.headers);
    for (const name of drop) headers.delete(name);
    for (const [name, value] of own) headers.set(name, value);
    const request: RequestInit = { ...init, headers, redirect: 'manual' };
    const url = input instanceof Request ? input.url : String(input);
    return withRetry(() => attempt(url, request), RETRY, init.signal ?? undefined);
  };
}

/** An error with its body read, as far as it may be: a connection is free again when the next try needs one. */
async function settled(response: Response): Promise<Response> {
  const { status, statusText, headers } = response;
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > MOST) break;
  }
  return new Response(NULL_BODY.has(status) ? null : text, { status, statusText, headers });
}
