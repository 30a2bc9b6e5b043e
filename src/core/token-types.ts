import { inspect } from 'node:util';

/** Token type identifiers of RFC 8693 section 3, and one that builds on it. */
export const TOKEN_TYPE = {
  accessToken: 'urn:ietf:params:oauth:token-type:access_token',
  idToken: 'urn:ietf:params:oauth:token-type:id_token',
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
  /** Identity Assertion JWT Authorization Grant (draft-ietf-oauth-identity-assertion-authz-grant section 3). */
  idJag: 'urn:ietf:params:oauth:token-type:id-jag',
} as const;

/** `grant_type` of a token exchange, RFC 8693 section 2.1. */
export const TOKEN_EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** `grant_type` of a JWT as authorization grant, RFC 7523 section 2.1. */
export const JWT_BEARER_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** What a token consists of: printable ASCII without spaces, so that it breaks no header and no form. */
export const PRINTABLE: RegExp = /^[\x21-\x7e]+$/;

/** A token with its type identifier: what RFC 8693 calls a security token. */
export interface SecurityToken {
  /** The token itself. */
  readonly token: string;
  /** Token type identifier, RFC 8693 section 3. */
  readonly type: string;
  /** Lifetime as far as it is known, in milliseconds, where the token itself does not tell. */
  readonly expiresInMs?: number | undefined;
}

/** A security token that does not show its value when it is printed, spread or serialised. */
export function securityToken(
  token: string,
  type: string = TOKEN_TYPE.accessToken,
  expiresInMs?: number,
): SecurityToken {
  return hideToken(expiresInMs === undefined ? { type } : { type, expiresInMs }, 'token', token);
}

/**
 * Adds a property that holds a secret: readable, but no printer or serialiser meets it. It is not enumerable, and a
 * getter, so that `util.inspect` does not show it with `showHidden` either.
 */
function hideToken<T extends object, K extends string>(
  object: T,
  name: K,
  value: string,
): Readonly<T> & { readonly [P in K]: string } {
  Object.defineProperty(object, name, { get: () => value, enumerable: false });
  Object.defineProperty(object, inspect.custom, { value: () => ({ ...object }), enumerable: false });
  return Object.freeze(object) as Readonly<T> & { readonly [P in K]: string };
}
