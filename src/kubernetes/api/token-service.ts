import * as z from 'zod';
import {
  type Condition,
  conditions,
  httpUrl,
  line,
  type ObjectMeta,
  objectName,
  observedGeneration,
} from './meta.ts';
import {
  type AllowedNamespaces,
  allowedNamespaces,
  type SecretKeyReference,
  secretKeyReference,
  type TlsSpec,
  tlsSpec,
} from './references.ts';
import { given, type Rule, withRules } from './rules.ts';

/** How the agent proves to the STS which client it is; names as in the IANA registry of RFC 7591. */
export type ClientAuthMethod =
  | 'none'
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'client_secret_jwt'
  | 'private_key_jwt'
  | 'service_account'
  | 'tls_client_auth'
  | 'self_signed_tls_client_auth';

/** Client authentication with references to what is secret. */
export interface ClientAuthenticationSpec {
  readonly method: ClientAuthMethod;
  /** For the methods `client_secret_*`. */
  readonly clientSecretRef?: SecretKeyReference | undefined;
  /** For `private_key_jwt`: PEM or JWK. */
  readonly privateKeyRef?: SecretKeyReference | undefined;
  readonly algorithm?: string | undefined;
  readonly keyID?: string | undefined;
  /** For the methods by TLS: a Secret of type kubernetes.io/tls. */
  readonly certificateSecret?: string | undefined;
  /** For `service_account`: audience of the projected token. */
  readonly audience?: string | undefined;
}

/** Who acts for the user. */
export interface ActorSpec {
  readonly source: 'ServiceAccount' | 'ClientCredentials' | 'None';
  /** Audience of the projected service-account token. */
  readonly audience?: string | undefined;
  readonly expirationSeconds: number;
  readonly tokenType?: string | undefined;
}

/** An authorization server with a token exchange (STS), and how agents are its clients. */
export interface TokenServiceSpec {
  readonly issuer?: string | undefined;
  readonly metadataURL?: string | undefined;
  readonly tokenEndpoint?: string | undefined;
  readonly dialect?: string | undefined;
  readonly profile?: 'rfc8693' | 'entra-obo' | 'id-jag' | undefined;
  readonly clientID: string;
  readonly clientAuthentication: ClientAuthenticationSpec;
  readonly actor: ActorSpec;
  readonly retention: 'run' | 'subject';
  readonly tls?: TlsSpec | undefined;
  readonly allowedNamespaces?: AllowedNamespaces | undefined;
  readonly dangerouslyAllowInsecureHTTP: boolean;
}

/** What the controller has found out about an STS. */
export interface TokenServiceStatus {
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  /** Where tokens are exchanged, as its metadata says. */
  readonly tokenEndpoint?: string | undefined;
}

/** An STS. */
export interface TokenService {
  readonly apiVersion: string;
  readonly kind: 'TokenService';
  readonly metadata: ObjectMeta;
  readonly spec: TokenServiceSpec;
  readonly status?: TokenServiceStatus | undefined;
}

/** Names of the dialects, each a function of `onbehalf/dialects`. */
const DIALECTS = [
  'keycloak',
  'okta',
  'auth0Custom',
  'auth0OnBehalfOf',
  'zitadel',
  'authentik',
  'google',
  'dex',
  'entra',
] as const;

/** A rule: this member, if and only if the method is one of these. */
function goesWith(
  member: keyof ClientAuthenticationSpec,
  methods: readonly string[],
): Rule<ClientAuthenticationSpec> {
  return {
    cel: `has(self.${member}) == (self.method in [${methods.map((one) => `'${one}'`).join(', ')}])`,
    message: `${member} is needed for ${methods.join(', ')}, and for no other method`,
    holds: (value) => given(value, [member]).length === (methods.includes(value.method) ? 1 : 0),
  };
}

/** A rule: this member only with this method. */
function onlyWith(member: keyof ClientAuthenticationSpec, method: string): Rule<ClientAuthenticationSpec> {
  return {
    cel: `!has(self.${member}) || self.method == '${method}'`,
    message: `${member} is for the method ${method} only`,
    holds: (value) => given(value, [member]).length === 0 || value.method === method,
  };
}

const clientAuthentication: z.ZodType<ClientAuthenticationSpec> = withRules(
  z.strictObject({
    method: z
      .enum([
        'none',
        'client_secret_basic',
        'client_secret_post',
        'client_secret_jwt',
        'private_key_jwt',
        'service_account',
        'tls_client_auth',
        'self_signed_tls_client_auth',
      ])
      .default('none')
      .describe(
        "How the agent shows the STS which client it is. service_account: by the pod's own projected token, as client assertion (RFC 7523).",
      ),
    clientSecretRef: secretKeyReference
      .optional()
      .describe('Secret with the client secret, in the namespace of this object; for client_secret_*.'),
    privateKeyRef: secretKeyReference
      .optional()
      .describe('Secret with the private key, PEM or JWK; for private_key_jwt.'),
    algorithm: z
      .enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'])
      .optional()
      .describe('JWS alg of the assertion; for private_key_jwt. Default: what the key says.'),
    keyID: line(256).optional().describe('kid of the assertion; for private_key_jwt.'),
    certificateSecret: objectName
      .optional()
      .describe('Secret of type kubernetes.io/tls with the client certificate; for the methods by TLS.'),
    audience: line(1024)
      .optional()
      .describe(
        'Audience of the projected token; for service_account. Default: the issuer, which is all that it can be for Agents of other namespaces.',
      ),
  }),
  [
    goesWith('clientSecretRef', ['client_secret_basic', 'client_secret_post', 'client_secret_jwt']),
    goesWith('privateKeyRef', ['private_key_jwt']),
    goesWith('certificateSecret', ['tls_client_auth', 'self_signed_tls_client_auth']),
    onlyWith('algorithm', 'private_key_jwt'),
    onlyWith('keyID', 'private_key_jwt'),
    onlyWith('audience', 'service_account'),
  ],
);

