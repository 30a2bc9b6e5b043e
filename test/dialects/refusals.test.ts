import { expect, test } from 'vitest';
import type { Dialect } from '../../src/core/dialect.ts';
import type { Target } from '../../src/core/target.ts';
import { failureOf } from '../support/failure.ts';
import {
  AT,
  auth0Custom,
  auth0OnBehalfOf,
  authentik,
  dex,
  type Exchanged,
  google,
  ID,
  JWT,
  keycloak,
  LEGACY,
  okta,
  POOL,
  PRESETS,
  startProvider,
  zitadel,
} from './presets.ts';

type Refused = readonly [what: string, dialect: Dialect, target: Target, exchanged: Exchanged, said: string];

const SAML = 'urn:ietf:params:oauth:token-type:saml2';
const resource = 'https://mcp.example.com/';

const custom = auth0Custom({ subjectTokenType: LEGACY });
const upstream = dex({ connectorId: 'upstream' });
const delegation = keycloak({ delegation: true });

const REFUSED: readonly Refused[] = [
  [
    'Keycloak: a resource',
    keycloak(),
    { audience: 'a', resource },
    {},
    'client id of the server as "audience"',
  ],
  ['Keycloak: a resource alone', keycloak(), { resource }, {}, 'client id of the server as "audience"'],
  ['Keycloak: a scope alone', keycloak(), { scope: 'a' }, {}, 'name the client id'],
  ['Keycloak: an ID token', keycloak(), { audience: 'a' }, { subjectType: ID }, '"subjectTokenType"'],
  ['Keycloak: a JWT wanted', keycloak(), { audience: 'a', requestedTokenType: JWT }, {}, 'leave out'],
  ['Keycloak: an actor', keycloak(), { audience: 'a' }, { actorType: AT }, 'delegation: true'],
  ['Keycloak: an actor token that is a JWT', delegation, { audience: 'a' }, { actorType: JWT }, 'same realm'],

  ['Okta: a resource', okta(), { audience: 'a', resource }, {}, 'as "audience"'],
  ['Okta: no audience', okta(), { scope: 'a' }, {}, 'exactly one "audience"'],
  ['Okta: two audiences', okta(), { audience: ['a', 'b'] }, {}, 'exactly one "audience"'],
  ['Okta: openid', okta(), { audience: 'a', scope: 'b openid' }, {}, 'leave out openid'],
  [
    'Okta: offline_access',
    okta(),
    { audience: 'a', scope: 'offline_access' },
    {},
    'no OpenID Connect scopes',
  ],
  ['Okta: an ID token', okta(), { audience: 'a' }, { subjectType: ID }, '"subjectTokenType"'],
  ['Okta: a type wanted', okta(), { audience: 'a', requestedTokenType: AT }, {}, 'leave out'],
  ['Okta: an actor', okta(), { audience: 'a' }, { actorType: AT }, 'leave out the actor'],

  ['Auth0: a resource', auth0OnBehalfOf(), { audience: 'a', resource }, {}, 'as "audience"'],
  ['Auth0: no audience', auth0OnBehalfOf(), { scope: 'a' }, {}, 'exactly one "audience"'],
  ['Auth0: two audiences', auth0OnBehalfOf(), { audience: ['a', 'b'] }, {}, 'exactly one "audience"'],
  ['Auth0: a JWT', auth0OnBehalfOf(), { audience: 'a' }, { subjectType: JWT }, 'auth0Custom()'],
  ['Auth0: a JWT wanted', auth0OnBehalfOf(), { audience: 'a', requestedTokenType: JWT }, {}, 'leave out'],
  ['Auth0: an actor', auth0OnBehalfOf(), { audience: 'a' }, { actorType: AT }, 'leave out the actor'],

  ['Auth0 custom: a resource', custom, { audience: 'a', resource }, {}, 'as "audience"'],
  ['Auth0 custom: no audience', custom, { scope: 'a' }, {}, 'exactly one "audience"'],
  ['Auth0 custom: two audiences', custom, { audience: ['a', 'b'] }, {}, 'exactly one "audience"'],
  ['Auth0 custom: a type wanted', custom, { audience: 'a', requestedTokenType: AT }, {}, 'leave it out'],
  [
    'Auth0 custom: an actor of a standard type',
    custom,
    { audience: 'a' },
    { actorType: AT },
    'with its type',
  ],

  ['ZITADEL: a resource', zitadel(), { audience: 'a', resource }, {}, 'as "audience"'],
  ['ZITADEL: no audience', zitadel(), { scope: 'a' }, {}, 'name that of the server'],
  ['ZITADEL: a JWT', zitadel(), { audience: 'a' }, { subjectType: JWT }, 'a token of the user'],
  [
    'ZITADEL: a bare user id',
    zitadel(),
    { audience: 'a' },
    { subjectType: 'urn:zitadel:params:oauth:token-type:user_id', actorType: AT },
    'a token of the user',
  ],
  ['ZITADEL: an actor that is a JWT', zitadel(), { audience: 'a' }, { actorType: JWT }, 'as actor token'],
  ['ZITADEL: an ID token wanted', zitadel(), { audience: 'a', requestedTokenType: ID }, {}, 'leave out'],

  ['authentik: a resource', authentik(), { audience: 'a', resource }, {}, 'as "audience"'],
  ['authentik: no audience', authentik(), { scope: 'a' }, {}, 'exactly one "audience"'],
  ['authentik: two audiences', authentik(), { audience: ['a', 'b'] }, {}, 'exactly one "audience"'],
  ['authentik: an ID token', authentik(), { audience: 'a' }, { subjectType: ID }, '"subjectTokenType"'],
  [
    'authentik: an actor that is an ID token',
    authentik(),
    { audience: 'a' },
    { actorType: ID },
    'as actor token',
  ],
  ['authentik: SAML wanted', authentik(), { audience: 'a', requestedTokenType: SAML }, {}, 'leave out'],

  ['Google: a resource', google(), { audience: POOL, scope: 'a', resource }, { subjectType: JWT }, '"scope"'],
  ['Google: no audience', google(), { scope: 'a' }, { subjectType: JWT }, '//iam.googleapis.com/...'],
  [
    'Google: any audience',
    google(),
    { audience: 'a', scope: 'a' },
    { subjectType: JWT },
    '//iam.googleapis.com/...',
  ],
  [
    'Google: two audiences',
    google(),
    { audience: [POOL, POOL], scope: 'a' },
    { subjectType: JWT },
    'exactly one "audience"',
  ],
  ['Google: no scope', google(), { audience: POOL }, { subjectType: JWT }, 'needs a "scope"'],
  ['Google: an access token', google(), { audience: POOL, scope: 'a' }, {}, '"subjectTokenType"'],
  [
    'Google: a JWT wanted',
    google(),
    { audience: POOL, scope: 'a', requestedTokenType: JWT },
    { subjectType: JWT },
    'leave out "requestedTokenType"',
  ],
  [
    'Google: an actor',
    google(),
    { audience: POOL, scope: 'a' },
    { subjectType: JWT, actorType: AT },
    'leave out the actor',
  ],

  ['Dex: a resource', upstream, { audience: 'a', resource }, {}, 'as "audience"'],
  ['Dex: no audience', upstream, { scope: 'groups' }, {}, 'needs an "audience"'],
  [
    'Dex: an audience among the scopes',
    upstream,
    { audience: 'a', scope: 'audience:server:client_id:b' },
    {},
    'as "audience"',
  ],
  ['Dex: an audience with a space', upstream, { audience: 'a groups' }, {}, 'no space'],
  ['Dex: a JWT', upstream, { audience: 'a' }, { subjectType: JWT }, '"subjectTokenType"'],
  ['Dex: an ID token wanted', upstream, { audience: 'a', requestedTokenType: ID }, {}, 'leave out'],
  ['Dex: an actor', upstream, { audience: 'a' }, { actorType: AT }, 'leave out the actor'],
];

