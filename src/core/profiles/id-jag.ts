import { OnbehalfError } from '../errors.ts';
import { decodeJwt } from '../jwt-form.ts';
import { type ResolvedTarget, resolveTarget } from '../target.ts';
import { JWT_BEARER_GRANT, TOKEN_TYPE } from '../token-types.ts';
import type { Profile } from './profile.ts';

/**
 * The second step of the Identity Assertion JWT Authorization Grant (draft-ietf-oauth-identity-assertion-authz-grant,
 * section 4.4): the ID-JAG, here the subject token, becomes an access token at the resource's authorization server.
 * What it is for stands in the ID-JAG.
 */
export const idJag: Profile = {
  grantType: JWT_BEARER_GRANT,
  form: ({ subject }) => new URLSearchParams([['assertion', subject.token]]),
  refuse({ target }) {
    if (target.resources.length === 0) return 'id-jag needs a "resource": the identifier of the MCP server';
    if (target.requestedTokenType !== undefined) return 'id-jag takes no "requestedTokenType"';
    return undefined;
  },
  issuedTokenType: TOKEN_TYPE.accessToken,
  // The audience, if there is one, is that of the ID-JAG.
  audiences: (target) => target.resources,
  // The resource's authorization server may call the user by a name of its own; the ID-JAG was checked.
  unchecked: ['subject', 'actor'],
};

const assertions = new WeakMap<ResolvedTarget, ResolvedTarget>();

/**
 * What the first step asks the identity provider for: an ID-JAG for the resource's authorization server (section 4.3).
 *
 * @throws OnbehalfError `exchange_unsupported` when nobody says who the authorization server is
 */
export function identityAssertionTarget(target: ResolvedTarget): ResolvedTarget {
  const known = assertions.get(target);
  if (known) return known;
  const issuer = target.audiences.length > 0 ? target.audiences : target.authorizationServer?.issuer;
  if (issuer === undefined) {
    throw new OnbehalfError(
      'exchange_unsupported',
      'the issuer of the authorization server is not known: set "issuer" there, or "audience" of the target',
      { failure: 'misconfigured' },
    );
  }
  const made = resolveTarget({
    audience: issuer,
    resource: target.resources,
    scope: target.scopes,
    requestedTokenType: TOKEN_TYPE.idJag,
    profile: 'rfc8693',
    unchecked: target.unchecked,
  });
  assertions.set(target, made);
  return made;
}

/** Whether a token says that it is an ID-JAG (section 3.1): an ID token or an access token must not pass as one. */
export function isIdJag(token: string): boolean {
  const typ = decodeJwt(token)?.header.typ;
  // RFC 7515 section 4.1.9: in any case, and with or without the prefix.
  return typeof typ === 'string' && /^(?:application\/)?oauth-id-jag\+jwt$/i.test(typ);
}
