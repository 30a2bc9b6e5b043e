import { makeRoom } from '../core/bounded.ts';
import type { IssuedToken } from '../core/issued-token.ts';

/** A token that is kept, and how long. Times in milliseconds since the epoch. */
export interface KeptToken {
  readonly token: IssuedToken;
  readonly usableUntil: number;
  /** From when on a use of it has another one made ahead; `Infinity` for never. */
  refreshAt: number;
}

/** A store of tokens by key, in this process's memory: bounded, the least recently used goes first. */
export interface MemoryStore {
  /** The token of a key that is usable at `now`. */
  get(key: string, now: number): KeptToken | undefined;
  set(key: string, kept: KeptToken): void;
  delete(key: string): void;
  /** Drops what is no longer usable at `now`. */
  sweep(now: number): void;
  clear(): void;
  readonly size: number;
}

/** @param maxEntries - how many tokens are kept at the most */
export function createMemoryStore(maxEntries: number): MemoryStore {
  // A Map iterates in the order of insertion: the first key is the one that was not used for longest.
  const entries = new Map<string, KeptToken>();
  let newest: string | undefined;
  return {
    get(key, now) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry.usableUntil <= now) {
        entries.delete(key);
        return undefined;
      }
      // The same token for one request after another need not be moved each time.
      if (key !== newest) {
        entries.delete(key);
        entries.set(key, entry);
        newest = key;
      }
      return entry;
    },
    set(key, kept) {
      entries.delete(key);
      makeRoom(entries, maxEntries);
      entries.set(key, kept);
      newest = key;
    },
    delete(key) {
      entries.delete(key);
    },
    sweep(now) {
      for (const [key, entry] of entries) {
        if (entry.usableUntil <= now) entries.delete(key);
      }
    },
    clear: () => entries.clear(),
    get size() {
      return entries.size;
    },
  };
}
