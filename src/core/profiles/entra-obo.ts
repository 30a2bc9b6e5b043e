import { JWT_BEARER_GRANT, TOKEN_TYPE } from '../token-types.ts';
import type { Profile } from './profile.ts';

/**
 * Microsoft Entra's on-behalf-of flow, which is a JWT bearer grant (RFC 7523 section 2.1) and not a token exchange. The
 * target's audience is not sent, for `scope` names the API; the issued token is held against it.
 */
export const entraObo: Profile = {
  grantType: JWT_BEARER_GRANT,
  form({ subject, target }) {
    const body = new URLSearchParams();
    body.set('assertion', subject.token);
    body.set('scope', target.scopes.join(' '));
    body.set('requested_token_use', 'on_behalf_of');
    return body;
  },
  refuse({ actor, target }) {
    if (actor) return 'the on-behalf-of flow takes no actor token: the client itself is the actor';
    if (target.scopes.length === 0)
      return 'the on-behalf-of flow needs a scope, such as "api://<client id>/.default"';
    if (target.resources.length > 0)
      return 'the on-behalf-of flow takes no "resource": name the API in the scope';
    if (target.requestedTokenType !== undefined) return 'the on-behalf-of flow takes no "requestedTokenType"';
    if (target.audiences.length === 0 && !target.unchecked.includes('audience'))
      return 'set "audience" to the "aud" of the API\'s tokens, so that the issued token can be checked';
    return undefined;
  },
  issuedTokenType: TOKEN_TYPE.accessToken,
  // ".default" asks for whatever was consented to; other scopes come back without the API's name in front.
  grantedScopes(asked) {
    if (asked.some((scope) => scope.endsWith('/.default'))) return undefined;
    return asked.flatMap((scope) => [scope, scope.slice(scope.lastIndexOf('/') + 1)]);
  },
  // Each application sees the user under a `sub` of its own.
  subjectClaim: 'oid',
};