test.each(REFUSED)(
  '%s is refused before anything is sent',
  async (_what, dialect, target, exchanged, said) => {
    const provider = await startProvider(dialect);

    const error = await failureOf(provider.exchange(target, exchanged));

    expect(error).toMatchObject({ code: 'exchange_unsupported', failure: 'misconfigured', retryable: false });
    expect(error.message).toContain(said);
    expect(provider.received).toHaveLength(0);
  },
);

test.each(PRESETS.map((preset) => [preset.dialect.name, preset] as const))(
  '%s takes what it is for',
  async (_name, preset) => {
    const provider = await startProvider(preset.dialect);
    await provider.exchange(preset.target, preset);
    expect(provider.received).toHaveLength(1);
  },
);

test.each(PRESETS.map((preset) => [preset.dialect.name, preset] as const))(
  '%s sends an actor token, or says that it takes none: it never leaves one out',
  async (_name, preset) => {
    const provider = await startProvider(preset.dialect);
    const types = [AT, ID, JWT, SAML, LEGACY, 'goauthentik.io/oauth/token-type/authentik_token'];
    const outcomes = types.map(async (actorType) => {
      try {
        await provider.exchange(preset.target, { ...preset, actorType });
        return 'sent';
      } catch (error) {
        expect(error).toMatchObject({ code: 'exchange_unsupported' });
        return 'refused';
      }
    });

    const sent = (await Promise.all(outcomes)).filter((outcome) => outcome === 'sent');

    const withActor = provider.received.filter(
      ({ form }) => form.has('actor_token') && form.has('actor_token_type'),
    );
    expect(withActor).toHaveLength(sent.length);
    expect(provider.received).toHaveLength(sent.length);
  },
);

