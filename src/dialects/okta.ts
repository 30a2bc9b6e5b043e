import type { Dialect } from '../core/dialect.ts';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { classIn, firstBroken, isOther } from './rules.ts';

/** The scopes that a service app cannot have in this exchange. */
const NOT_FOR_SERVICES = ['openid', 'profile', 'email', 'address', 'phone', 'offline_access'];

/**
 * Okta: on-behalf-of token exchange at a custom authorization server (`https://<org>/oauth2/<id>`). `audience` is that of
 * the authorization server.
 *
 * No check of the issued token is left out: `aud` is that one audience, `sub` stays, `scp` holds what was asked for.
 */
export function okta(): Dialect {
  return {
    name: 'okta',
    refuse: ({ subject, actor, target }) =>
      firstBroken([
        [
          target.resources.length > 0,
          'Okta takes no "resource" here: name the audience of the authorization server as "audience"',
        ],
        [
          target.audiences.length !== 1,
          'Okta takes exactly one "audience": that of the authorization server which is asked',
        ],
        [
          target.scopes.some((scope) => NOT_FOR_SERVICES.includes(scope)),
          `Okta gives a service no OpenID Connect scopes: leave out ${NOT_FOR_SERVICES.join(', ')}`,
        ],
        [
          isOther(subject.type, TOKEN_TYPE.accessToken),
          'Okta exchanges access tokens only: set "subjectTokenType" to that of an access token',
        ],
        // It issues nothing else here, and its guide does not send the parameter.
        [
          target.requestedTokenType !== undefined,
          'Okta issues an access token anyway: leave out "requestedTokenType"',
        ],
        [
          actor !== undefined,
          'Okta takes no actor token here: leave out the actor ("cid" of the token names this client)',
        ],
      ]),
    // The scope is not one of the authorization server's: nobody's policy says no.
    classify: (answer) => classIn([['invalid_scope', '', 'misconfigured']], answer),
  };
}
