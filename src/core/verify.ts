import type { TokenClaims } from './claims.ts';
import { OnbehalfError } from './errors.ts';
import type { IssuedToken } from './issued-token.ts';
import type { ResolvedTarget } from './target.ts';
import { TOKEN_TYPE } from './token-types.ts';

/** What a token was asked for; an issued token is held against it. */
export interface Expectation {
  /** What it was asked for. */
  readonly target: ResolvedTarget;
  /** Claims of the subject token; without `sub` (opaque) the subject cannot be compared. */
  readonly subject: TokenClaims;
  /** Whether an actor token was sent, and its `sub` where known. */
  readonly actor: { readonly sub?: string | undefined } | undefined;
  /** Current time, in milliseconds since the epoch. */
  readonly now: number;
  /** Whether a token that is not a JWT is taken unchecked. */
  readonly allowOpaque: boolean;
}

/**
 * Checks that the STS issued what was asked: an STS can answer 200 and ignore the audience. Strict.
 *
 * @throws OnbehalfError `issued_token_rejected` that names the check, never the token
 */
export function verifyIssuedToken(token: IssuedToken, expected: Expectation): void {
  assertType(token.issuedTokenType, expected.target.requestedTokenType);
  assertScope(token.scope, expected.target.scopes);
  const { claims } = token;
  if (claims === undefined) {
    if (expected.allowOpaque) return;
    throw rejected(
      'it is not a JWT, so nothing in it can be checked; set allowOpaqueIssued if that is by design',
    );
  }
  assertAudience(claims, expected.target);
  assertScope(claims.scope, expected.target.scopes);
  if (expected.subject.sub !== undefined && claims.sub !== expected.subject.sub) {
    throw rejected('its "sub" is not the subject that was sent');
  }
  if (expected.actor) assertActor(claims, expected.actor);
  if (claims.exp !== undefined && !(claims.exp > expected.now)) throw rejected('it has already expired');
}

function assertType(issued: string, requested: string | undefined): void {
  const usable: readonly string[] =
    requested === undefined ? [TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt] : [requested];
  if (!usable.includes(issued)) throw rejected('its "issued_token_type" is not the requested one');
}

function assertAudience(claims: TokenClaims, target: ResolvedTarget): void {
  // With an audience asked, a resource may be represented by it (RFC 8707 section 2); alone it must be there itself.
  const wanted = target.audiences.length > 0 ? target.audiences : target.resources;
  if (!wanted.every((value) => claims.aud.includes(value))) {
    throw rejected('its "aud" does not hold the audience that was asked for');
  }
}

function assertScope(granted: string | undefined, asked: readonly string[]): void {
  if (granted === undefined || asked.length === 0) return;
  const wider = granted.split(' ').some((value) => value !== '' && !asked.includes(value));
  if (wider) throw rejected('its scope is wider than what was asked for');
}

function assertActor(claims: TokenClaims, actor: { readonly sub?: string | undefined }): void {
  if (claims.act === undefined) throw rejected('it has no "act", although an actor token was sent');
  if (actor.sub !== undefined && claims.act !== actor.sub) {
    throw rejected('its "act" is not the actor that was sent');
  }
}

function rejected(why: string): OnbehalfError {
  return new OnbehalfError('issued_token_rejected', `the token that the STS issued was refused: ${why}`, {
    failure: 'misconfigured',
  });
}
