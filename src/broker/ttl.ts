/** What is known about a token's lifetime, and how long tokens are kept. All times in milliseconds. */
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
  const end = Math.min(ownEnd(facts), facts.subjectExp ?? Number.POSITIVE_INFINITY);
  return end - Math.min(facts.marginMs, Math.max(0, end - facts.now) / 4);
}

/**
 * From when on another token is to be made ahead: in the last 20 to 30 percent of the lifetime, at a random point, so
 * that tokens which were made together are not made anew together.
 *
 * @returns time since the epoch; `Infinity` when another token would last no longer, since the subject's end is first
 */
export function refreshTime(facts: TtlFacts): number {
  const { now, subjectExp } = facts;
  if (subjectExp !== undefined && subjectExp <= ownEnd(facts)) return Number.POSITIVE_INFINITY;
  const end = usableUntil(facts);
  return end - (end - now) * (0.2 + 0.1 * Math.random());
}

/** When a token ends, whoever it is for. */
function ownEnd({ now, expiresInMs, tokenExp, maxTtlMs, unknownTtlMs }: TtlFacts): number {
  const told = [expiresInMs === undefined ? undefined : now + expiresInMs, tokenExp].filter(
    (time) => time !== undefined,
  );
  if (told.length === 0) told.push(now + unknownTtlMs);
  return Math.min(...told, now + maxTtlMs);
}
