import { onAbort } from './on-abort.ts';

/** A clock and its timers, so that tests can let time pass. */
export interface Time {
  /** Milliseconds of a clock that is never set back. */
  readonly now: () => number;
  /** Calls once, after so many milliseconds. Returns what takes it back. */
  readonly after: (ms: number, run: () => void) => () => void;
}

/** Most that a timer takes; with more it fires at once. */
const MOST_MS = 2 ** 31 - 1;

/** The time of this computer. */
export const systemTime: Time = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, MOST_MS));
    return () => clearTimeout(timer);
  },
};

/** Waits. @throws the reason of `signal`, as soon as it aborts */
export async function pause(time: Time, ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const ignore = onAbort(signal, () => {
      cancel();
      reject(signal?.reason);
    });
    const cancel = time.after(ms, () => {
      ignore();
      resolve();
    });
  });
}

/** How long to wait between tries. */
export interface Backoff {
  /** Before the second try, in milliseconds; it doubles from try to try. */
  readonly firstMs: number;
  /** Longest, in milliseconds. */
  readonly mostMs: number;
}

/**
 * The wait after a failure: half of it is random, so that those who failed together do not come back together.
 *
 * @param failures - how many there were in a row, from 1
 */
export function backoffMs({ firstMs, mostMs }: Backoff, failures: number): number {
  const longest = Math.min(mostMs, firstMs * 2 ** (failures - 1));
  return (longest / 2) * (1 + Math.random());
}
