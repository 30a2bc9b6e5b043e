import { abortable } from './abortable.ts';
import { networkCause, OnbehalfError } from './errors.ts';

/** Statuses that a Response with a body refuses (Fetch, null body status). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** The part of `fetch` that this package calls. */
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>;

/** What a bounded request fails with, in the words of whoever was asked. */
export interface BoundedFailures {
  /** There was no whole answer in time. */
  readonly timedOut: (url: URL, timeoutMs: number) => OnbehalfError;
  /** There was no answer; `cause` is safe to print. */
  readonly unreachable: (url: URL, cause: Error | undefined) => OnbehalfError;
  /** The body is larger than what is read. */
  readonly tooLarge: (
    url: URL,
    answer: { readonly maxBytes: number; readonly status: number },
  ) => OnbehalfError;
}

/** How one request is bounded. */
export interface BoundedOptions {
  readonly fetch: FetchLike;
  /** For the whole answer, body included, in milliseconds. */
  readonly timeoutMs: number;
  /** Largest body that is read, in bytes. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Default: those of an STS. */
  readonly failures?: BoundedFailures | undefined;
}

const STS_FAILURES: BoundedFailures = {
  timedOut: ({ origin }, timeoutMs) =>
    new OnbehalfError('sts_timeout', `the STS at ${origin} did not answer within ${timeoutMs} ms`, {
      failure: 'unavailable',
    }),
  unreachable: ({ origin }, cause) =>
    new OnbehalfError('sts_unreachable', `the STS at ${origin} could not be reached${inBrackets(cause)}`, {
      failure: 'unavailable',
      cause,
    }),
  tooLarge: (_url, { maxBytes, status }) =>
    new OnbehalfError('sts_invalid_response', `the STS answered with more than ${maxBytes} bytes`, {
      failure: 'misconfigured',
      status,
    }),
};

/** A cause as the end of a message. */
export function inBrackets(cause: Error | undefined): string {
  return cause ? ` (${cause.message})` : '';
}

/**
 * Makes a `fetch` for one request that follows no redirect and returns with its body read:
 * bounded in time and size, so that a slow or endless answer cannot hold a caller.
 *
 * @returns a function that throws OnbehalfError `sts_timeout`, `sts_unreachable` or `sts_invalid_response`
 * (or those of `failures`), or the reason of `signal` when that aborted
 */
export function boundedFetch(options: BoundedOptions): FetchLike {
  const { failures = STS_FAILURES, maxBytes, timeoutMs } = options;
  return async (url, init) => {
    options.signal?.throwIfAborted();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    const signal = AbortSignal.any(options.signal ? [deadline.signal, options.signal] : [deadline.signal]);
    const answer = async (): Promise<Response> => {
      const response = await options.fetch(url, { ...init, redirect: 'manual', signal });
      const { status, headers } = response;
      const body = await readBounded(response, maxBytes);
      if (body === undefined) throw failures.tooLarge(new URL(url), { maxBytes, status });
      return new Response(NULL_BODY.has(status) ? null : body, { status, headers });
    };
    try {
      // A fetch of the user's own may not heed the signal.
      return await abortable(answer(), signal);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof OnbehalfError) throw error;
      if (deadline.signal.aborted) throw failures.timedOut(new URL(url), timeoutMs);
      throw failures.unreachable(new URL(url), networkCause(error));
    } finally {
      clearTimeout(timer);
    }
  };
}

/** A whole body; `undefined` when it is larger than that. */
async function readBounded(
  response: Response,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  const body = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}
