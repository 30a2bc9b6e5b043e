import { setTimeout as delay } from 'node:timers/promises';
import { isOnbehalfError } from './errors.ts';
import { checkOptions } from './options.ts';
import { mayPass, retryAfterMs } from './retry-after.ts';

/** How a request that may pass is tried again. */
export interface RetryOptions {
  /** How often it is tried at the most, the first time included. Default: 3. */
  readonly attempts?: number | undefined;
  /** Longest first wait, in milliseconds; it doubles with each try, and half of it is random. Default: 200. */
  readonly backoffMs?: number | undefined;
  /** Longest wait, in milliseconds. If the STS asks for more, the failure is told at once. Default: 5,000. */
  readonly maxWaitMs?: number | undefined;
}

/** Checks {@link RetryOptions}. */
export function checkRetry(options: RetryOptions): void {
  checkOptions(options, '"retry"', { attempts: 'positive?', backoffMs: 'natural?', maxWaitMs: 'natural?' });
}

/**
 * Tries a request again, after a while, for as long as that can help: no answer, 429 or 5xx (RFC 9110 section 15.6).
 * `Retry-After` is obeyed (RFC 9110 section 10.2.3).
 *
 * @param attempt - sends the request, made anew each time
 * @returns the last answer, whatever its status; or throws what the last attempt threw
 */
export async function withRetry(
  attempt: () => Promise<Response>,
  options: RetryOptions,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const { attempts = 3 } = options;
  for (let tried = 1; ; tried += 1) {
    const outcome = await settle(attempt);
    const wait = tried < attempts ? waitAfter(outcome, tried, options) : undefined;
    if (wait === undefined) {
      if (outcome instanceof Response) return outcome;
      throw outcome.error;
    }
    await pause(wait, signal);
  }
}

type Outcome = Response | { readonly error: unknown };

async function settle(attempt: () => Promise<Response>): Promise<Outcome> {
  try {
    return await attempt();
  } catch (error) {
    return { error };
  }
}

/** How long to wait before the next try, in milliseconds; `undefined`: there is to be none. */
function waitAfter(outcome: Outcome, tried: number, options: RetryOptions): number | undefined {
  const { backoffMs = 200, maxWaitMs = 5_000 } = options;
  if (outcome instanceof Response ? !mayPass(outcome.status) : !isRetryable(outcome.error)) return undefined;
  const longest = Math.min(maxWaitMs, backoffMs * 2 ** (tried - 1));
  const jittered = (longest / 2) * (1 + Math.random());
  const asked = outcome instanceof Response ? retryAfterMs(outcome.headers) : undefined;
  if (asked === undefined) return jittered;
  // Those who were told the same time must not come back at the same time.
  return asked > maxWaitMs ? undefined : Math.min(asked + jittered, maxWaitMs);
}

/** An open breaker says no for a while; to ask it again is no use. */
function isRetryable(error: unknown): boolean {
  return isOnbehalfError(error) && error.retryable && error.code !== 'sts_circuit_open';
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
