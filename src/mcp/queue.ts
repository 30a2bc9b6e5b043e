import { AsyncLocalStorage } from 'node:async_hooks';

/** Callers that wait for room, in the order in which they came. */
export interface Queue<T> {
  /**
   * Tries until it is given something: at once when nobody waits, and then whenever its turn comes.
   *
   * @param key - those with the same one are served together: what one of them is given, the others share
   * @throws what `attempt` throws; what `full` makes, when the wait is too long or too many wait already; the reason of
   * `signal`
   */
  wait(key: string, attempt: () => T | undefined, signal: AbortSignal | undefined): Promise<T>;
  /** There may be room: lets those whose turn it is try. */
  serve(): void;
  /** Fails all who wait. */
  fail(error: Error): void;
}

interface Waiter<T> {
  readonly attempt: () => T | undefined;
  readonly resolve: (given: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Most that wait at once. */
const MOST = 10_000;
/** How often those who wait look for themselves: nobody is told when a stream ends. */
const LOOK_MS = 50;

export function createQueue<T>(options: {
  readonly maxWaitMs: number;
  readonly full: () => Error;
}): Queue<T> {
  const waiting = new Map<string, Set<Waiter<T>>>();
  let size = 0;
  let serving = false;
  let looking: ReturnType<typeof setInterval> | undefined;

  const leave = (key: string, waiter: Waiter<T>): void => {
    const alike = waiting.get(key);
    if (!alike?.delete(waiter)) return;
    size -= 1;
    if (alike.size === 0) waiting.delete(key);
    if (size > 0) return;
    clearInterval(looking);
    looking = undefined;
  };

  const enter = (key: string, waiter: Waiter<T>): void => {
    const alike = waiting.get(key) ?? new Set();
    waiting.set(key, alike.add(waiter));
    size += 1;
    looking ??= setInterval(serve, LOOK_MS).unref();
  };

  /** Whether it was served, in one way or the other. */
  const isServed = (key: string, waiter: Waiter<T>): boolean => {
    try {
      const given = waiter.attempt();
      if (given === undefined) return false;
      waiter.resolve(given);
    } catch (error) {
      waiter.reject(error);
    }
    leave(key, waiter);
    return true;
  };

  const serve = (): void => {
    // To make room is to tell that there is room.
    if (serving || size === 0) return;
    serving = true;
    try {
      for (const [key, alike] of waiting) {
        for (const waiter of alike) if (!isServed(key, waiter)) return;
      }
    } finally {
      serving = false;
    }
  };

  return {
    async wait(key, attempt, signal) {
      const given = size === 0 ? attempt() : undefined;
      if (given !== undefined) return given;
      if (options.maxWaitMs === 0 || size >= MOST) throw options.full();
      signal?.throwIfAborted();
      let giveUp = (_reason: unknown): void => {};
      const turn = new Promise<T>((resolve, reject) => {
        // Its turn is given to it by somebody else, in whose context it must not act.
        const inContext = AsyncLocalStorage.snapshot();
        const waiter = { attempt: () => inContext(attempt), resolve, reject };
        // At once: whoever has left must not be given anything.
        giveUp = (reason) => {
          leave(key, waiter);
          reject(reason);
        };
        enter(key, waiter);
      });
      const timer = setTimeout(() => giveUp(options.full()), options.maxWaitMs);
      const onAbort = (): void => giveUp(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        return await turn;
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      }
    },
    serve,
    fail(error) {
      for (const [key, alike] of waiting) {
        for (const waiter of alike) {
          waiter.reject(error);
          leave(key, waiter);
        }
      }
    },
  };
}
