import type { Dialect } from '../core/dialect.ts';
import { checkOptions } from '../core/options.ts';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { classIn, firstBroken, isOther, type Reading } from './rules.ts';

/** Options of {@link google}. */
export interface GoogleOptions {
  /** Project number or id that a workforce pool's requests are billed to. Default: not sent. */
  readonly userProject?: string | undefined;
}

const READINGS: readonly Reading[] = [
  // The provider's attribute condition says no to this user.
  ['unauthorized_client', 'attribute condition', 'denied'],
  ['invalid_grant', "Error connecting to the given credential's issuer", 'misconfigured'],
  ['invalid_target', '', 'misconfigured'],
];

/**
 * Google's Security Token Service: a token of another identity provider becomes a federated access token. `audience` is
 * the full resource name of the pool's provider.
 *
 * The tokens are opaque, so a target needs `allowOpaqueIssued`; there are no claims of which a check could be left out.
 *
 * @throws TypeError that names an option which is not of its form
 */
export function google(options: GoogleOptions = {}): Dialect {
  checkOptions(options, 'google()', { userProject: 'text?' });
  const { userProject } = options;
  return {
    name: userProject === undefined ? 'google' : `google(${userProject})`,
    requestedTokenType: TOKEN_TYPE.accessToken,
    // A workload has no client there; with one (workforce), the client's authentication names it.
    omitsClientId: true,
    refuse: ({ subject, actor, target }) =>
      firstBroken([
        [target.resources.length > 0, 'Google takes no "resource": its access tokens are limited by "scope"'],
        [
          target.audiences.length !== 1 || !target.audiences[0]?.startsWith('//iam.googleapis.com/'),
          'Google takes exactly one "audience": the resource name of the pool\'s provider, //iam.googleapis.com/...',
        ],
        [
          target.scopes.length === 0,
          'Google needs a "scope", such as "https://www.googleapis.com/auth/cloud-platform"',
        ],
        // There it means a token that Google issued itself.
        [
          subject.type === TOKEN_TYPE.accessToken,
          'Google takes the JWT of an identity provider: set "subjectTokenType" to that of a JWT or an ID token',
        ],
        [
          isOther(target.requestedTokenType, TOKEN_TYPE.accessToken),
          'Google issues access tokens only: leave out "requestedTokenType"',
        ],
        [actor !== undefined, 'Google takes no actor token: leave out the actor'],
      ]),
    form(form) {
      if (userProject !== undefined) form.set('options', JSON.stringify({ userProject }));
      return form;
    },
    classify: (answer) => classIn(READINGS, answer),
  };
}
