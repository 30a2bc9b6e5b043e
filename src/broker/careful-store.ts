import type { StoreEvent } from './observer.ts';
import type { Lease, SharedStore } from './shared-store.ts';

/** What a call of a shared store came to; `failed` also when it was not made, since the store was just down. */
export type StoreOutcome<T> = { readonly failed: false; readonly value: T } | { readonly failed: true };

/** A shared store that never throws and never takes long: when it fails it is left alone for a while. */
export interface CarefulStore {
  readonly state: StoreEvent['state'];
  get(key: string): Promise<StoreOutcome<string | undefined>>;
  set(key: string, value: string, ttlMs: number): Promise<void>;
  delete(key: string, matches: (value: string) => boolean): Promise<void>;
  lease(key: string, ttlMs: number): Promise<StoreOutcome<Lease | undefined>>;
  /** Counts as a failure: it was waited for something that never came. */
  gaveUp(): void;
}

/** How long a {@link CarefulStore} waits, and whom it tells. */
export interface CarefulStoreOptions {
  /** For one call, in milliseconds. */
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly onChange: (event: StoreEvent) => void;
}

const FIRST_REST_MS = 1_000;
const LONGEST_REST_MS = 30_000;

export function createCarefulStore(store: SharedStore, options: CarefulStoreOptions): CarefulStore {
  const { timeoutMs, now, onChange } = options;
  let restUntil = 0;
  let restMs = FIRST_REST_MS;
  let failures = 0;
  let state: StoreEvent['state'] = 'up';

  const change = (next: StoreEvent['state']): void => {
    if (next === state) return;
    state = next;
    onChange({ state });
  };

  const fail = (): void => {
    failures += 1;
    // Those who asked at the same time fail together: one rest is enough.
    if (restUntil > now()) return;
    restUntil = now() + restMs;
    restMs = Math.min(restMs * 2, LONGEST_REST_MS);
    change('down');
  };

  /** @param late - gets a value that came when nobody waited for it any more */
  const ask = async <T>(call: () => Promise<T>, late?: (value: T) => void): Promise<StoreOutcome<T>> => {
    if (restUntil > now()) return { failed: true };
    const failuresBefore = failures;
    try {
      const value = await inTime(call, timeoutMs, late);
      // What was asked before the last failure says nothing of how the store is now.
      if (failures === failuresBefore) {
        restMs = FIRST_REST_MS;
        change('up');
      }
      return { failed: false, value };
    } catch {
      fail();
      return { failed: true };
    }
  };

  return {
    get state() {
      return state;
    },
    gaveUp: fail,
    get: (key) => ask(() => store.get(key)),
    async set(key, value, ttlMs) {
      await ask(() => store.set(key, value, ttlMs));
    },
    async delete(key, matches) {
      await ask(() => store.delete(key, matches));
    },
    lease: (key, ttlMs) =>
      ask(
        () => store.lease(key, ttlMs),
        // Nobody knows of a lease that was given too late, so nobody would give it back.
        (lease) => lease && giveBack(lease),
      ),
  };
}

/** Gives a lease back, without anybody waiting for that or minding when it fails. */
export function giveBack(lease: Lease): void {
  (async () => lease.release())().catch(() => {});
}

async function inTime<T>(
  call: () => Promise<T>,
  ms: number,
  late: ((value: T) => void) | undefined,
): Promise<T> {
  let over = false;
  // A store that throws at once is one that fails.
  const answer = (async () => call())();
  answer.then(
    (value) => over && late?.(value),
    () => {},
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      over = true;
      reject(new Error('the shared store took too long'));
    }, ms);
  });
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
