import type {
  CircuitBreakerPolicy,
  IBackoff,
  IBackoffFactory,
  IHalfOpenAfterBackoffContext,
} from 'cockatiel';
import { makeRoom } from './bounded.ts';
import { isOnbehalfError, OnbehalfError } from './errors.ts';
import { checkOptions } from './options.ts';

/** When requests to an STS are stopped for a while, so that one that is down is not asked by everybody. */
export interface BreakerOptions {
  /**
   * Failures in a row after which it opens: no answer, or 5xx. Those that may be about one token (timeouts, 500) count once
   * for each subject token. Default: 5.
   */
  readonly failures?: number | undefined;
  /** How long it stays open before one request is let through, in milliseconds. Default: 10,000. */
  readonly openMs?: number | undefined;
}

const LONGEST_STREAK = 1_000;

/** Bad gateway, service unavailable: said of the server, not of a request. */
const AWAY: ReadonlySet<number> = new Set([502, 503]);

/** `open`: nothing is sent; `half_open`: one request is under way, to see. */
export type BreakerState = 'closed' | 'open' | 'half_open';

/** A circuit breaker. */
export interface Breaker {
  readonly state: BreakerState;
  /**
   * Sends, and counts how that ends.
   *
   * @param who - whom the request is for: what fails for one alone does not open it
   * @throws OnbehalfError `sts_circuit_open` instead of calling `send` while it is open
   */
  run(send: () => Promise<Response>, who?: string): Promise<Response>;
  /** Calls back when the state changes. Returns the way to stop. */
  onChange(listener: (state: BreakerState) => void): () => void;
}

/** Checks {@link BreakerOptions}. */
export function checkBreaker(options: BreakerOptions): void {
  checkOptions(options, '"breaker"', { failures: 'positive?', openMs: 'positive?' });
}

/** @param sts - names it in errors */
export function createBreaker(options: BreakerOptions, sts: string): Breaker {
  const { failures = 5, openMs = 10_000 } = options;
  const listeners = new Set<(state: BreakerState) => void>();
  const streak = createStreak();
  let state: BreakerState = 'closed';
  let openedAt = 0;
  let loading: Promise<CircuitBreakerPolicy> | undefined;

  const change = (next: BreakerState): void => {
    if (next === 'open') openedAt = Date.now();
    state = next;
    for (const listener of listeners) {
      // It is an onlooker: what it throws must not become the outcome of a request.
      try {
        listener(next);
      } catch {}
    }
  };

  // Loaded at the first request: to import this package should cost nothing that is not needed.
  const load = async (): Promise<CircuitBreakerPolicy> => {
    const { circuitBreaker, CircuitState, handleWhen } = await import('cockatiel');
    const policy: CircuitBreakerPolicy = circuitBreaker(
      // A trial that ended without a word of the STS must not close it; otherwise such an end says nothing.
      handleWhen((error) => isUnreachable(error) || policy.state === CircuitState.HalfOpen).orWhenResult(
        (answer) => (answer as Response).status >= 500,
      ),
      {
        halfOpenAfter: restAfter((outcome) => (streak.tellsNothing(outcome) ? 0 : openMs)),
        breaker: {
          state: undefined,
          success: () => streak.clear(),
          // A request that began before it opened tells nothing new when it fails later.
          failure: (began) =>
            (began === CircuitState.HalfOpen || policy.state === CircuitState.Closed) &&
            streak.length >= failures,
        },
      },
    );
    policy.onBreak(() => change('open'));
    policy.onHalfOpen(() => change('half_open'));
    policy.onReset(() => change('closed'));
    return policy;
  };

  return {
    get state() {
      return state;
    },
    async run(send, who) {
      loading ??= load();
      const policy = await loading;
      try {
        return await policy.execute(() => streak.watch(send, who));
      } catch (error) {
        if ((error as { isBrokenCircuitError?: boolean } | undefined)?.isBrokenCircuitError !== true)
          throw error;
        const wait = Math.max(0, openedAt + openMs - Date.now());
        throw new OnbehalfError('sts_circuit_open', `the STS at ${sts} failed too often; it is left alone`, {
          failure: 'unavailable',
          retryAfterMs: wait,
        });
      }
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/**
 * The failures in a row. One whose token makes the STS fail or hang, again and again, must not close it to everybody: what
 * may be about a token counts once for each whom it was for. That nobody is there is nobody's doing, so it always counts.
 */
function createStreak() {
  const whom = new Set<string | symbol>();
  const repeated = new WeakSet<object>();
  const note = (outcome: object, who: string | undefined): void => {
    const name = who ?? Symbol('nobody in particular');
    if (whom.has(name)) repeated.add(outcome);
    makeRoom(whom, LONGEST_STREAK);
    whom.add(name);
  };
  return {
    get length() {
      return whom.size;
    },
    clear: () => whom.clear(),
    /** Whether a failed trial says nothing of the STS, or only what is known of one user. */
    tellsNothing: (outcome: unknown): boolean =>
      repeated.has(Object(outcome)) || (outcome instanceof Error && !isUnreachable(outcome)),
    async watch(send: () => Promise<Response>, who: string | undefined): Promise<Response> {
      try {
        const answer = await send();
        if (answer.status >= 500) note(answer, AWAY.has(answer.status) ? undefined : who);
        return answer;
      } catch (error) {
        if (isUnreachable(error)) note(error, error.code === 'sts_unreachable' ? undefined : who);
        throw error;
      }
    },
  };
}

/** How long it stays open; after a trial that told nothing not at all, so that the next request is the trial. */
function restAfter(ms: (outcome: unknown) => number): IBackoffFactory<IHalfOpenAfterBackoffContext> {
  const next = ({ result }: IHalfOpenAfterBackoffContext): IBackoff<IHalfOpenAfterBackoffContext> => ({
    duration: ms('error' in result ? result.error : result.value),
    next,
  });
  return { next };
}

/** 429 is an answer of an STS that is up, so it opens nothing. */
function isUnreachable(error: unknown): error is OnbehalfError {
  return isOnbehalfError(error) && (error.code === 'sts_unreachable' || error.code === 'sts_timeout');
}
