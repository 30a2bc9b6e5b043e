import type { Dialect } from '../core/dialect.ts';
import { checkOptions } from '../core/options.ts';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { classIn, firstBroken, isOther, type Reading } from './rules.ts';

/** Options of {@link keycloak}. */
export interface KeycloakOptions {
  /**
   * Sends the actor token: for Keycloak 26.8 or later with the feature `token-exchange-delegation`. Without the feature
   * Keycloak ignores an actor token, and the issued token is refused for want of `act`. Default: false, an actor is
   * refused.
   */
  readonly delegation?: boolean | undefined;
  /**
   * The client scopes of type Default at this client that are included in the token scope: Keycloak gives them to every
   * token, asked or not. Default: `profile` and `email`, those of a new client.
   */
  readonly defaultScopes?: readonly string[] | undefined;
}

/** The descriptions are Keycloak's own and in no language but this one. */
const READINGS: readonly Reading[] = [
  // One answer for each of expired, revoked, session ended, signing key gone, user disabled, other realm.
  ['invalid_request', 'Invalid token', 'reauthentication_required'],
  ['invalid_request', 'Standard token exchange is not enabled', 'misconfigured'],
  ['invalid_request', 'Invalid actor token', 'misconfigured'],
  ['invalid_request', 'Invalid may_act claim', 'misconfigured'],
  ['invalid_request', 'requested_token_type unsupported', 'misconfigured'],
  ['invalid_request', "Parameter 'subject_token", 'misconfigured'],
  ['invalid_scope', 'Missing consents', 'consent_required'],
  ['invalid_scope', '', 'misconfigured'],
  // An audience mapper is missing where the user signs in.
  ['access_denied', 'Client is not within the token audience', 'misconfigured'],
  ['access_denied', 'Realm not enabled', 'misconfigured'],
  ['Realm does not exist', '', 'misconfigured'],
];

/**
 * Keycloak 26.2 or later: standard token exchange (version 2). `audience` is the client id of the server.
 *
 * No check of the issued token is left out: `aud` is cut down to what was asked for, `sub` stays, and a scope is wider than
 * asked only by this client's default client scopes.
 *
 * @throws TypeError that names an option which is not of its form
 */
export function keycloak(options: KeycloakOptions = {}): Dialect {
  checkOptions(options, 'keycloak()', { delegation: 'boolean?', defaultScopes: 'any?' });
  const { delegation = false, defaultScopes = ['profile', 'email'] } = options;
  assertScopes(defaultScopes);
  return {
    name: delegation ? 'keycloak(delegation)' : 'keycloak',
    addedScopes: [...defaultScopes],
    refuse: ({ subject, actor, target }) =>
      firstBroken([
        [
          target.resources.length > 0,
          'Keycloak ignores "resource": name the client id of the server as "audience"',
        ],
        [
          // Without it the token is for every client that the user has a role in.
          target.audiences.length === 0,
          'Keycloak issues for all servers unless there is an "audience": name the client id of the server',
        ],
        [
          isOther(subject.type, TOKEN_TYPE.accessToken),
          'Keycloak exchanges access tokens only: set "subjectTokenType" to that of an access token',
        ],
        [
          isOther(target.requestedTokenType, TOKEN_TYPE.accessToken),
          'Keycloak issues access tokens for servers: leave out "requestedTokenType"',
        ],
        [
          actor !== undefined && !delegation,
          'Keycloak ignores an actor token: leave out the actor ("azp" of the token names this client), or take ' +
            'Keycloak 26.8 or later with its feature token-exchange-delegation and use keycloak({ delegation: true })',
        ],
        [
          isOther(actor?.type, TOKEN_TYPE.accessToken),
          'Keycloak takes only an access token of the same realm as actor token, such as from clientCredentialsActor()',
        ],
      ]),
    classify: (answer) => classIn(READINGS, answer),
  };
}

function assertScopes(scopes: unknown): void {
  if (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string' && /^\S+$/.test(scope)))
    return;
  throw new TypeError('"defaultScopes" must be a list of client scopes');
}
