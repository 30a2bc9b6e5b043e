import type { TokenClaims } from './claims.ts';
import { OnbehalfError } from './errors.ts';
import type { IssuedToken } from './issued-token.ts';
import { isDamagedJwt } from './jwt-form.ts';
import { isIdJag } from './profiles/id-jag.ts';
import { profileOf, requestDialectOf, requestedTokenTypeOf } from './profiles/profile-of.ts';
import type { Check, ResolvedTarget } from './target.ts';
import type { TokenService } from './token-service-handle.ts';
import { TOKEN_TYPE } from './token-types.ts';

/** What a token was asked for; an issued token is held against it. */
export interface Expectation {
  /** Where it was asked for. */
  readonly service: TokenService;
  /** What it was asked for. */
  readonly target: ResolvedTarget;
  /** Claims of the subject token; without `sub` (opaque) the subject cannot be compared. */
  readonly subject: TokenClaims;
  /** Whether an actor token was sent, and its `sub` where known. */
  readonly actor: { readonly sub?: string | undefined; readonly iss?: string | undefined } | undefined;
  /** Current time, in milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Checks that the STS issued what was asked: an STS can answer 200 and ignore the audience. Strict; what is not checked,
 * the target says (`allowOpaqueIssued`, `unchecked`), or the dialect and the profile, where a check could never hold.
 *
 * @throws OnbehalfError `issued_token_rejected` that names the check, never the token
 */
export function verifyIssuedToken(token: IssuedToken, expected: Expectation): void {
  const { service, target, subject, actor } = expected;
  const profile = profileOf(service, target);
  const byDesign = [...(profile.unchecked ?? []), ...(requestDialectOf(service, target)?.unchecked ?? [])];
  const left = new Set<Check>([...target.unchecked, ...byDesign]);
  assertType(token.issuedTokenType, requestedTokenTypeOf(service, target));
  // An ID token or an access token must not pass as one.
  if (target.requestedTokenType === TOKEN_TYPE.idJag && !isIdJag(token.accessToken)) {
    throw rejected('it is no ID-JAG: its "typ" is not oauth-id-jag+jwt');
  }
  const scopes = grantableScopes(expected);
  if (!left.has('scope')) assertScope(token.scope, scopes);
  const { claims } = token;
  if (isDamagedJwt(token.accessToken)) throw rejected('it is a JWT that is damaged or not signed');
  if (claims === undefined) {
    if (target.allowOpaqueIssued) return;
    throw rejected(
      'it is not a JWT, so nothing in it can be checked; set allowOpaqueIssued of the target if that is by design',
    );
  }
  assertTimes(claims, expected.now);
  assertForm(claims, scopes, left);
  assertAudience(claims, profile.audiences?.(target) ?? defaultAudiences(target), target, left);
  if (!left.has('scope')) assertScope(claims.scope, scopes);
  if (!left.has('subject')) assertSubject(claims, subject, profile.subjectClaim ?? 'sub');
  if (actor && !left.has('actor')) assertActor(claims, actor);
}

/** Scopes that the token may have; `undefined`: any. */
function grantableScopes({ service, target }: Expectation): readonly string[] | undefined {
  const { grantedScopes } = profileOf(service, target);
  // Without a scope asked, the STS decides (RFC 6749 section 3.3).
  if (target.scopes.length === 0) return undefined;
  if (grantedScopes) return grantedScopes(target.scopes);
  return [...target.scopes, ...(requestDialectOf(service, target)?.addedScopes ?? [])];
}

const defaultAudiences = ({ audiences, resources }: ResolvedTarget): readonly string[] =>
  // With an audience asked, a resource may be represented by it (RFC 8707 section 2); alone it must be there itself.
  audiences.length > 0 ? audiences : resources;

function assertType(issued: string, requested: string | undefined): void {
  const usable: readonly string[] =
    requested === undefined ? [TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt] : [requested];
  if (!usable.includes(issued)) throw rejected('its "issued_token_type" is not the requested one');
}

function assertTimes({ exp }: TokenClaims, now: number): void {
  // NaN, which is no time, is not after now either.
  if (exp !== undefined && !(exp > now)) throw rejected('it has already expired');
}

function assertForm(
  { malformed = [] }: TokenClaims,
  scopes: readonly string[] | undefined,
  left: ReadonlySet<Check>,
): void {
  const checked = {
    aud: !left.has('audience') && !left.has('other_audiences'),
    scope: !left.has('scope') && scopes !== undefined,
  };
  const wrong = malformed.find((claim) => claim !== 'may_act' && checked[claim]);
  if (wrong) throw rejected(`its "${wrong}" is neither text nor a list of texts`);
}

function assertAudience(
  { aud }: TokenClaims,
  wanted: readonly string[],
  { audiences, resources }: ResolvedTarget,
  left: ReadonlySet<Check>,
): void {
  if (!left.has('audience') && !wanted.every((value) => aud.includes(value))) {
    throw rejected('its "aud" does not hold the audience that was asked for');
  }
  if (left.has('audience') || left.has('other_audiences') || wanted.length === 0) return;
  // One more audience is one more server that could use the token elsewhere.
  if (aud.some((value) => !audiences.includes(value) && !resources.includes(value))) {
    throw rejected('its "aud" holds an audience that was not asked for; see "other_audiences" of the target');
  }
}

function assertScope(granted: string | undefined, asked: readonly string[] | undefined): void {
  if (granted === undefined || asked === undefined) return;
  const wider = granted.split(' ').some((value) => value !== '' && !asked.includes(value));
  if (wider) throw rejected('its scope is wider than what was asked for');
}

function assertSubject(claims: TokenClaims, subject: TokenClaims, by: 'sub' | 'oid'): void {
  const claim = subject[by] === undefined ? 'sub' : by;
  if (subject[claim] !== undefined && claims[claim] !== subject[claim]) {
    throw rejected(`its "${claim}" is not that of the subject that was sent`);
  }
}

function assertActor(claims: TokenClaims, actor: NonNullable<Expectation['actor']>): void {
  if (claims.act === undefined) throw rejected('it has no "act", although an actor token was sent');
  // An `act` need not name an issuer; one that it names must be the actor's.
  const otherIssuer = claims.actIss !== undefined && actor.iss !== undefined && claims.actIss !== actor.iss;
  if ((actor.sub !== undefined && claims.act !== actor.sub) || otherIssuer) {
    throw rejected('its "act" is not the actor that was sent');
  }
}

function rejected(why: string): OnbehalfError {
  return new OnbehalfError('issued_token_rejected', `the token that the STS issued was refused: ${why}`, {
    failure: 'misconfigured',
  });
}
