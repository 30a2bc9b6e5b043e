import type { TokenClaims } from '../core/claims.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import type { KeptToken } from './memory-store.ts';
import { refreshTime, usableUntil } from './ttl.ts';

/** How long tokens are kept; see `BrokerOptions`. */
export interface KeepTimes {
  readonly maxTtlMs?: number | undefined;
  readonly marginMs?: number | undefined;
  readonly unknownTtlMs?: number | undefined;
  readonly refreshAhead?: boolean | undefined;
}

/** Until when a token is kept, and from when on it is made anew. */
export function keepTimes(
  { expiresInMs, claims }: Pick<IssuedToken, 'expiresInMs' | 'claims'>,
  subject: TokenClaims,
  options: KeepTimes & { readonly now: number },
): Omit<KeptToken, 'token'> {
  const { now, maxTtlMs = 3_600_000, marginMs = 10_000, unknownTtlMs = 60_000 } = options;
  const told = { expiresInMs, tokenExp: claims?.exp, subjectExp: subject.exp };
  const facts = { now, ...told, maxTtlMs, marginMs, unknownTtlMs };
  return {
    usableUntil: usableUntil(facts),
    refreshAt: options.refreshAhead === false ? Number.POSITIVE_INFINITY : refreshTime(facts),
  };
}
