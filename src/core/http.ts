import { abortable } from './abortable.ts';
import { networkCause, OnbehalfError } from './errors.ts';

/** Statuses that a Response with a body refuses (Fetch, null body status). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** The part of `fetch` that this package calls. */
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>;

/** How one request to an STS is bounded. */
export interface BoundedOptions {
  readonly fetch: FetchLike;
  /** For the whole answer, body included, in milliseconds. */
  readonly timeoutMs: number;
  /** Largest body that is read, in bytes. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a `fetch` for one request that follows no redirect and returns with its body read:
 * bounded in time and size, so that a slow or endless answer cannot hold a caller.
 *
 * @returns a function that throws OnbehalfError `sts_timeout`, `sts_unreachable` or `sts_invalid_response`,
 * or the reason of `signal` when that aborted
 */
export function boundedFetch(options: BoundedOptions): FetchLike {
  return async (url, init) => {
    options.signal?.throwIfAborted();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), options.timeoutMs);
    const signal = AbortSignal.any(options.signal ? [deadline.signal, options.signal] : [deadline.signal]);
    const answer = async (): Promise<Response> => {
      const response = await options.fetch(url, { ...init, redirect: 'manual', signal });
      const body = await readBounded(response, options.maxBytes);
      const { status, headers } = response;
      return new Response(NULL_BODY.has(status) ? null : body, { status, headers });
    };
    try {
      // A fetch of the user's own may not heed the signal.
      return await abortable(answer(), signal);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw describeFailure(error, new URL(url).origin, deadline.signal.aborted, options.timeoutMs);
    } finally {
      clearTimeout(timer);
    }
  };
}

function describeFailure(
  error: unknown,
  origin: string,
  timedOut: boolean,
  timeoutMs: number,
): OnbehalfError {
  if (error instanceof OnbehalfError) return error;
  if (timedOut) {
    return new OnbehalfError('sts_timeout', `the STS at ${origin} did not answer within ${timeoutMs} ms`, {
      failure: 'unavailable',
    });
  }
  const cause = networkCause(error);
  const reason = cause ? ` (${cause.message})` : '';
  return new OnbehalfError('sts_unreachable', `the STS at ${origin} could not be reached${reason}`, {
    failure: 'unavailable',
    cause,
  });
}

async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new OnbehalfError('sts_invalid_response', `the STS answered with more than ${maxBytes} bytes`, {
        failure: 'misconfigured',
        status: response.status,
      });
    }
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
