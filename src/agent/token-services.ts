import { createBroker } from '../broker/broker.ts';
import type { BrokerObserver } from '../broker/observer.ts';
import type { Broker } from '../broker/types.ts';
import { fieldPath } from '../config/read-config.ts';
import { secretSource } from '../config/secret-text.ts';
import type { TargetConfig, TargetFields } from '../config/target.ts';
import type {
  ActorConfig,
  ClientAuthenticationConfig,
  TokenExchangeConfig,
  TokenServiceConfig,
} from '../config/token-service.ts';
import { type ActorSource, clientCredentialsActor } from '../core/actor.ts';
import type { ClientAuth } from '../core/client-authentication.ts';
import type { Dialect } from '../core/dialect.ts';
import { fileActor } from '../core/file-actor.ts';
import type { FetchLike } from '../core/http.ts';
import type { SecretSource } from '../core/secret.ts';
import type { Target } from '../core/target.ts';
import { createTokenService } from '../core/token-service.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import { auth0OnBehalfOf, authentik, entra, google, keycloak, okta, zitadel } from '../dialects/index.ts';
import { whyInConfig } from './config-words.ts';
import { casOf, fetchFor, hasTls } from './tls.ts';

/** Variables that `${NAME}` stands for. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A token service of the config, ready for use. */
export interface AgentTokenService {
  readonly name: string;
  readonly service: TokenService;
  /** Its broker: what it keeps is for this service alone. */
  readonly broker: Broker;
}

/** Those that can be made from their names. */
const DIALECTS: Readonly<Record<string, () => Dialect>> = {
  auth0OnBehalfOf,
  authentik,
  entra,
  google,
  keycloak,
  okta,
  zitadel,
};

/** What `dialect` may be. */
export const DIALECT_NAMES: readonly string[] = Object.keys(DIALECTS);

/**
 * Makes the token services of a config, each with a broker. Nothing is sent before a token is needed.
 *
 * @throws TypeError that names the service, and the field that is wrong
 */
export function createTokenServices(
  config: TokenExchangeConfig | undefined,
  environment: Environment,
  observer?: BrokerObserver,
): readonly AgentTokenService[] {
  if (!config) return [];
  return Object.entries(config.token_services).map(([name, settings]) => {
    const path = fieldPath(['token_exchange', 'token_services', name]);
    const fetch = hasTls(settings) ? fetchFor(settings, path) : undefined;
    try {
      const service = serviceOf(settings, { environment, fetch, path });
      const actor = actorOf(settings.actor, service);
      return {
        name,
        service,
        broker: createBroker({ tokenService: service, actor, retention: config.retention, observer }),
      };
    } catch (error) {
      throw new TypeError(`${path}: ${whyInConfig(error, 'it cannot be made')}`);
    }
  });
}

/** The token service of a server: the one it names, or the default one; `undefined` when it has no target. */
export function serviceFor(
  server: TargetFields,
  config: TokenExchangeConfig | undefined,
): string | undefined {
  if (server.sts_audience === undefined && server.token_exchange === undefined) return undefined;
  const names = Object.keys(config?.token_services ?? {});
  return server.token_exchange?.token_service ?? config?.default_token_service ?? names[0];
}

/** What the tokens of a server are for, in the words of the library. */
export function targetOf(
  server: TargetFields,
  service: Pick<TokenServiceConfig, 'profile'> | undefined,
): Target | undefined {
  const { sts_audience: audience, token_exchange: fields } = server;
  const given: TargetConfig | undefined = audience === undefined ? fields : { audiences: [audience] };
  if (!given) return undefined;
  return {
    audience: given.audiences,
    resource: given.resources,
    scope: given.scopes,
    requestedTokenType: given.requested_token_type,
    profile: given.profile ?? service?.profile,
  };
}

/** Whether the agent proves who it is by a client certificate, which the connection shows. */
export function showsCertificate({ client_authentication: { method } }: TokenServiceConfig): boolean {
  return method === 'tls_client_auth' || method === 'self_signed_tls_client_auth';
}

interface ServiceParts {
  readonly environment: Environment;
  /** With the TLS settings of the service, where it has any. */
  readonly fetch: FetchLike | undefined;
  /** In the config. */
  readonly path: string;
}

function serviceOf(settings: TokenServiceConfig, { environment, fetch, path }: ServiceParts): TokenService {
  const { dialect } = settings;
  const certified = showsCertificate(settings);
  const clientAuth = clientAuthOf(settings.client_authentication, environment);
  return createTokenService({
    issuer: settings.issuer,
    metadataUrl: settings.metadata_url,
    tokenEndpoint: settings.token_endpoint,
    host: settings.host,
    clientId: settings.client_id,
    clientAuth: certified ? ({ ...clientAuth, ca: casOf(settings, path) } as ClientAuth) : clientAuth,
    // What shows a certificate makes its own connections.
    fetch: certified ? undefined : fetch,
    dialect: dialect === undefined ? undefined : DIALECTS[dialect]?.(),
    dangerouslyAllowInsecureHttp: settings.dangerously_allow_insecure_http,
  });
}

function clientAuthOf(config: ClientAuthenticationConfig, environment: Environment): ClientAuth {
  // The schema has seen to it that each method has what it needs.
  const secret = (text: string | undefined): SecretSource => secretSource(text ?? '', environment);
  const { method, algorithm, key_id: keyId } = config;
  switch (method) {
    case 'none':
      return { method };
    case 'client_secret_basic':
    case 'client_secret_post':
    case 'client_secret_jwt':
      return { method, clientSecret: secret(config.client_secret) };
    case 'private_key_jwt':
      return { method, privateKey: secret(config.private_key), algorithm, keyId };
    case 'client_assertion':
      return { method, assertion: secret(config.assertion) };
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      return { method, certificate: secret(config.certificate), privateKey: secret(config.private_key) };
  }
}

function actorOf(
  { source, path, token_type: tokenType }: ActorConfig,
  service: TokenService,
): ActorSource | undefined {
  switch (source) {
    case 'none':
      return undefined;
    case 'file':
      return fileActor(path ?? '', { tokenType });
    case 'client_credentials':
      return clientCredentialsActor(service);
  }
}
