import { decodeJwt } from './jwt-form.ts';

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
  /** `scope` and `scp`, as some providers call it, space-separated. */
  readonly scope?: string | undefined;
  /** `act.sub`: who acts (RFC 8693 section 4.1). */
  readonly act?: string | undefined;
  /** `act.iss`, where it names one. */
  readonly actIss?: string | undefined;
  /** `may_act`: who may act for the subject (RFC 8693 section 4.4); `sub` may be missing. */
  readonly mayAct?: { readonly sub: string | undefined; readonly iss: string | undefined } | undefined;
  /** `oid`: the user at Microsoft Entra, whose `sub` is another for each application. */
  readonly oid?: string | undefined;
  /** Names of claims that are there but not of their form, such as an `aud` that holds a number. Default: none. */
  readonly malformed?: readonly ('aud' | 'scope' | 'may_act')[] | undefined;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** A claim that is one text or a list of them; `undefined` when it is neither. */
function texts(claim: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return list.every((each) => typeof each === 'string') ? list : undefined;
}

/**
 * Reads the claims of a JWT without verifying it: the resource server verifies; we only compare and plan.
 *
 * @returns `undefined` when the token is not a JWT, so opaque
 */
export function readClaims(token: string): TokenClaims | undefined {
  const payload = decodeJwt(token)?.payload;
  if (payload === undefined) return undefined;
  const { aud = [], exp, act, may_act: mayAct, scope, scp } = payload;
  // Providers write one or the other. With both, a server may look at either.
  const scopes = [scope, scp].filter((claim) => claim !== undefined);
  const malformed: NonNullable<TokenClaims['malformed']>[number][] = [];
  if (!texts(aud)) malformed.push('aud');
  if (!scopes.every(texts)) malformed.push('scope');
  if (!isParty(mayAct)) malformed.push('may_act');
  return Object.freeze({
    iss: text(payload.iss),
    sub: text(payload.sub),
    aud: Object.freeze([...(texts(aud) ?? [])]),
    exp: exp === undefined ? undefined : typeof exp === 'number' ? exp * 1000 : Number.NaN,
    scope: scopes.length === 0 ? undefined : scopes.flatMap((claim) => texts(claim) ?? []).join(' '),
    act: party(act)?.sub,
    actIss: party(act)?.iss,
    mayAct: party(mayAct),
    oid: text(payload.oid),
    malformed: malformed.length > 0 ? Object.freeze(malformed) : undefined,
  });
}

/** Whether a claim may name a party: an object, in which `sub` and `iss` are text. */
function isParty(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { sub = '', iss = '' } = value as Record<string, unknown>;
  return typeof sub === 'string' && typeof iss === 'string';
}

/** The claims that name a party inside `act` and `may_act`. */
function party(value: unknown): TokenClaims['mayAct'] {
  if (typeof value !== 'object' || value === null) return undefined;
  const { sub, iss } = value as Record<string, unknown>;
  return Object.freeze({ sub: text(sub), iss: text(iss) });
}
