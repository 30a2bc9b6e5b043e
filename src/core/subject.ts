import { readClaims, type TokenClaims } from './claims.ts';
import { OnbehalfError } from './errors.ts';
import { isDamagedJwt } from './jwt-form.ts';
import { PRINTABLE } from './token-types.ts';

/** How {@link checkSubject} treats a subject token. */
export interface SubjectPolicy {
  /** Current time, in milliseconds since the epoch. */
  readonly now: number;
  /** Whether a subject token that is not a JWT is taken. Its expiry and `sub` are then unknown. */
  readonly allowOpaque: boolean;
}

const reauthenticate = { failure: 'reauthentication_required' } as const;

/**
 * The subject gate: says who the subject is, or refuses, before anything is looked up or exchanged.
 * The signature is not checked: the agent's own front door and the STS do that.
 *
 * @throws OnbehalfError `subject_missing`, `subject_malformed` or `subject_expired`
 */
export function checkSubject(token: string | undefined, policy: SubjectPolicy): TokenClaims {
  if (token === undefined || token === '') {
    throw new OnbehalfError('subject_missing', 'there is no subject token', reauthenticate);
  }
  if (/^bearer\s/i.test(token)) {
    throw new OnbehalfError(
      'subject_malformed',
      'the subject token begins with "Bearer": pass the token alone, as bearerToken(header) gives it',
      reauthenticate,
    );
  }
  if (!PRINTABLE.test(token)) {
    throw new OnbehalfError(
      'subject_malformed',
      'the subject token holds a space or an unprintable character',
      reauthenticate,
    );
  }
  const claims = readClaims(token);
  if (isDamagedJwt(token)) {
    throw new OnbehalfError(
      'subject_malformed',
      'the subject token is a JWT that is damaged or not signed',
      reauthenticate,
    );
  }
  if (claims === undefined) {
    if (policy.allowOpaque) return { aud: [] };
    throw new OnbehalfError(
      'subject_malformed',
      'the subject token is not a JWT; set allowOpaqueSubject if it is opaque by design',
      reauthenticate,
    );
  }
  if (claims.sub === undefined || claims.sub === '') {
    throw new OnbehalfError('subject_malformed', 'the subject token has no "sub"', reauthenticate);
  }
  if (Number.isNaN(claims.exp)) {
    throw new OnbehalfError(
      'subject_malformed',
      'the "exp" of the subject token is not a time',
      reauthenticate,
    );
  }
  assertNotExpired(claims.exp, policy.now);
  return claims;
}

/** @throws OnbehalfError `subject_expired` when `exp` has passed */
export function assertNotExpired(exp: number | undefined, now: number): void {
  if (exp !== undefined && exp <= now) {
    throw new OnbehalfError(
      'subject_expired',
      'the subject token has expired; the user must sign in again',
      reauthenticate,
    );
  }
}
