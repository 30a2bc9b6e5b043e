import { type Backoff, backoffMs, systemTime, type Time } from '../time.ts';

/** What a handler wants: nothing more, or to be called again when so much time has passed. */
export type Handled = undefined | { readonly againAfterMs: number };

export interface WorkQueueOptions {
  /**
   * Handles a key as the world is now. When it throws, it is called again, later each time.
   *
   * @param signal - aborts when the queue is being shut down
   */
  readonly handle: (key: string, signal: AbortSignal) => Promise<Handled>;
  /** How many keys are handled at the same time. Default: 4. */
  readonly concurrency?: number | undefined;
  /** Waits after failures of one key. Default: 100 ms to 5 minutes. */
  readonly backoff?: Backoff | undefined;
  /** Told what a handler threw, and when it is called again. */
  readonly onError?:
    | ((key: string, error: unknown, failures: number, againAfterMs: number) => void)
    | undefined;
  readonly time?: Time | undefined;
}

/** How many keys there are, by what they wait for. */
export interface WorkQueueSizes {
  /** Wait for a handler. */
  readonly waiting: number;
  /** Are handled now. */
  readonly active: number;
  /** Wait for their time. */
  readonly delayed: number;
  /** Failed last time. */
  readonly failing: number;
}

/**
 * Keys to be handled. After each `add` a handling of that key begins, one for all the adds before it; never two of one key at
 * once. First come, first served.
 */
export interface WorkQueue {
  /** To be handled now, also when the key waits for its time after a failure. Nothing after the end. */
  readonly add: (key: string) => void;
  /** To be handled when so much time has passed, unless a handling begins earlier. */
  readonly addAfter: (key: string, ms: number) => void;
  readonly sizes: () => WorkQueueSizes;
  /** Handles keys until `signal` aborts; resolves when the handlers that ran by then have ended. Call it once. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const BACKOFF: Backoff = { firstMs: 100, mostMs: 300_000 };

/** Makes a queue, which handles nothing until `run`. */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { handle, concurrency = 4, backoff = BACKOFF, time = systemTime } = options;
  const waiting = new Set<string>();
  const active = new Set<string>();
  /** Those of the active that were added after their handling had begun. */
  const again = new Set<string>();
  const delayed = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  const failures = new Map<string, number>();
  let signal: AbortSignal | undefined;
  let ended = false;
  let onIdle = (): void => {};

  const undelay = (key: string): void => {
    delayed.get(key)?.cancel();
    delayed.delete(key);
  };

  const add = (key: string): void => {
    if (ended) return;
    if (active.has(key)) again.add(key);
    else waiting.add(key);
    serve();
  };

  const addAfter = (key: string, ms: number): void => {
    if (ms <= 0) add(key);
    if (ended || ms <= 0) return;
    const at = time.now() + ms;
    const earlier = delayed.get(key);
    if (earlier && earlier.at <= at) return;
    earlier?.cancel();
    delayed.set(key, { at, cancel: time.after(ms, () => add(key)) });
  };

  const serve = (): void => {
    if (!signal) return;
    for (const key of waiting) {
      if (active.size >= concurrency) return;
      waiting.delete(key);
      active.add(key);
      void work(key, signal);
    }
  };

  const work = async (key: string, running: AbortSignal): Promise<void> => {
    // Handlers that find nothing to do never wait: without this they would keep timers and sockets waiting.
    await new Promise((resolve) => setImmediate(resolve));
    if (!ended) await handleOnce(key, running);
    active.delete(key);
    // At the end of the line, or a key that changes all the time would keep the others waiting.
    if (again.delete(key)) waiting.add(key);
    serve();
    if (ended && active.size === 0) onIdle();
  };

  const handleOnce = async (key: string, running: AbortSignal): Promise<void> => {
    // What was asked for until now is what begins now.
    again.delete(key);
    undelay(key);
    try {
      const handled = await handle(key, running);
      failures.delete(key);
      if (handled) addAfter(key, handled.againAfterMs);
    } catch (error) {
      if (ended) return;
      const failed = (failures.get(key) ?? 0) + 1;
      const wait = backoffMs(backoff, failed);
      failures.set(key, failed);
      addAfter(key, wait);
      tell(() => options.onError?.(key, error, failed, wait));
    }
  };

  const end = (): void => {
    ended = true;
    for (const { cancel } of delayed.values()) cancel();
    for (const keys of [waiting, again, delayed, failures]) keys.clear();
    if (active.size === 0) onIdle();
  };

  return {
    add,
    addAfter,
    sizes: () => ({
      waiting: waiting.size + again.size,
      active: active.size,
      delayed: delayed.size,
      failing: failures.size,
    }),
    run(until) {
      signal = until;
      return new Promise((resolve) => {
        onIdle = resolve;
        if (until.aborted) return end();
        until.addEventListener('abort', end, { once: true });
        serve();
      });
    },
  };
}

/** Whoever only listens must not break what he listens to. */
function tell(listener: () => void): void {
  try {
    listener();
  } catch {
    // Nobody is left to tell.
  }
}
