/** The right to make an exchange while the other replicas wait for its outcome. */
export interface Lease {
  /** Gives it back, if it is still held. Never throws. */
  release(): Promise<void>;
}

/**
 * A store that replicas share, such as `createRedisStore` of `onbehalf/redis`. It is asked only when this process's own
 * memory has no token. Keys are digests. Values hold tokens: keeping them confidential is the store's duty.
 *
 * A method may throw anything, and may be given up when it takes too long: the broker then goes on with its memory.
 */
export interface SharedStore {
  /** The value of a key; `undefined` when there is none, or none that can be trusted. */
  get(key: string): Promise<string | undefined>;
  /** Keeps a value for that long, in milliseconds, and not longer. */
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /** Deletes the value of a key if it is one that `matches`; another that was written meanwhile stays. */
  delete(key: string, matches: (value: string) => boolean): Promise<void>;
  /**
   * Takes the lease of a key, for that long at the most, in milliseconds.
   *
   * @returns `undefined` when somebody else holds it
   */
  lease(key: string, ttlMs: number): Promise<Lease | undefined>;
}
