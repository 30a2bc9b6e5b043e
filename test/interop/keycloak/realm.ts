import type { JWK } from 'jose';

/** What differs from run to run. */
export interface RealmOptions {
  /** Public key of the client that authenticates with `private_key_jwt`. */
  readonly agentKey: JWK;
  /** Issuer of the cluster whose service accounts may be clients. */
  readonly clusterIssuer: string;
}

/** Service account that is the client `agent-k8s`. */
export const SERVICE_ACCOUNT = 'system:serviceaccount:agents:agent';

/** Of what an agent gets. */
export const TOKEN_LIFESPAN_S = 300;

export const REALM = 'onbehalf';
export const secretOf = (name: string): string => `fake-secret-of-${name}`;

/**
 * The realm that Keycloak imports.
 *
 * Users sign in at `front-end`, whose tokens are for the agents. An agent gets a token for `calendar` or `files` where the
 * user has the role `use` there, and for `notes` only when it asks for the scope `to-notes`. The tokens of no user are for
 * `agent-outsider`.
 */
export function realm({ agentKey, clusterIssuer }: RealmOptions): object {
  return {
    realm: REALM,
    enabled: true,
    sslRequired: 'none',
    accessTokenLifespan: TOKEN_LIFESPAN_S,
    roles: { client: { calendar: [{ name: 'use' }], files: [{ name: 'use' }] } },
    clientScopes: [
      scope('basic', { hidden: true, mappers: [mapper('oidc-sub-mapper')] }),
      scope('roles', { hidden: true, mappers: [mapper('oidc-audience-resolve-mapper')] }),
      // Realms made in the console give every client this scope by default, so it is granted without being asked for.
      scope('profile'),
      scope('calendar.read'),
      scope('calendar.write'),
      scope('to-notes', { mappers: [audience('notes')] }),
    ],
    clients: [
      frontEnd('front-end', HOUR_S),
      // Its tokens end before those that agents get for them.
      frontEnd('front-end-minute', 60),
      // Its tokens are over before a test is.
      frontEnd('front-end-brief', 1),
      agent('agent'),
      agent('agent-post'),
      agent('agent-profile', { defaultClientScopes: ['basic', 'roles', 'profile'] }),
      agent('agent-outsider'),
      agent('agent-asking', { consentRequired: true }),
      agent('agent-disabled', {}, { [EXCHANGE]: 'false' }),
      agent(
        'agent-jwt',
        { clientAuthenticatorType: 'client-jwt' },
        { 'use.jwks.string': 'true', 'jwks.string': JSON.stringify({ keys: [agentKey] }) },
      ),
      agent(
        'agent-k8s',
        { clientAuthenticatorType: 'federated-jwt' },
        { 'jwt.credential.issuer': 'cluster', 'jwt.credential.sub': SERVICE_ACCOUNT },
      ),
      ...['calendar', 'files', 'notes'].map(confidential),
    ],
    identityProviders: [{ alias: 'cluster', providerId: 'kubernetes', config: { issuer: clusterIssuer } }],
    users: [
      user('alice', ['calendar', 'files']),
      user('bob', ['calendar']),
      // These two lose their session and their account.
      user('carol', ['calendar']),
      user('dave', ['calendar']),
    ],
  };
}

const HOUR_S = 3600;
/** Whom the users' tokens are for. */
const AGENTS = [
  ...['agent', 'agent-post', 'agent-profile', 'agent-jwt', 'agent-k8s'],
  ...['agent-disabled', 'agent-asking'],
];
const EXCHANGE = 'standard.token.exchange.enabled';

const confidential = (clientId: string): object => ({
  clientId,
  enabled: true,
  publicClient: false,
  secret: secretOf(clientId),
  standardFlowEnabled: false,
});

const agent = (clientId: string, more: object = {}, attributes: Record<string, string> = {}): object => ({
  ...confidential(clientId),
  serviceAccountsEnabled: true,
  defaultClientScopes: ['basic', 'roles'],
  optionalClientScopes: ['calendar.read', 'calendar.write', 'to-notes'],
  attributes: { [EXCHANGE]: 'true', ...attributes },
  ...more,
});

/** A public client where users get tokens by their password, which stands for any way of signing in. */
const frontEnd = (clientId: string, lifespanS: number): object => ({
  clientId,
  enabled: true,
  publicClient: true,
  standardFlowEnabled: false,
  directAccessGrantsEnabled: true,
  fullScopeAllowed: false,
  defaultClientScopes: ['basic'],
  protocolMappers: AGENTS.map(audience),
  attributes: { 'access.token.lifespan': String(lifespanS) },
});

const user = (username: string, mayUse: readonly string[]): object => ({
  username,
  enabled: true,
  email: `${username}@example.com`,
  emailVerified: true,
  firstName: username,
  lastName: 'Example',
  credentials: [{ type: 'password', value: secretOf(username) }],
  clientRoles: Object.fromEntries(mayUse.map((client) => [client, ['use']])),
});

function scope(name: string, { hidden = false, mappers = [] as readonly object[] } = {}): object {
  return {
    name,
    protocol: 'openid-connect',
    attributes: { 'include.in.token.scope': String(!hidden) },
    protocolMappers: mappers,
  };
}

const mapper = (protocolMapper: string, config: object = {}, name: string = protocolMapper): object => ({
  name,
  protocol: 'openid-connect',
  protocolMapper,
  config: { 'access.token.claim': 'true', 'introspection.token.claim': 'true', ...config },
});

const audience = (clientId: string): object =>
  mapper('oidc-audience-mapper', { 'included.client.audience': clientId }, `audience ${clientId}`);
