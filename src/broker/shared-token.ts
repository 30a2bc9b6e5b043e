import type { TokenClaims } from '../core/claims.ts';
import { issuedToken } from '../core/issued-token.ts';
import { PRINTABLE } from '../core/token-types.ts';
import type { KeptToken } from './memory-store.ts';

/** A token as it is written to a shared store. */
interface Written {
  readonly accessToken: string;
  readonly issuedTokenType: string;
  readonly expiresInMs: number | undefined;
  readonly scope: string | undefined;
  readonly usableUntil: number;
  readonly refreshAt: number | null;
}

/** Writes a token for a shared store. */
export function writeSharedToken({ token, usableUntil, refreshAt }: KeptToken): string {
  const { accessToken, issuedTokenType, expiresInMs, scope } = token;
  // JSON knows no Infinity: it becomes null.
  return JSON.stringify({ accessToken, issuedTokenType, expiresInMs, scope, usableUntil, refreshAt });
}

/** Reads what a shared store gave. Nothing in it is believed: the caller verifies the token as if it were issued now. */
export function readSharedToken(text: string): KeptToken | undefined {
  const value = parse(text);
  if (value === undefined) return undefined;
  const { accessToken, issuedTokenType, expiresInMs, scope, usableUntil, refreshAt } = value;
  const token = issuedToken(accessToken, { issuedTokenType, expiresInMs, scope });
  return {
    token,
    usableUntil: notAfter(token.claims, usableUntil),
    refreshAt: refreshAt ?? Number.POSITIVE_INFINITY,
  };
}

/** The access token in what a shared store gave, whether it is good or not. */
export function accessTokenIn(text: string): string | undefined {
  return parse(text)?.accessToken;
}

const notAfter = (claims: TokenClaims | undefined, time: number): number =>
  Math.min(time, claims?.exp ?? time);

function parse(text: string): Written | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isWritten(value) ? value : undefined;
}

function isWritten(value: unknown): value is Written {
  if (typeof value !== 'object' || value === null) return false;
  const { accessToken, issuedTokenType, expiresInMs, scope, usableUntil, refreshAt } = value as Record<
    string,
    unknown
  >;
  return (
    typeof accessToken === 'string' &&
    PRINTABLE.test(accessToken) &&
    typeof issuedTokenType === 'string' &&
    (expiresInMs === undefined || Number.isFinite(expiresInMs)) &&
    (scope === undefined || typeof scope === 'string') &&
    Number.isFinite(usableUntil) &&
    (refreshAt === null || Number.isFinite(refreshAt))
  );
}
