import type { Dialect } from '../core/dialect.ts';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { classIn, firstBroken, isOther } from './rules.ts';

/** authentik's name for its own API tokens. */
const API_TOKEN = 'goauthentik.io/oauth/token-type/authentik_token';

/**
 * authentik: `audience` is the client id of the server's provider. An actor token needs version 2026.8 or later.
 *
 * No check of the issued token is left out: `aud` is that one client id, and `sub` and `act.sub` stay as long as the
 * providers have the same subject mode.
 */
export function authentik(): Dialect {
  return {
    name: 'authentik',
    refuse: ({ subject, actor, target }) =>
      firstBroken([
        [
          target.resources.length > 0,
          'authentik takes no "resource": name the client id of the server as "audience"',
        ],
        // Without one the token is for this client itself.
        [
          target.audiences.length !== 1,
          'authentik takes exactly one "audience": the client id of the server',
        ],
        [
          isOther(subject.type, TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt),
          'authentik exchanges access tokens and JWTs: set "subjectTokenType" to one of these types',
        ],
        [
          isOther(actor?.type, TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt, API_TOKEN),
          `authentik takes an access token, a JWT or an API token (${API_TOKEN}) as actor token`,
        ],
        [
          isOther(target.requestedTokenType, TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt),
          'authentik issues access tokens, which are JWTs: leave out "requestedTokenType"',
        ],
      ]),
    // An unknown client id, or a server's provider that does not trust this client's.
    classify: (answer) => classIn([['invalid_target', '', 'misconfigured']], answer),
  };
}
