import { expect, test } from 'vitest';
import type { ClientAuth } from '../../src/core/client-authentication.ts';
import type { Dialect } from '../../src/core/dialect.ts';
import type { Target } from '../../src/core/target.ts';
import {
  AT,
  auth0Custom,
  auth0OnBehalfOf,
  authentik,
  dex,
  type Exchanged,
  entra,
  fieldsOf,
  google,
  ID,
  JWT,
  keycloak,
  LEGACY,
  okta,
  POOL,
  startProvider,
  zitadel,
} from './presets.ts';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const basic: ClientAuth = { method: 'client_secret_basic', clientSecret: 'hunter2' };
const post: ClientAuth = { method: 'client_secret_post', clientSecret: 'hunter2' };
const none: ClientAuth = { method: 'none' };

interface Golden extends Exchanged {
  readonly dialect: Dialect;
  readonly path: string;
  readonly clientAuth: ClientAuth;
  readonly target: Target;
  /** The whole form, names and values in their order. */
  readonly form: readonly (readonly [string, string])[];
}

const keycloakPath = '/realms/acme/protocol/openid-connect/token';

const GOLDEN: readonly (readonly [string, Golden])[] = [
  [
    'Keycloak, a minimal target',
    {
      dialect: keycloak(),
      path: keycloakPath,
      clientAuth: basic,
      target: { audience: 'calendar' },
      form: [
        ['audience', 'calendar'],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Keycloak, a maximal target',
    {
      dialect: keycloak(),
      path: keycloakPath,
      clientAuth: post,
      target: { audience: ['files', 'calendar'], scope: 'write read', requestedTokenType: AT },
      form: [
        ['audience', 'files'],
        ['audience', 'calendar'],
        ['scope', 'read write'],
        ['requested_token_type', AT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
        ['client_id', 'agent'],
        ['client_secret', 'hunter2'],
      ],
    },
  ],
  [
    'Keycloak with delegation',
    {
      dialect: keycloak({ delegation: true }),
      path: keycloakPath,
      clientAuth: basic,
      target: { audience: 'calendar' },
      actorType: AT,
      form: [
        ['audience', 'calendar'],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['actor_token', 'the-actor-token'],
        ['actor_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Okta, a minimal target',
    {
      dialect: okta(),
      path: '/oauth2/default/v1/token',
      clientAuth: basic,
      target: { audience: 'api://calendar' },
      form: [
        ['audience', 'api://calendar'],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Okta, a maximal target',
    {
      dialect: okta(),
      path: '/oauth2/default/v1/token',
      clientAuth: basic,
      target: { audience: 'api://calendar', scope: ['api:access:read', 'api:access:write'] },
      form: [
        ['audience', 'api://calendar'],
        ['scope', 'api:access:read api:access:write'],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Auth0 on behalf of, a minimal target',
    {
      dialect: auth0OnBehalfOf(),
      path: '/oauth/token',
      clientAuth: post,
      target: { audience: 'https://calendar.example.com' },
      form: [
        ['audience', 'https://calendar.example.com'],
        ['requested_token_type', AT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
        ['client_id', 'agent'],
        ['client_secret', 'hunter2'],
      ],
    },
  ],
  [
    'Auth0 on behalf of, a maximal target',
    {
      dialect: auth0OnBehalfOf(),
      path: '/oauth/token',
      clientAuth: basic,
      target: {
        audience: 'https://calendar.example.com',
        scope: 'read:events write:events',
        requestedTokenType: AT,
      },
      form: [
        ['audience', 'https://calendar.example.com'],
        ['scope', 'read:events write:events'],
        ['requested_token_type', AT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Auth0 custom, a minimal target and a public client',
    {
      dialect: auth0Custom({ subjectTokenType: LEGACY }),
      path: '/oauth/token',
      clientAuth: none,
      target: { audience: 'https://calendar.example.com' },
      form: [
        ['audience', 'https://calendar.example.com'],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', LEGACY],
        ['grant_type', TOKEN_EXCHANGE],
        ['client_id', 'agent'],
      ],
    },
  ],
  [
    'Auth0 custom, a maximal target and an actor',
    {
      dialect: auth0Custom({ subjectTokenType: LEGACY }),
      path: '/oauth/token',
      clientAuth: post,
      target: { audience: 'https://calendar.example.com', scope: 'read:events' },
      subjectType: JWT,
      actorType: ID,
      form: [
        ['audience', 'https://calendar.example.com'],
        ['scope', 'read:events'],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', LEGACY],
        ['actor_token', 'the-actor-token'],
        ['actor_token_type', ID],
        ['grant_type', TOKEN_EXCHANGE],
        ['client_id', 'agent'],
        ['client_secret', 'hunter2'],
      ],
    },
  ],
  [
    'ZITADEL, a minimal target',
    {
      dialect: zitadel(),
      path: '/oauth/v2/token',
      clientAuth: basic,
      target: { audience: '259254317079330818' },
      form: [
        ['audience', '259254317079330818'],
        ['requested_token_type', JWT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'ZITADEL, a maximal target and an actor',
    {
      dialect: zitadel(),
      path: '/oauth/v2/token',
      clientAuth: basic,
      target: {
        audience: ['259254317079330818', '259254020357488642'],
        scope: 'openid profile',
        requestedTokenType: AT,
      },
      subjectType: ID,
      actorType: AT,
      form: [
        ['audience', '259254317079330818'],
        ['audience', '259254020357488642'],
        ['scope', 'openid profile'],
        ['requested_token_type', AT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', ID],
        ['actor_token', 'the-actor-token'],
        ['actor_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'authentik, a minimal target',
    {
      dialect: authentik(),
      path: '/application/o/token/',
      clientAuth: post,
      target: { audience: 'calendar' },
      form: [
        ['audience', 'calendar'],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['grant_type', TOKEN_EXCHANGE],
        ['client_id', 'agent'],
        ['client_secret', 'hunter2'],
      ],
    },
  ],
  [
    'authentik, a maximal target and an actor',
    {
      dialect: authentik(),
      path: '/application/o/token/',
      clientAuth: basic,
      target: { audience: 'calendar', scope: 'openid email', requestedTokenType: JWT },
      subjectType: JWT,
      actorType: 'goauthentik.io/oauth/token-type/authentik_token',
      form: [
        ['audience', 'calendar'],
        ['scope', 'email openid'],
        ['requested_token_type', JWT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', JWT],
        ['actor_token', 'the-actor-token'],
        ['actor_token_type', 'goauthentik.io/oauth/token-type/authentik_token'],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Google, a minimal target and no client',
    {
      dialect: google(),
      path: '/v1/token',
      clientAuth: none,
      target: { audience: POOL, scope: 'https://www.googleapis.com/auth/cloud-platform' },
      subjectType: JWT,
      form: [
        ['audience', POOL],
        ['scope', 'https://www.googleapis.com/auth/cloud-platform'],
        ['requested_token_type', AT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', JWT],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Google, a workforce pool with a project and an OAuth client',
    {
      dialect: google({ userProject: '123456' }),
      path: '/v1/token',
      clientAuth: basic,
      target: { audience: POOL, scope: 'b a', requestedTokenType: AT },
      subjectType: ID,
      form: [
        ['audience', POOL],
        ['scope', 'a b'],
        ['requested_token_type', AT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', ID],
        ['options', '{"userProject":"123456"}'],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Dex, a minimal target',
    {
      dialect: dex({ connectorId: 'upstream' }),
      path: '/dex/token',
      clientAuth: basic,
      target: { audience: 'calendar' },
      form: [
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', AT],
        ['scope', 'audience:server:client_id:calendar'],
        ['connector_id', 'upstream'],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Dex, a maximal target',
    {
      dialect: dex({ connectorId: 'upstream' }),
      path: '/dex/token',
      clientAuth: basic,
      target: { audience: ['calendar', 'files'], scope: 'openid groups', requestedTokenType: AT },
      subjectType: ID,
      form: [
        ['scope', 'groups openid audience:server:client_id:calendar audience:server:client_id:files'],
        ['requested_token_type', AT],
        ['subject_token', 'the-subject-token'],
        ['subject_token_type', ID],
        ['connector_id', 'upstream'],
        ['grant_type', TOKEN_EXCHANGE],
      ],
    },
  ],
  [
    'Microsoft Entra, a minimal target',
    {
      dialect: entra(),
      path: '/contoso/oauth2/v2.0/token',
      clientAuth: post,
      target: { scope: 'api://calendar/.default', audience: 'api://calendar' },
      form: [
        ['assertion', 'the-subject-token'],
        ['scope', 'api://calendar/.default'],
        ['requested_token_use', 'on_behalf_of'],
        ['grant_type', JWT_BEARER],
        ['client_id', 'agent'],
        ['client_secret', 'hunter2'],
      ],
    },
  ],
  [
    'Microsoft Entra, a maximal target',
    {
      dialect: entra(),
      path: '/contoso/oauth2/v2.0/token',
      clientAuth: post,
      target: { scope: 'api://calendar/write api://calendar/read', audience: 'api://calendar' },
      form: [
        ['assertion', 'the-subject-token'],
        ['scope', 'api://calendar/read api://calendar/write'],
        ['requested_token_use', 'on_behalf_of'],
        ['grant_type', JWT_BEARER],
        ['client_id', 'agent'],
        ['client_secret', 'hunter2'],
      ],
    },
  ],
];

test.each(GOLDEN)('%s: this is what goes over the wire', async (_title, golden) => {
  const { dialect, path, clientAuth, target } = golden;
  const provider = await startProvider(dialect, { path, clientAuth });

  await provider.exchange(target, golden);

  expect(provider.received).toHaveLength(1);
  const [request] = provider.received;
  expect(request).toMatchObject({ method: 'POST', path });
  expect(request?.headers['content-type']).toMatch(/^application\/x-www-form-urlencoded(;|$)/);
  expect(request?.headers.accept).toBe('application/json');
  // "agent:hunter2"
  expect(request?.headers.authorization).toBe(
    clientAuth.method === 'client_secret_basic' ? 'Basic YWdlbnQ6aHVudGVyMg==' : undefined,
  );
  expect(fieldsOf(request)).toEqual(golden.form);
});

test('every preset has a golden request', () => {
  const names = new Set(GOLDEN.map(([, { dialect }]) => dialect.name));
  expect([...names].sort()).toEqual([
    'auth0-custom(urn:example:legacy-token)',
    'auth0-on-behalf-of',
    'authentik',
    'dex(upstream)',
    'entra',
    'google',
    'google(123456)',
    'keycloak',
    'keycloak(delegation)',
    'okta',
    'zitadel',
  ]);
});

test('the subject token of a user is not taken for Google to be a token that Google issued', async () => {
  const provider = await startProvider(google());
  await expect(provider.exchange({ audience: POOL, scope: 'a' }, { subjectType: AT })).rejects.toThrow(
    'subjectTokenType',
  );
  expect(provider.received).toHaveLength(0);
});
