import type Provider from 'oidc-provider';
import type { ClientMetadata, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { TOKEN_EXCHANGE_GRANT } from '../core/token-types.ts';
import { attemptOf } from './attempt.ts';
import { grantClientCredentials } from './client-credentials-grant.ts';
import { grantExchange } from './exchange-grant.ts';
import { respondToExchange } from './lies.ts';
import { loadProvider } from './load-provider.ts';
import { isOAuthError } from './oauth-error.ts';
import type { DevelopmentClient } from './options.ts';
import { createReplayAdapter } from './replay-adapter.ts';
import type { TokenMint } from './token-mint.ts';
import type { Parameters } from './token-request.ts';
import type { TokenVerifier } from './token-verifier.ts';

/** What the authorization server is made of. */
export interface AuthorizationServerParts {
  readonly issuer: string;
  readonly clients: readonly DevelopmentClient[];
  /** Seconds. */
  readonly accessTokenTtl: number;
  readonly mint: TokenMint;
  readonly verify: TokenVerifier;
}

type GrantHandler = (ctx: KoaContextWithOIDC, client: DevelopmentClient) => Promise<void>;

const AUTHENTICATION_METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const;
const TARGET_PARAMETERS = ['audience', 'resource'];
const EXCHANGE_PARAMETERS = [
  ...TARGET_PARAMETERS,
  'scope',
  'requested_token_type',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
];

/** An `oidc-provider` reduced to its token endpoint, JWKS and metadata, with the two grants registered. */
export async function createAuthorizationServer(parts: AuthorizationServerParts): Promise<Provider> {
  const { Provider, errors } = await loadProvider();
  const provider = new Provider(parts.issuer, configuration(parts));
  // Koa would print errors of its own accord; a library does not.
  provider.silent = true;

  const register = (grantType: string, parameters: readonly string[], handler: GrantHandler): void => {
    const handle = async (ctx: KoaContextWithOIDC): Promise<void> => {
      const client = parts.clients.find(({ clientId }) => clientId === ctx.oidc.client?.clientId);
      if (client === undefined) throw new errors.InvalidClient();
      try {
        await handler(ctx, client);
      } catch (error) {
        if (!isOAuthError(error)) throw error;
        throw new errors.CustomOIDCProviderError(error.error, error.errorDescription);
      }
    };
    provider.registerGrantType(grantType, handle, parameters, TARGET_PARAMETERS);
  };
  register(TOKEN_EXCHANGE_GRANT, EXCHANGE_PARAMETERS, exchangeHandler(parts));
  // Registered rather than enabled: the built-in one knows neither `audience` nor several resources.
  register('client_credentials', [...TARGET_PARAMETERS, 'scope'], clientCredentialsHandler(parts));
  return provider;
}

function exchangeHandler(parts: AuthorizationServerParts): GrantHandler {
  const { issuer, accessTokenTtl, mint, verify } = parts;
  return async (ctx, client) => {
    const attempt = attemptOf(ctx);
    const onParty = (party: 'sub' | 'act', sub: string): void => {
      if (attempt !== undefined) attempt[party] = sub;
    };
    const granted = await grantExchange(parametersOf(ctx), {
      issuer,
      client,
      accessTokenTtl,
      verify,
      onParty,
    });
    ctx.body = await respondToExchange(granted, mint, attempt?.lie);
  };
}

function clientCredentialsHandler({ issuer, accessTokenTtl, mint }: AuthorizationServerParts): GrantHandler {
  return async (ctx, client) => {
    const { claims, response } = grantClientCredentials(parametersOf(ctx), {
      issuer,
      client,
      accessTokenTtl,
    });
    ctx.body = { access_token: await mint.sign(claims), ...response };
  };
}

function parametersOf(ctx: KoaContextWithOIDC): Parameters {
  return ctx.oidc.params ?? {};
}

function configuration({ clients, mint }: AuthorizationServerParts): Configuration {
  const off = { enabled: false };
  return {
    adapter: createReplayAdapter(),
    jwks: { keys: [mint.privateJwk] } as NonNullable<Configuration['jwks']>,
    clients: clients.map(clientMetadata),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clientAuthMethods: [...AUTHENTICATION_METHODS],
    clientBasedCORS: () => false,
    // No user ever signs in here: no authorization endpoint, nothing that belongs to one.
    responseTypes: [],
    // Without `offline_access` there is no refresh token grant either.
    scopes: [],
    features: {
      devInteractions: off,
      dPoP: off,
      pushedAuthorizationRequests: off,
      resourceIndicators: off,
      rpInitiatedLogout: off,
      userinfo: off,
    },
  };
}

function clientMetadata(client: DevelopmentClient): ClientMetadata {
  // RFC 6749 section 4.4: client credentials are for confidential clients only.
  const grants = client.authentication === 'none' ? [] : ['client_credentials'];
  return {
    client_id: client.clientId,
    token_endpoint_auth_method: client.authentication,
    grant_types: [TOKEN_EXCHANGE_GRANT, ...grants],
    response_types: [],
    redirect_uris: [],
    ...(client.clientSecret === undefined ? {} : { client_secret: client.clientSecret }),
    ...(client.jwks === undefined ? {} : { jwks: client.jwks as NonNullable<ClientMetadata['jwks']> }),
  };
}
