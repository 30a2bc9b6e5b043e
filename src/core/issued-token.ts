import { inspect } from 'node:util';
import { readClaims, type TokenClaims } from './claims.ts';
import { TOKEN_TYPE } from './token-types.ts';

/** A token that an STS issued. Its value is readable as `accessToken`, but not printed or serialised. */
export interface IssuedToken {
  /** The token itself. Not enumerable. */
  readonly accessToken: string;
  /** `issued_token_type`, RFC 8693 section 2.2.1. */
  readonly issuedTokenType: string;
  /** Lifetime the STS named, in milliseconds, counted from its answer: of a token that was kept, some has gone since. */
  readonly expiresInMs: number | undefined;
  /** Scope the STS named, if it did. */
  readonly scope: string | undefined;
  /** Claims of a JWT, decoded anew each time; `undefined` for an opaque token. Not enumerable. */
  readonly claims: TokenClaims | undefined;
}

/** What is told about a token besides itself. */
type Facts = Pick<IssuedToken, 'issuedTokenType' | 'expiresInMs' | 'scope'>;

const KNOWN_TYPES: readonly string[] = Object.values(TOKEN_TYPE);

/**
 * A class, since many are kept: what hides the value costs nothing on the prototype, and hundreds of bytes on each object.
 * For the same reason claims are not kept, and a type is the one copy of its name.
 */
class HiddenToken implements IssuedToken {
  readonly #accessToken: string;
  readonly issuedTokenType: string;
  readonly expiresInMs: number | undefined;
  readonly scope: string | undefined;

  constructor(accessToken: string, facts: Facts) {
    this.#accessToken = accessToken;
    const { issuedTokenType: type } = facts;
    this.issuedTokenType = KNOWN_TYPES.find((known) => known === type) ?? type;
    this.expiresInMs = facts.expiresInMs;
    this.scope = facts.scope;
    Object.freeze(this);
  }

  get accessToken(): string {
    return this.#accessToken;
  }

  get claims(): TokenClaims | undefined {
    return readClaims(this.#accessToken);
  }

  // With `showHidden` and `getters` a printer would read the accessors above.
  [inspect.custom](): object {
    return { ...this, claims: this.claims };
  }
}

/** Makes an {@link IssuedToken} that hides its value. */
export function issuedToken(accessToken: string, facts: Facts): IssuedToken {
  return new HiddenToken(accessToken, facts);
}
