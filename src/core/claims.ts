import { decodeJwt } from 'jose/jwt/decode';

/** The claims this package reads. They come from a token that was decoded, not verified. */
export interface TokenClaims {
  /** Issuer. */
  readonly iss?: string | undefined;
  /** Subject. */
  readonly sub?: string | undefined;
  /** Audiences; empty without `aud`. */
  readonly aud: readonly string[];
  /** Expiry, in milliseconds since the epoch; NaN when there is one that is no time (RFC 7519 section 4.1.4). */
  readonly exp?: number | undefined;
  /** `scope`, or `scp` as some providers call it, space-separated. */
  readonly scope?: string | undefined;
  /** `act.sub`: who acts (RFC 8693 section 4.1). */
  readonly act?: string | undefined;
  /** `may_act`: who may act for the subject (RFC 8693 section 4.4). */
  readonly mayAct?: { readonly sub: string | undefined; readonly iss: string | undefined } | undefined;
  /** `oid`: the user at Microsoft Entra, whose `sub` is another for each application. */
  readonly oid?: string | undefined;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/**
 * Reads the claims of a JWT without verifying it: the resource server verifies; we only compare and plan.
 *
 * @returns `undefined` when the token is not a JWT, so opaque
 */
export function readClaims(token: string): TokenClaims | undefined {
  let payload: Record<string, unknown>;
  try {
    payload = decodeJwt(token);
  } catch {
    return undefined;
  }
  const { aud, exp, act, may_act: mayAct, scope, scp } = payload;
  const scopes = scope ?? scp;
  return {
    iss: text(payload.iss),
    sub: text(payload.sub),
    aud: (Array.isArray(aud) ? aud : [aud]).filter((value) => typeof value === 'string'),
    exp: exp === undefined ? undefined : typeof exp === 'number' ? exp * 1000 : Number.NaN,
    scope: Array.isArray(scopes) ? scopes.map(String).join(' ') : text(scopes),
    act: party(act)?.sub,
    mayAct: party(mayAct),
    oid: text(payload.oid),
  };
}

/** The claims that name a party inside `act` and `may_act`. */
function party(value: unknown): TokenClaims['mayAct'] {
  if (value === undefined || value === null) return undefined;
  const { sub, iss } = value as Record<string, unknown>;
  return { sub: text(sub), iss: text(iss) };
}