const actor: z.ZodType<ActorSpec> = withRules(
  z.strictObject({
    source: z
      .enum(['ServiceAccount', 'ClientCredentials', 'None'])
      .default('ServiceAccount')
      .describe(
        'Who acts: the service account of the pod, by its projected token; the client, by a token of its own; or nobody, so that issued tokens impersonate the user.',
      ),
    audience: line(1024)
      .optional()
      .describe(
        'Audience of the actor token; for ServiceAccount. Default: the issuer, which is all that it can be for Agents of other namespaces.',
      ),
    expirationSeconds: z
      .int()
      .min(600)
      .max(86_400)
      .default(3600)
      .describe('Lifetime of the projected token; the kubelet renews it in time.'),
    tokenType: line(256)
      .optional()
      .describe(
        'Type identifier of the actor token (RFC 8693 section 3). Default: urn:ietf:params:oauth:token-type:jwt.',
      ),
  }),
  [
    {
      cel: "!has(self.audience) || self.source == 'ServiceAccount'",
      message: 'audience is for the source ServiceAccount only',
      holds: ({ audience, source }) => audience === undefined || source === 'ServiceAccount',
    },
  ],
);

const DEFAULT_ACTOR = { source: 'ServiceAccount', expirationSeconds: 3600 } as const;

/** Where a projected token is for the STS, and nobody said how the STS is called, its audience must be given. */
const NAMED: Rule<TokenServiceSpec> = {
  cel: "has(self.issuer) || self.actor.source != 'ServiceAccount' || has(self.actor.audience)",
  message: 'actor.audience must be given where there is no issuer',
  holds: ({ issuer, actor: { source, audience } }) =>
    issuer !== undefined || source !== 'ServiceAccount' || audience !== undefined,
};

const NAMED_CLIENT: Rule<TokenServiceSpec> = {
  cel: "has(self.issuer) || self.clientAuthentication.method != 'service_account' || has(self.clientAuthentication.audience)",
  message: 'clientAuthentication.audience must be given where there is no issuer',
  holds: ({ issuer, clientAuthentication: { method, audience } }) =>
    issuer !== undefined || method !== 'service_account' || audience !== undefined,
};

const SECURE: Rule<TokenServiceSpec> = {
  cel: "(has(self.dangerouslyAllowInsecureHTTP) && self.dangerouslyAllowInsecureHTTP) || [has(self.issuer) ? self.issuer : '', has(self.metadataURL) ? self.metadataURL : '', has(self.tokenEndpoint) ? self.tokenEndpoint : ''].all(u, !u.startsWith('http://') || u.matches('^http://(localhost|127[.][0-9.]+|[[]::1[]])(:[0-9]+)?(/.*)?$'))",
  message:
    'the STS gets the tokens of users: use https, or dangerouslyAllowInsecureHTTP in a network that you trust',
  holds: (spec) =>
    spec.dangerouslyAllowInsecureHTTP ||
    [spec.issuer, spec.metadataURL, spec.tokenEndpoint].every(
      (url) =>
        !url?.startsWith('http://') ||
        /^http:\/\/(localhost|127[.][0-9.]+|\[::1\])(:[0-9]+)?(\/.*)?$/.test(url),
    ),
};

/** Schema of {@link TokenServiceSpec}. */
export const tokenServiceSpec: z.ZodType<TokenServiceSpec> = withRules(
  z.strictObject({
    issuer: httpUrl.optional().describe('Issuer identifier; metadata is discovered from it (RFC 8414).'),
    metadataURL: httpUrl.optional().describe('URL of the metadata, when it is not where the issuer says.'),
    tokenEndpoint: httpUrl.optional().describe('Token endpoint; then nothing is discovered.'),
    dialect: z.enum(DIALECTS).optional().describe('How the STS differs from RFC 8693. Default: not at all.'),
    profile: z
      .enum(['rfc8693', 'entra-obo', 'id-jag'])
      .optional()
      .describe('How tokens are got. Default: as the dialect says, else rfc8693.'),
    clientID: line(1024).describe('client_id of the agents at the STS.'),
    clientAuthentication: clientAuthentication
      .default({ method: 'none' })
      .describe('How agents prove which client they are. Default: not at all, a public client.'),
    actor: actor
      .default(DEFAULT_ACTOR)
      .describe(
        'Who acts for the user: the act claim of issued tokens. Default: the service account of the pod.',
      ),
    retention: z
      .enum(['run', 'subject'])
      .default('run')
      .describe('How long an issued token is kept: until the run of the agent ends, or until it expires.'),
    tls: tlsSpec,
    allowedNamespaces,
    dangerouslyAllowInsecureHTTP: z
      .boolean()
      .default(false)
      .describe('Lets tokens of users travel in clear text. For a network that you trust.'),
  }),
  [
    {
      cel: 'has(self.issuer) || has(self.metadataURL) || has(self.tokenEndpoint)',
      message: 'one of issuer, metadataURL and tokenEndpoint must be given',
      holds: (spec) => given(spec, ['issuer', 'metadataURL', 'tokenEndpoint']).length > 0,
    },
    NAMED,
    NAMED_CLIENT,
    SECURE,
  ],
).describe('Where the STS is, and how agents are its clients.');

/** Schema of {@link TokenServiceStatus}. */
export const tokenServiceStatus: z.ZodType<TokenServiceStatus> = z.object({
  observedGeneration,
  conditions,
  tokenEndpoint: z.string().max(2048).optional().describe('Where tokens are exchanged.'),
});
