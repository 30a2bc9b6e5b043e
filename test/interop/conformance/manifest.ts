import type { Expected } from './judge.ts';

/** How the client reaches the server. */
export type Way =
  /** One `@modelcontextprotocol/client` for all users, by `createDelegatedFetch`. */
  | 'v2'
  /** The same with `@modelcontextprotocol/sdk`. */
  | 'v1'
  /** A `@modelcontextprotocol/client` that one user alone has, by `createDelegatedFetch` with his delegation. */
  | 'own'
  /** `createSessionPool` and `createToolCatalogue`: what the ADK toolset is made of. */
  | 'pool'
  /** The agent itself, by `createAgentFetch`. */
  | 'agent';

/** A scenario of the conformance runner that this package claims to pass. */
export interface Claim extends Expected {
  readonly scenario: string;
  readonly ways: readonly Way[];
  /** Default: the runner's own for the scenario. */
  readonly specVersion?: string | undefined;
  /**
   * Tokens exchanged where one client serves all users: a call has one, connecting and listing need none. An agent of
   * its own exchanges none, and a client of one user connects with his.
   */
  readonly exchanges?: number | undefined;
  /** What the client's last error must say; without it the client must end well. */
  readonly error?: RegExp | undefined;
  /** What the client is told besides. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

const STATELESS = '2026-07-28';
const AGENTS_TOKEN = [
  ...['prm-pathbased-requested', 'authorization-server-metadata', 'token-request', 'valid-bearer-token'],
];
const USERS_CLIENTS = ['v2', 'v1', 'own', 'pool'] as const;
const JSON_SCHEMA = [
  'json-schema-2020-12-client-tool-found',
  'json-schema-2020-12-client-echo-completed',
  'json-schema-2020-12-client-$schema-preserved',
  'json-schema-2020-12-client-$defs-preserved',
  'json-schema-2020-12-client-additionalProperties-preserved',
  'sep-2106-client-composition-keywords-preserved',
  'sep-2106-client-conditional-keywords-preserved',
  'sep-2106-client-anchor-keyword-preserved',
  'wire-schema-valid',
];

/** What the client passes, and by which checks. */
export const CLAIMS: readonly Claim[] = [
  {
    scenario: 'auth/enterprise-managed-authorization',
    ways: USERS_CLIENTS,
    // The ID-JAG, and the access token for it.
    exchanges: 2,
    passes: [...AGENTS_TOKEN, 'complete-flow-token-exchange', 'complete-flow-jwt-bearer'],
  },
  {
    scenario: 'auth/client-credentials-basic',
    ways: ['agent'],
    passes: [...AGENTS_TOKEN, 'client-credentials-basic-auth'],
  },
  {
    scenario: 'auth/client-credentials-jwt',
    ways: ['agent'],
    passes: [...AGENTS_TOKEN, 'client-credentials-jwt-verified'],
  },
  { scenario: 'auth/wif-jwt-bearer', ways: ['agent'], passes: [...AGENTS_TOKEN, 'wif-assertion-verified'] },
  {
    scenario: 'auth/wif-jwt-bearer',
    ways: ['agent'],
    env: { ONBEHALF_ASSERTION: 'expired_jwt' },
    error: /"assertion" has expired/,
    // It is not sent at all.
    passes: ['prm-pathbased-requested'],
    fails: ['wif-assertion-verified'],
  },
  {
    scenario: 'auth/wif-jwt-bearer',
    ways: ['agent'],
    env: { ONBEHALF_ASSERTION: 'wrong_audience_jwt' },
    error: /invalid_grant/,
    // Refused, and then neither tried again nor by another grant: the runner would warn.
    passes: ['prm-pathbased-requested', 'authorization-server-metadata', 'token-request'],
    fails: ['wif-assertion-audience'],
  },
  ...(
    [
      ['wif.rejected', /invalid_scope/],
      ['wif.trigger-unauthorized', /unauthorized_client/],
    ] as const
  ).map(([scope, error]) => ({
    scenario: 'auth/wif-jwt-bearer',
    ways: ['agent'] as const,
    env: { ONBEHALF_SCOPE: scope },
    error,
    passes: [
      ...['prm-pathbased-requested', 'authorization-server-metadata', 'token-request'],
      'wif-assertion-verified',
    ],
  })),
  {
    scenario: 'auth/resource-mismatch',
    ways: ['v2', 'v1', 'own', 'pool', 'agent'],
    error: /is about another resource \(RFC 9728 section 3\.3\)/,
    exchanges: 0,
    passes: ['prm-pathbased-requested', 'resource-mismatch-rejected'],
  },
  { scenario: 'initialize', ways: ['v2', 'v1', 'pool'], exchanges: 0, passes: ['mcp-client-initialization'] },
  {
    scenario: 'tools_call',
    ways: USERS_CLIENTS,
    exchanges: 1,
    passes: ['tool-add-numbers', 'wire-schema-valid'],
  },
  {
    scenario: 'tools_call',
    specVersion: STATELESS,
    ways: ['v2', 'own'],
    exchanges: 1,
    passes: ['tool-add-numbers', 'wire-schema-valid'],
  },
  {
    scenario: 'sse-retry',
    ways: USERS_CLIENTS,
    exchanges: 1,
    passes: ['client-sse-graceful-reconnect', 'client-sse-retry-timing', 'client-sse-last-event-id'],
  },
  {
    scenario: 'elicitation-sep1034-client-defaults',
    // The server asks on the GET stream of the session that the call was made in; a shared client has but one stream.
    ways: ['own'],
    exchanges: 1,
    passes: ['string', 'integer', 'number', 'enum', 'boolean'].map(
      (type) => `client-elicitation-sep1034-${type}-default`,
    ),
  },
  {
    scenario: 'request-metadata',
    ways: ['v2'],
    exchanges: 0,
    passes: [
      'sep-2575-http-client-sends-version-header',
      'sep-2575-client-populates-meta',
      'sep-2575-client-sends-client-info',
      'sep-2575-http-version-header-matches-meta',
      'sep-2575-client-declares-elicitation-capability',
      'sep-2575-client-retry-supported-version',
    ],
  },
  {
    scenario: 'http-standard-headers',
    ways: ['v2', 'own'],
    exchanges: 1,
    passes: ['sep-2243-client-includes-standard-headers'],
  },
  {
    scenario: 'http-custom-headers',
    ways: ['v2', 'own'],
    exchanges: 1,
    passes: [
      'sep-2243-client-supports-custom-headers',
      'sep-2243-client-mirrors-designated-params',
      'sep-2243-client-encode-values',
      'sep-2243-client-base64-unsafe',
      'sep-2243-client-omit-null',
    ],
  },
  {
    scenario: 'http-invalid-tool-headers',
    ways: ['v2'],
    exchanges: 1,
    passes: [
      'sep-2243-client-reject-invalid-tool',
      'sep-2243-x-mcp-header-not-empty',
      'sep-2243-x-mcp-header-primitive-only',
      'sep-2243-x-mcp-header-unique',
      'sep-2243-x-mcp-header-charset',
    ],
  },
  {
    scenario: 'json-schema-ref-no-deref',
    ways: ['v2'],
    exchanges: 0,
    passes: ['sep-2106-no-network-ref-deref'],
  },
  {
    scenario: 'json-schema-2020-12-preservation',
    ways: USERS_CLIENTS,
    exchanges: 1,
    passes: JSON_SCHEMA,
  },
  {
    scenario: 'json-schema-2020-12-preservation',
    specVersion: STATELESS,
    ways: ['v2'],
    exchanges: 1,
    passes: JSON_SCHEMA,
  },
];

const CODE_FLOW =
  'the user signs in by the authorization code flow: that is the application’s, before the agent runs';
const SKILLS = 'skills are read from resources by the application, not here';

/** Every other scenario for clients that the runner has, and why it is not claimed. */
export const NOT_CLAIMED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      ...['metadata-default', 'metadata-var1', 'metadata-var2', 'metadata-var3', 'basic-cimd'],
      ...['scope-from-www-authenticate', 'scope-from-scopes-supported', 'scope-omitted-when-undefined'],
      ...['scope-step-up', 'scope-retry-limit', 'pre-registration'],
      ...['token-endpoint-auth-basic', 'token-endpoint-auth-post', 'token-endpoint-auth-none'],
      ...['2025-03-26-oauth-metadata-backcompat', '2025-03-26-oauth-endpoint-fallback'],
      ...['offline-access-scope', 'offline-access-not-supported', 'authorization-server-migration'],
      ...['iss-supported', 'iss-not-advertised', 'iss-supported-missing', 'iss-wrong-issuer'],
      ...['iss-unexpected', 'iss-normalized', 'metadata-issuer-mismatch'],
    ].map((name) => [`auth/${name}`, CODE_FLOW]),
  ),
  'auth/dpop': `${CODE_FLOW}; tokens that are bound to a key (DPoP) are not supported`,
  'auth/dpop-nonce': `${CODE_FLOW}; tokens that are bound to a key (DPoP) are not supported`,
  'sep-2322-client-request-state':
    'the client of version 2 fails at a result without resultType, which the scenario has it take',
  'sep-2640-client-no-prefetch': SKILLS,
  'sep-2640-client-verify-digest': SKILLS,
  'sep-2640-client-verify-size': SKILLS,
  'sep-2640-client-verify-frontmatter': SKILLS,
};