test.each([
  'not a URI',
  'urn:ietf:params:oauth:token-type:access_token',
  'urn:auth0:legacy',
  'urn:okta:legacy',
  'https://auth0.com/legacy',
  'http://auth0.com',
  'https://okta.com/legacy',
  'HTTPS://OKTA.COM',
])('Auth0 does not take "%s" as a subject token type of one\'s own', (subjectTokenType) => {
  expect(() => auth0Custom({ subjectTokenType })).toThrow(/^"subjectTokenType" must be/);
});

test.each([
  'urn:ietfish:legacy',
  'https://auth0.company.example/legacy',
  'https://okta.community.example/legacy',
  'https://example.com/auth0.com',
])('Auth0 takes "%s" as a subject token type of one\'s own', (subjectTokenType) => {
  expect(auth0Custom({ subjectTokenType }).name).toContain(subjectTokenType);
});

test.each<[string, () => Dialect, string]>([
  ['keycloak', () => keycloak({ delegation: 'yes' as never }), '"delegation" must be true or false'],
  ['keycloak', () => keycloak({ delegate: true } as never), '"delegate" is no option of keycloak()'],
  ['keycloak', () => keycloak({ defaultScopes: 'email' as never }), '"defaultScopes" must be a list'],
  ['keycloak', () => keycloak({ defaultScopes: ['a b'] }), '"defaultScopes" must be a list'],
  ['dex', () => dex({} as never), '"connectorId" is missing'],
  ['dex', () => dex({ connectorId: '' }), '"connectorId" must be a non-empty string'],
  ['google', () => google({ userProject: '' }), '"userProject" must be a non-empty string'],
  ['auth0Custom', () => auth0Custom({} as never), '"subjectTokenType" is missing'],
])('%s says which option is wrong', (_name, make, said) => {
  expect(make).toThrow(TypeError);
  expect(make).toThrow(said);
});

test('settings that change whose token it is are part of the name, which is part of the key', () => {
  expect(dex({ connectorId: 'a' }).name).not.toBe(dex({ connectorId: 'b' }).name);
  expect(google({ userProject: '1' }).name).not.toBe(google().name);
  expect(keycloak({ delegation: true }).name).not.toBe(keycloak().name);
  expect(auth0Custom({ subjectTokenType: 'urn:example:a' }).name).not.toBe(
    auth0Custom({ subjectTokenType: 'urn:example:b' }).name,
  );
});
