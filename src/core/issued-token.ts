import type { TokenClaims } from './claims.ts';
import { hideToken } from './token-types.ts';

/** A token that an STS issued. Its value is readable as `accessToken`, but not printed or serialised. */
export interface IssuedToken {
  /** The token itself. Not enumerable. */
  readonly accessToken: string;
  /** `issued_token_type`, RFC 8693 section 2.2.1. */
  readonly issuedTokenType: string;
  /** Lifetime the STS named, in milliseconds, counted from the answer. */
  readonly expiresInMs: number | undefined;
  /** Scope the STS named, if it did. */
  readonly scope: string | undefined;
  /** Claims of a JWT, decoded; `undefined` for an opaque token. */
  readonly claims: TokenClaims | undefined;
}

/** Makes an {@link IssuedToken} that hides its value. */
export function issuedToken(accessToken: string, facts: Omit<IssuedToken, 'accessToken'>): IssuedToken {
  return hideToken({ ...facts }, 'accessToken', accessToken);
}
