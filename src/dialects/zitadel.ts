import type { Dialect } from '../core/dialect.ts';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { classIn, firstBroken, isOther, type Reading } from './rules.ts';

const READINGS: readonly Reading[] = [
  ['invalid_request', 'subject_token invalid', 'reauthentication_required'],
  ['invalid_request', 'actor_token invalid', 'misconfigured'],
  ['invalid_request', 'Impersonation.PolicyDisabled', 'misconfigured'],
  // The user's sign-in did not ask for the audience; that is a scope of the front end.
  ['invalid_target', '', 'misconfigured'],
];

/**
 * ZITADEL: an audience must be one of the subject token's or of the actor token's. It asks for a JWT, since an access token
 * is opaque there.
 *
 * No check of the issued token is left out: with an audience asked for, `aud` is that and no more; `sub` stays.
 */
export function zitadel(): Dialect {
  return {
    name: 'zitadel',
    requestedTokenType: TOKEN_TYPE.jwt,
    refuse: ({ subject, actor, target }) =>
      firstBroken([
        [
          target.resources.length > 0,
          'ZITADEL takes no "resource": name the project id or client id of the server as "audience"',
        ],
        [
          target.audiences.length === 0,
          'ZITADEL issues for every audience of the subject token unless there is an "audience": name that of the server',
        ],
        // The other types (jwt, user_id) are this client's own word for who the user is.
        [
          isOther(subject.type, TOKEN_TYPE.accessToken, TOKEN_TYPE.idToken),
          "ZITADEL's subject must be a token of the user: an access token or an ID token",
        ],
        [
          isOther(actor?.type, TOKEN_TYPE.accessToken, TOKEN_TYPE.idToken),
          'ZITADEL takes an access token or an ID token as actor token',
        ],
        [
          isOther(target.requestedTokenType, TOKEN_TYPE.jwt, TOKEN_TYPE.accessToken),
          'ZITADEL issues a JWT, or an opaque access token: leave out "requestedTokenType"',
        ],
      ]),
    classify: (answer) => classIn(READINGS, answer),
  };
}
