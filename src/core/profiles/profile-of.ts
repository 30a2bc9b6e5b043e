import type { Dialect } from '../dialect.ts';
import type { ProfileName, ResolvedTarget } from '../target.ts';
import { dialectOf } from '../token-service.ts';
import type { TokenService } from '../token-service-handle.ts';
import { TOKEN_TYPE } from '../token-types.ts';
import { entraObo } from './entra-obo.ts';
import { idJag } from './id-jag.ts';
import type { Profile } from './profile.ts';
import { rfc8693 } from './rfc8693.ts';

const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  rfc8693,
  'entra-obo': entraObo,
  'id-jag': idJag,
};

/** Name of the profile by which a target's token is got at a token service. */
export function profileNameOf(service: TokenService, target: Pick<ResolvedTarget, 'profile'>): ProfileName {
  return target.profile ?? dialectOf(service)?.profile ?? 'rfc8693';
}

/** The profile by which a target's token is got at a token service. */
export function profileOf(service: TokenService, target: Pick<ResolvedTarget, 'profile'>): Profile {
  return PROFILES[profileNameOf(service, target)];
}

type HowAsked = Pick<ResolvedTarget, 'profile' | 'requestedTokenType'>;

/**
 * The dialect that says how a target is asked for; none when that is not the provider's own way: in another profile than
 * the dialect's, or for an ID-JAG, which is asked for in one way everywhere.
 */
export function requestDialectOf(service: TokenService, target: HowAsked): Dialect | undefined {
  const dialect = dialectOf(service);
  const own = profileNameOf(service, target) === (dialect?.profile ?? 'rfc8693');
  return own && target.requestedTokenType !== TOKEN_TYPE.idJag ? dialect : undefined;
}

/** `requested_token_type` that is sent for a target, if any. */
export function requestedTokenTypeOf(service: TokenService, target: HowAsked): string | undefined {
  return target.requestedTokenType ?? requestDialectOf(service, target)?.requestedTokenType;
}

/** `issued_token_type` of an answer that has none; `undefined` when it must have one. */
export function impliedTokenTypeOf(service: TokenService, target: HowAsked): string | undefined {
  return profileOf(service, target).issuedTokenType ?? requestDialectOf(service, target)?.issuedTokenType;
}
