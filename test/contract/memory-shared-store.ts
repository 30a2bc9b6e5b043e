import type { Lease, SharedStore } from '../../src/broker/shared-store.ts';

/** A value or a lease, and when it ends. */
interface Timed {
  readonly value: unknown;
  readonly until: number;
}

/**
 * What a shared store does, in its plainest form: a Map in this process. For tests of the contract itself, and of who
 * uses a shared store; give one to several brokers and they are replicas.
 */
export function createMemorySharedStore(now: () => number = Date.now): SharedStore {
  const values = createTimedMap(now);
  const leases = createTimedMap(now);
  return {
    get: async (key) => values.get(key) as string | undefined,
    set: async (key, value, ttlMs) => values.set(key, value, ttlMs),
    async delete(key, matches) {
      const value = values.get(key);
      if (value !== undefined && matches(value as string) && values.get(key) === value) values.delete(key);
    },
    async lease(key, ttlMs) {
      if (!(ttlMs > 0) || leases.get(key) !== undefined) return undefined;
      const lease: Lease = {
        release: async () => {
          if (leases.get(key) === lease) leases.delete(key);
        },
      };
      leases.set(key, lease, ttlMs);
      return lease;
    },
  };
}

function createTimedMap(now: () => number): {
  get(key: string): unknown;
  set(key: string, value: unknown, ttlMs: number): void;
  delete(key: string): void;
} {
  const entries = new Map<string, Timed>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry !== undefined && entry.until > now()) return entry.value;
      entries.delete(key);
      return undefined;
    },
    set(key, value, ttlMs) {
      // Not a number counts as no time, so it is asked this way round.
      if (ttlMs > 0) entries.set(key, { value, until: now() + ttlMs });
    },
    delete: (key) => {
      entries.delete(key);
    },
  };
}
