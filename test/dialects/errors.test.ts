import { expect, test } from 'vitest';
import type { Dialect } from '../../src/core/dialect.ts';
import type { FailureClass } from '../../src/core/errors.ts';
import {
  auth0Custom,
  auth0OnBehalfOf,
  authentik,
  dex,
  failed,
  google,
  keycloak,
  LEGACY,
  okta,
  PRESETS,
  zitadel,
} from './presets.ts';

type Answered = readonly [
  what: string,
  dialect: Dialect,
  status: number,
  body: Readonly<Record<string, unknown>>,
  failure: FailureClass,
];

const REAUTHENTICATE = 'reauthentication_required';
const custom = auth0Custom({ subjectTokenType: LEGACY });
const upstream = dex({ connectorId: 'upstream' });

const says = (error: string, error_description?: string) => ({ error, error_description });

const ANSWERED: readonly Answered[] = [
  // As a real Keycloak 26.7.3 answers.
  ['a bad subject', keycloak(), 400, says('invalid_request', 'Invalid token'), REAUTHENTICATE],
  [
    'exchange switched off',
    keycloak(),
    400,
    says('invalid_request', 'Standard token exchange is not enabled for the requested client'),
    'misconfigured',
  ],
  [
    'a user without a role there',
    keycloak(),
    400,
    says('invalid_request', 'Requested audience not available: files'),
    'denied',
  ],
  ['an unknown audience', keycloak(), 400, says('invalid_client', 'Audience not found'), 'misconfigured'],
  [
    'a requester that the subject is not for',
    keycloak(),
    403,
    says('access_denied', 'Client is not within the token audience'),
    'misconfigured',
  ],
  ['an unknown scope', keycloak(), 400, says('invalid_scope', 'Invalid scopes: nonsense'), 'misconfigured'],
  [
    'no consent',
    keycloak(),
    400,
    says('invalid_scope', 'Missing consents for Token Exchange in client agent'),
    'consent_required',
  ],
  [
    'a wrong secret',
    keycloak(),
    401,
    says('unauthorized_client', 'Invalid client or Invalid client credentials'),
    'misconfigured',
  ],
  ['a disabled realm', keycloak(), 403, says('access_denied', 'Realm not enabled'), 'misconfigured'],
  ['an unknown realm', keycloak(), 404, says('Realm does not exist'), 'misconfigured'],
  [
    'a token type it does not issue',
    keycloak(),
    400,
    says('invalid_request', 'requested_token_type unsupported'),
    'misconfigured',
  ],
  [
    'a subject that is no access token',
    keycloak(),
    400,
    says('invalid_request', "Parameter 'subject_token' supports access tokens only"),
    'misconfigured',
  ],
  ['policy', keycloak(), 403, says('access_denied', 'Some policy of the realm'), 'denied'],
  // As Keycloak's source says.
  ['a bad actor token', keycloak(), 400, says('invalid_request', 'Invalid actor token'), 'misconfigured'],
  [
    'a subject that names no actor',
    keycloak({ delegation: true }),
    400,
    says('invalid_request', 'Invalid may_act claim in the subject_token'),
    'misconfigured',
  ],
  [
    'an actor that may not act',
    keycloak({ delegation: true }),
    400,
    says('invalid_request', 'Actor user is not allowed by the may_act claim inside the subject_token'),
    'denied',
  ],

  ['a bad subject', okta(), 400, says('invalid_grant', "'subject_token' is invalid."), REAUTHENTICATE],
  [
    'policy',
    okta(),
    400,
    says(
      'access_denied',
      'Policy evaluation failed for this request, please check the policy configurations.',
    ),
    'denied',
  ],
  [
    'a scope it does not have',
    okta(),
    400,
    says('invalid_scope', 'One or more scopes are not configured for the authorization server resource.'),
    'misconfigured',
  ],

  ['a wrong secret', auth0OnBehalfOf(), 401, says('access_denied', 'Unauthorized'), 'misconfigured'],
  ['policy', auth0OnBehalfOf(), 403, says('access_denied', 'The user may not'), 'denied'],
  ['consent that nobody can be asked for', auth0OnBehalfOf(), 403, says('consent_required'), 'misconfigured'],
  [
    'a chain that is too long',
    auth0OnBehalfOf(),
    400,
    says('invalid_request', 'Delegation chain (`act` claim) depth exceeds the maximum allowed limit of 5'),
    'denied',
  ],
  [
    'too many attempts',
    custom,
    429,
    says('too_many_attempts', 'We have detected suspicious login behavior'),
    'unavailable',
  ],
  [
    'a subject that the Action rejects',
    custom,
    400,
    says('invalid_request', 'Invalid subject_token'),
    REAUTHENTICATE,
  ],
  [
    'a combination it does not know',
    custom,
    400,
    says('invalid_request', 'Invalid subject_token_type and requested_token_type combination.'),
    'misconfigured',
  ],
  [
    'the word of an Action',
    custom,
    400,
    says('Unauthorized_login', 'User cannot login due to reason: X'),
    'denied',
  ],

  ['a bad subject', zitadel(), 400, says('invalid_request', 'subject_token invalid'), REAUTHENTICATE],
  ['a bad actor', zitadel(), 400, says('invalid_request', 'actor_token invalid'), 'misconfigured'],
  [
    'impersonation switched off',
    zitadel(),
    403,
    says('invalid_request', 'Errors.TokenExchange.Impersonation.PolicyDisabled'),
    'misconfigured',
  ],
  [
    'an audience that the user did not sign in for',
    zitadel(),
    400,
    says('invalid_target', 'audience "1" not found in subject or actor token'),
    'misconfigured',
  ],

  ['a bad subject', authentik(), 400, says('invalid_grant'), REAUTHENTICATE],
  ['an audience that does not trust this client', authentik(), 400, says('invalid_target'), 'misconfigured'],
  ['a missing secret', authentik(), 400, says('invalid_client'), 'misconfigured'],

  [
    'an expired subject',
    google(),
    400,
    says('invalid_grant', 'ID Token issued at 1 is stale to sign-in.'),
    REAUTHENTICATE,
  ],
  [
    'the attribute condition',
    google(),
    400,
    says('unauthorized_client', 'The given credential is rejected by the attribute condition.'),
    'denied',
  ],
  [
    'an issuer it cannot reach',
    google(),
    400,
    says('invalid_grant', "Error connecting to the given credential's issuer."),
    'misconfigured',
  ],
  [
    'an unknown pool',
    google(),
    400,
    says('invalid_target', 'The target service is invalid'),
    'misconfigured',
  ],
  ['a wrong client', google(), 401, says('unauthorized_client', 'no such client'), 'misconfigured'],

  ['a bad subject', upstream, 401, says('access_denied'), REAUTHENTICATE],
  [
    'an unknown connector',
    upstream,
    400,
    says('invalid_request', 'Requested connector does not exist.'),
    'misconfigured',
  ],
  [
    'a connector not for this client',
    upstream,
    400,
    says('invalid_grant', 'Connector not allowed for this client.'),
    'misconfigured',
  ],
  [
    'a token type it does not issue',
    upstream,
    400,
    says('request_not_supported', 'Invalid requested_token_type.'),
    'misconfigured',
  ],
];

