import type {
  CircuitBreakerPolicy,
  IBackoff,
  IBackoffFactory,
  IHalfOpenAfterBackoffContext,
} from 'cockatiel';
import { isOnbehalfError, OnbehalfError } from './errors.ts';
import { checkOptions } from './options.ts';

/** When requests to an STS are stopped for a while, so that one that is down is not asked by everybody. */
export interface BreakerOptions {
  /** Failures in a row after which it opens: no answer, or 5xx. Default: 5. */
  readonly failures?: number | undefined;
  /** How long it stays open before one request is let through, in milliseconds. Default: 10,000. */
  readonly openMs?: number | undefined;
}

/** `open`: nothing is sent; `half_open`: one request is under way, to see. */
export type BreakerState = 'closed' | 'open' | 'half_open';

/** A circuit breaker. */
export interface Breaker {
  readonly state: BreakerState;
  /** @throws OnbehalfError `sts_circuit_open` instead of calling `send` while it is open */
  run(send: () => Promise<Response>): Promise<Response>;
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
    const { circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen } = await import('cockatiel');
    const consecutive = new ConsecutiveBreaker(failures);
    const policy: CircuitBreakerPolicy = circuitBreaker(
      // A trial that ended without a word of the STS must not close it; otherwise such an end says nothing.
      handleWhen((error) => isUnreachable(error) || policy.state === CircuitState.HalfOpen).orWhenResult(
        (answer) => (answer as Response).status >= 500,
      ),
      {
        halfOpenAfter: restAfter(openMs),
        breaker: {
          state: undefined,
          success: () => consecutive.success(),
          // A request that began before it opened tells nothing new when it fails later.
          failure: (began) =>
            began === CircuitState.HalfOpen || policy.state === CircuitState.Closed
              ? consecutive.failure()
              : false,
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
    async run(send) {
      loading ??= load();
      const policy = await loading;
      try {
        return await policy.execute(send);
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

/** How long it stays open: after a trial that said nothing of the STS, the next request is the trial. */
function restAfter(openMs: number): IBackoffFactory<IHalfOpenAfterBackoffContext> {
  const next = ({ result }: IHalfOpenAfterBackoffContext): IBackoff<IHalfOpenAfterBackoffContext> => ({
    duration: 'error' in result && !isUnreachable(result.error) ? 0 : openMs,
    next,
  });
  return { next };
}

/** 429 is an answer of an STS that is up, so it opens nothing. */
function isUnreachable(error: Error): boolean {
  return isOnbehalfError(error) && (error.code === 'sts_unreachable' || error.code === 'sts_timeout');
}
