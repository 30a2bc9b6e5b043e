import * as z from 'zod';
import { neededOnlyWhen, neededWhen } from './needed-when.ts';
import type { SecretText } from './secret-text.ts';

/** How the agent proves which client it is; the methods and fields of `ClientAuth` of the library. */
export interface ClientAuthenticationConfig {
  readonly method:
    | 'none'
    | 'client_secret_basic'
    | 'client_secret_post'
    | 'client_secret_jwt'
    | 'private_key_jwt'
    | 'client_assertion'
    | 'tls_client_auth'
    | 'self_signed_tls_client_auth';
  readonly client_secret?: SecretText | undefined;
  readonly private_key?: SecretText | undefined;
  readonly algorithm?: string | undefined;
  readonly key_id?: string | undefined;
  readonly assertion?: SecretText | undefined;
  readonly certificate?: SecretText | undefined;
}

/** Who acts for the user. */
export interface ActorConfig {
  readonly source: 'file' | 'client_credentials' | 'none';
  /** For `file`: re-read whenever a token is needed. */
  readonly path?: string | undefined;
  readonly token_type?: string | undefined;
}

/** An STS; see `TokenServiceOptions` of the library. */
export interface TokenServiceConfig {
  readonly issuer?: string | undefined;
  readonly metadata_url?: string | undefined;
  readonly token_endpoint?: string | undefined;
  readonly host?: string | undefined;
  readonly dialect?: string | undefined;
  readonly profile?: 'rfc8693' | 'entra-obo' | 'id-jag' | undefined;
  readonly client_id: string;
  readonly client_authentication: ClientAuthenticationConfig;
  readonly actor: ActorConfig;
  readonly tls_ca_cert_path?: string | undefined;
  readonly tls_disable_system_cas?: boolean | undefined;
  readonly tls_insecure_skip_verify?: boolean | undefined;
  readonly dangerously_allow_insecure_http: boolean;
}

/** Root `token_exchange`: the token services, and how long tokens are kept. */
export interface TokenExchangeConfig {
  /** By name. */
  readonly token_services: Readonly<Record<string, TokenServiceConfig>>;
  /** The one of servers that name none. Default: the only one. */
  readonly default_token_service?: string | undefined;
  readonly retention: 'run' | 'subject';
}

const text = z.string().min(1).max(2048);
const url = z
  .string()
  .max(2048)
  .regex(/^https?:\/\/[^\s/?#][^\s#]*$/);
const secret = z.string().min(1);

/** By method, the fields that it needs. */
const NEEDS: Readonly<
  Record<ClientAuthenticationConfig['method'], readonly (keyof ClientAuthenticationConfig)[]>
> = {
  none: [],
  client_secret_basic: ['client_secret'],
  client_secret_post: ['client_secret'],
  client_secret_jwt: ['client_secret'],
  private_key_jwt: ['private_key'],
  client_assertion: ['assertion'],
  tls_client_auth: ['certificate', 'private_key'],
  self_signed_tls_client_auth: ['certificate', 'private_key'],
};

const clientAuthentication: z.ZodType<ClientAuthenticationConfig> = z
  .strictObject({
    method: z
      .enum(Object.keys(NEEDS) as [ClientAuthenticationConfig['method']])
      .describe('Method, as the IANA registry of token endpoint authentication methods has it.'),
    client_secret: secret.optional().describe('The secret: file:/path, ${VARIABLE}, or the value.'),
    private_key: secret.optional().describe('Private key, PEM or JWK: file:/path or ${VARIABLE}.'),
    algorithm: text
      .optional()
      .describe('JWS alg of the assertion, for private_key_jwt and client_secret_jwt.'),
    key_id: text.optional().describe('kid in the header of the assertion.'),
    assertion: secret.optional().describe('A JWT that somebody else made, e.g. file: of a projected token.'),
    certificate: secret.optional().describe('Client certificate, PEM (RFC 8705).'),
  })
  .check(({ value, issues }) => {
    for (const field of NEEDS[value.method]) {
      if (value[field] !== undefined) continue;
      issues.push({ code: 'custom', input: value, path: [field], message: `is needed for ${value.method}` });
    }
  })
  .meta({
    allOf: Object.entries(NEEDS)
      .filter(([, needed]) => needed.length > 0)
      .map(([method, needed]) => neededWhen('method', method, needed)),
  });

const actor: z.ZodType<ActorConfig> = z
  .strictObject({
    source: z
      .enum(['file', 'client_credentials', 'none'])
      .describe(
        'Where the actor token comes from: a file, the client credentials of this client, or there is none.',
      ),
    path: text
      .optional()
      .describe('File of the actor token, for the source file; read anew whenever a token is needed.'),
    token_type: text.optional().describe('Type identifier (RFC 8693 section 3). Default: a JWT.'),
  })
  .refine(({ source, path }) => (source === 'file') === (path !== undefined), {
    message: 'path is needed for the source file, and for no other',
  })
  .meta({ ...neededOnlyWhen('source', 'file', ['path']) });

const tokenService: z.ZodType<TokenServiceConfig> = z
  .strictObject({
    issuer: url.optional().describe('Issuer identifier; metadata is discovered from it (RFC 8414).'),
    metadata_url: url.optional().describe('URL of the metadata, when it is not where the issuer says.'),
    token_endpoint: url.optional().describe('Token endpoint; then nothing is discovered.'),
    host: text
      .optional()
      .describe("Host, with its port if need be, to use in place of the token endpoint's."),
    dialect: text.optional().describe('Name of a function of onbehalf/dialects, e.g. keycloak.'),
    profile: z
      .enum(['rfc8693', 'entra-obo', 'id-jag'])
      .optional()
      .describe('How tokens are got. Default: rfc8693.'),
    client_id: text.describe('client_id of this agent at the STS.'),
    client_authentication: clientAuthentication
      .default({ method: 'none' })
      .describe('How the agent proves to the STS that it is this client.'),
    actor: actor
      .default({ source: 'none' })
      .describe('The actor token: who acts for the user. It becomes act in the issued token (RFC 8693).'),
    tls_ca_cert_path: text
      .optional()
      .describe('PEM file of CAs that are trusted beside those of the system.'),
    tls_disable_system_cas: z.boolean().optional().describe('Trusts only the CAs of that file.'),
    tls_insecure_skip_verify: z.boolean().optional().describe('Takes any certificate. For trials only.'),
    dangerously_allow_insecure_http: z
      .boolean()
      .default(false)
      .describe('Lets tokens of users travel in clear text. For a network that you trust.'),
  })
  .refine((value) => value.issuer ?? value.metadata_url ?? value.token_endpoint, {
    message: 'one of issuer, metadata_url and token_endpoint must be given',
  })
  .meta({
    description: 'A token service: at least one of issuer, metadata_url and token_endpoint must be given.',
    anyOf: [{ required: ['issuer'] }, { required: ['metadata_url'] }, { required: ['token_endpoint'] }],
  });

/** Schema of {@link TokenExchangeConfig}. */
export const tokenExchange: z.ZodType<TokenExchangeConfig> = z
  .strictObject({
    token_services: z.record(text, tokenService).describe('The token services, by name.'),
    default_token_service: text
      .optional()
      .describe('The one of servers that name none. Default: the only one.'),
    retention: z
      .enum(['run', 'subject'])
      .default('run')
      .describe('How long an issued token is kept: until the run ends, or until it expires.'),
  })
  .refine(
    ({ token_services, default_token_service: name }) =>
      name === undefined || Object.hasOwn(token_services, name),
    { path: ['default_token_service'], message: 'names no entry of token_services' },
  );
