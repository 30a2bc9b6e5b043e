/** Bounds how often each user asks. */
export interface RateLimit {
  /** Counts a request of a user. @returns 0 when it may go on; else after how many seconds the next one may */
  take(user: string): number;
  /** The same, without counting anything. */
  wait(user: string): number;
}

interface Bucket {
  /** Requests that may come at once. */
  left: number;
  at: number;
}

/** Users that are remembered. Whoever is forgotten has asked longest ago, and so has all requests again, or nearly. */
const MAX_USERS = 100_000;
const MINUTE_MS = 60_000;

/**
 * A bucket for each user: as many requests at once as are allowed in a minute, and as many in each minute.
 *
 * @param perMinute - requests of one user
 * @param now - milliseconds of a clock
 */
export function createRateLimit(perMinute: number, now: () => number = Date.now): RateLimit {
  /** In the order of last use. */
  const buckets = new Map<string, Bucket>();
  const perMs = perMinute / MINUTE_MS;
  const bucketOf = (user: string): Bucket => {
    const at = now();
    const known = buckets.get(user) ?? { left: perMinute, at };
    return { left: Math.min(perMinute, known.left + Math.max(0, at - known.at) * perMs), at };
  };
  const secondsFor = (left: number): number => (left >= 1 ? 0 : Math.ceil((1 - left) / perMs / 1000));
  return {
    wait: (user) => secondsFor(bucketOf(user).left),
    take(user) {
      const { left, at } = bucketOf(user);
      const mayGoOn = left >= 1;
      buckets.delete(user);
      buckets.set(user, { left: mayGoOn ? left - 1 : left, at });
      const [oldest] = buckets.keys();
      if (buckets.size > MAX_USERS && oldest !== undefined) buckets.delete(oldest);
      return secondsFor(left);
    },
  };
}
