import { makeRoom } from '../core/bounded.ts';
import type { OnbehalfError } from '../core/errors.ts';

/** Failures that are remembered for a while, so that a caller in a loop does not ask the STS each time. */
export interface Refusals {
  /** The failure that is remembered for a key. */
  get(key: string): OnbehalfError | undefined;
  /** Remembers a failure if asking again now would be of no use. */
  remember(key: string, error: OnbehalfError): void;
  /** The key has a token after all. */
  forget(key: string): void;
  clear(): void;
}

const MOST = 1_000;
const LONGEST_MS = 60_000;

/** Failures that a request to the STS led to; any other costs no request. */
const TOLD_BY_STS: ReadonlySet<string> = new Set([
  'sts_error',
  'sts_invalid_response',
  'issued_token_rejected',
]);

/** @param ttlMs - how long a failure that does not pass is remembered; 0 for not at all */
export function createRefusals(ttlMs: number, now: () => number): Refusals {
  const refusals = new Map<string, { readonly error: OnbehalfError; readonly until: number }>();
  return {
    get(key) {
      const refusal = refusals.get(key);
      if (refusal === undefined) return undefined;
      if (refusal.until > now()) return refusal.error;
      refusals.delete(key);
      return undefined;
    },
    remember(key, error) {
      if (!TOLD_BY_STS.has(error.code)) return;
      // What may pass is asked again at once, unless the STS said when.
      const wait = error.failure === 'unavailable' ? (error.retryAfterMs ?? 0) : ttlMs;
      if (wait <= 0) return;
      makeRoom(refusals, MOST);
      refusals.set(key, { error, until: now() + Math.min(wait, LONGEST_MS) });
    },
    forget: (key) => void refusals.delete(key),
    clear: () => refusals.clear(),
  };
}
