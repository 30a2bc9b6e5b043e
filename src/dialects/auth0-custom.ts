import type { Dialect } from '../core/dialect.ts';
import { checkOptions } from '../core/options.ts';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { parseUrl } from '../core/url.ts';
import { AUTH0_READINGS } from './auth0-readings.ts';
import { classIn, firstBroken, type Reading } from './rules.ts';

/** Options of {@link auth0Custom}. */
export interface Auth0CustomOptions {
  /** `subject_token_type` of the Custom Token Exchange Profile: a URI of your own. It is sent in place of any other. */
  readonly subjectTokenType: string;
}

/** Namespaces that Auth0 keeps for itself and for standards. */
const RESERVED = /^(?:https?:\/\/(?:auth0|okta)\.com(?:[/:?#]|$)|urn:(?:ietf|auth0|okta)(?::|$))/i;

const READINGS: readonly Reading[] = [
  ...AUTH0_READINGS,
  // What the Action says by rejectInvalidSubjectToken(), if it says it in these words.
  ['invalid_request', 'invalid subject_token', 'reauthentication_required'],
];

/**
 * Auth0: custom token exchange, where an Action of the tenant decides who the subject token's user is. `audience` is the
 * identifier of the API.
 *
 * No check of the issued token is left out. An Action may map the user to another `sub`, or name another actor than the
 * actor token's `sub`; then the target says so in `unchecked`, for the Action of another tenant may not.
 *
 * @throws TypeError that names an option which is not of its form
 */
export function auth0Custom(options: Auth0CustomOptions): Dialect {
  checkOptions(options, 'auth0Custom()', { subjectTokenType: 'text' });
  const { subjectTokenType } = options;
  if (!parseUrl(subjectTokenType) || RESERVED.test(subjectTokenType)) {
    throw new TypeError('"subjectTokenType" must be a URI of your own, such as "urn:example:legacy-token"');
  }
  return {
    name: `auth0-custom(${subjectTokenType})`,
    // Its documentation does not show that the answer says it; an access token it is in any case.
    issuedTokenType: TOKEN_TYPE.accessToken,
    refuse: ({ actor, target }) =>
      firstBroken([
        [
          target.resources.length > 0,
          'Auth0 takes no "resource" here: name the identifier of the API as "audience"',
        ],
        // Without one it is the tenant's default, so a token for some other API.
        [target.audiences.length !== 1, 'Auth0 takes exactly one "audience": the identifier of the API'],
        [
          target.requestedTokenType !== undefined,
          'Auth0 refuses "requestedTokenType" with a subject token type of your own: leave it out',
        ],
        [
          actor !== undefined && actor.type !== TOKEN_TYPE.idToken && RESERVED.test(actor.type),
          'Auth0 takes an ID token of its own, or a token type of your own, as actor token: give the actor with its type',
        ],
      ]),
    form(form) {
      form.set('subject_token_type', subjectTokenType);
      return form;
    },
    classify: (answer) => classIn(READINGS, answer),
  };
}
