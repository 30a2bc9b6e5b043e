import { type Backoff, backoffMs, pause, type Time } from '../time.ts';
import { isKubeError, type KubeError } from './kube-error.ts';
import type { KubeRequest } from './transport.ts';

export interface RetryOptions {
  /** How often at the most, the first time included. */
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly time: Time;
}

/** If the API server asks for more, the failure is told at once. */
const LONGEST_WAIT_MS = 30_000;
const PASSING: ReadonlySet<string> = new Set(['Unreachable', 'TimedOut']);

/** Whether the same request can succeed soon by itself. */
function mayPass({ code, reason }: KubeError, method: KubeRequest['method']): boolean {
  // To a write it is mostly about what is written: an apply that is not typed right, a webhook that is not there.
  if (code === 500) return method === 'GET';
  return code === 429 || (code > 500 && reason !== 'Expired') || PASSING.has(reason);
}

/** Tries again while that can help. @throws what the last attempt threw, or the reason of `signal` */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { method, attempts, backoff, time }: RetryOptions & Pick<KubeRequest, 'method'>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isKubeError(error) || !mayPass(error, method) || tried >= attempts) throw error;
      const { retryAfterMs: asked = 0 } = error;
      if (asked > LONGEST_WAIT_MS) throw error;
      // Those who were told the same time must not come back at the same time.
      await pause(time, asked + backoffMs(backoff, tried), signal);
    }
  }
}
