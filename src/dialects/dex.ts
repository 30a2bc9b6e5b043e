import type { Dialect } from '../core/dialect.ts';
import { checkOptions } from '../core/options.ts';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { classIn, firstBroken, isOther, type Reading } from './rules.ts';

/** Options of {@link dex}. */
export interface DexOptions {
  /** `id` of the connector that knows the subject token's issuer. */
  readonly connectorId: string;
}

/** The scope that asks for a client as audience. */
const AUDIENCE_SCOPE = 'audience:server:client_id:';

const READINGS: readonly Reading[] = [
  // The connector does not accept the subject token; Dex says no more.
  ['access_denied', '', 'reauthentication_required'],
  ['invalid_request', 'connector', 'misconfigured'],
  ['invalid_grant', 'Connector not allowed', 'misconfigured'],
  ['request_not_supported', '', 'misconfigured'],
];

/**
 * Dex: a token of another identity provider becomes one of Dex. `audience` is a client id, sent as the scope by which
 * Dex asks for it.
 *
 * @throws TypeError that names an option which is not of its form
 */
export function dex(options: DexOptions): Dialect {
  checkOptions(options, 'dex()', { connectorId: 'text' });
  const { connectorId } = options;
  return {
    name: `dex(${connectorId})`,
    refuse: ({ subject, actor, target }) =>
      firstBroken([
        [
          target.resources.length > 0,
          'Dex takes no "resource": name the client id of the server as "audience"',
        ],
        // Without one the token is for this client itself.
        [target.audiences.length === 0, 'Dex needs an "audience": the client id of the server'],
        [
          target.scopes.some((scope) => scope.includes(AUDIENCE_SCOPE)),
          `write the client id of a scope "${AUDIENCE_SCOPE}..." as "audience", so that it can be checked`,
        ],
        // It would ask for a scope that is not in the target.
        [
          target.audiences.some((clientId) => /\s/.test(clientId)),
          'a client id of Dex holds no space: name each as an "audience" of its own',
        ],
        [
          isOther(subject.type, TOKEN_TYPE.accessToken, TOKEN_TYPE.idToken),
          'Dex exchanges access tokens and ID tokens: set "subjectTokenType" to one of these types',
        ],
        [
          isOther(target.requestedTokenType, TOKEN_TYPE.accessToken),
          'Dex issues access tokens for servers: leave out "requestedTokenType"',
        ],
        [actor !== undefined, 'Dex ignores an actor token: leave out the actor'],
      ]),
    form(form, { target }) {
      const audiences = target.audiences.map((clientId) => `${AUDIENCE_SCOPE}${clientId}`);
      form.delete('audience');
      form.set('scope', [...target.scopes, ...audiences].join(' '));
      form.set('connector_id', connectorId);
      return form;
    },
    classify: (answer) => classIn(READINGS, answer),
    // Dex makes `sub` of the user's id and the connector's, and puts this client into `aud` beside the one asked for.
    unchecked: ['subject', 'other_audiences'],
  };
}