test.each(ANSWERED.map(([what, dialect, ...rest]) => [dialect.name, what, dialect, ...rest] as const))(
  '%s: %s',
  async (_name, _what, dialect, status, body, failure) => {
    const error = await failed(dialect, status, body);

    expect(error).toMatchObject({ code: 'sts_error', failure, status, oauthError: body.error });
    expect(error.retryable).toBe(failure === 'unavailable');
  },
);

test.each(PRESETS.map(({ dialect }) => [dialect.name, dialect] as const))(
  '%s leaves to the RFCs what they say',
  async (_name, dialect) => {
    for (const [error, failure] of [
      ['login_required', REAUTHENTICATE],
      ['invalid_client', 'misconfigured'],
      ['unsupported_grant_type', 'misconfigured'],
      ['temporarily_unavailable', 'unavailable'],
      ['a_code_nobody_knows', 'denied'],
    ] as const) {
      expect(await failed(dialect, 400, { error })).toMatchObject({ failure });
    }
    expect(
      await failed(dialect, 503, { error: 'invalid_request', error_description: 'Invalid token' }),
    ).toMatchObject({ failure: 'unavailable', retryable: true });
  },
);

test('a provider cannot make an error show the token that was sent', async () => {
  for (const { dialect } of PRESETS) {
    const error = await failed(dialect, 400, {
      error: 'invalid_request',
      error_description: 'Invalid token the-subject-token',
    });
    expect(error.message).not.toContain('the-subject-token');
  }
});
