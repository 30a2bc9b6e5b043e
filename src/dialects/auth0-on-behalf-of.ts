import type { Dialect } from '../core/dialect.ts';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { AUTH0_READINGS } from './auth0-readings.ts';
import { classIn, firstBroken, isOther } from './rules.ts';

/**
 * Auth0: on-behalf-of token exchange by a Custom API client. `audience` is the identifier of the API.
 *
 * No check of the issued token is left out: `aud` is the API, `sub` stays, and scopes are at most what was asked for.
 */
export function auth0OnBehalfOf(): Dialect {
  return {
    name: 'auth0-on-behalf-of',
    requestedTokenType: TOKEN_TYPE.accessToken,
    refuse: ({ subject, actor, target }) =>
      firstBroken([
        [
          target.resources.length > 0,
          'Auth0 takes no "resource" here: name the identifier of the API as "audience"',
        ],
        [target.audiences.length !== 1, 'Auth0 takes exactly one "audience": the identifier of the API'],
        [
          isOther(subject.type, TOKEN_TYPE.accessToken),
          'Auth0 exchanges access tokens here: set "subjectTokenType" to that of an access token, or use auth0Custom()',
        ],
        [
          isOther(target.requestedTokenType, TOKEN_TYPE.accessToken),
          'Auth0 issues access tokens only: leave out "requestedTokenType"',
        ],
        [
          actor !== undefined,
          'Auth0 takes no actor token here, since it names this client as the actor by itself: leave out the actor',
        ],
      ]),
    classify: (answer) => classIn(AUTH0_READINGS, answer),
  };
}
