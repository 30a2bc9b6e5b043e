/** What is known about a token's lifetime. All times in milliseconds. */
export interface TtlFacts {
  /** Current time since the epoch. */
  readonly now: number;
  /** `expires_in` of the answer. */
  readonly expiresInMs: number | undefined;
  /** `exp` of the issued JWT since the epoch. */
  readonly tokenExp: number | undefined;
  /** `exp` of the subject token since the epoch. */
  readonly subjectExp: number | undefined;
  /** Longest that any token is kept. */
  readonly maxTtlMs: number;
  /** How long before its end a token is no longer used. */
  readonly marginMs: number;
  /** Lifetime assumed when nobody says one. */
  readonly unknownTtlMs: number;
}

/**
 * Until when a token may be used: the earliest of all limits, less a margin for clocks and requests under way.
 * The margin is at most a quarter of the lifetime, so that a short token is usable at all.
 *
 * @returns time since the epoch; not after `now` when the token is not usable
 */
export function usableUntil(facts: TtlFacts): number {
  const { now } = facts;
  const told = [facts.expiresInMs === undefined ? undefined : now + facts.expiresInMs, facts.tokenExp].filter(
    (time) => time !== undefined,
  );
  if (told.length === 0) told.push(now + facts.unknownTtlMs);
  const end = Math.min(...told, facts.subjectExp ?? Number.POSITIVE_INFINITY, now + facts.maxTtlMs);
  return end - Math.min(facts.marginMs, Math.max(0, end - now) / 4);
}
