import * as oauth from 'oauth4webapi';
import { abortable } from './abortable.ts';
import { type ClientAuth, clientAuthentication, clientSecrets } from './client-authentication.ts';
import { boundedFetch, type FetchLike } from './http.ts';
import { discoverMetadata } from './metadata.ts';
import { checkOptions } from './options.ts';
import { assertHost, endpointUrl, secureUrl } from './secure-url.ts';

/** Options of {@link createTokenService}. Exactly one of `issuer`, `metadataUrl` and `tokenEndpoint` is needed. */
export interface TokenServiceOptions {
  /** Issuer identifier; metadata is discovered from it (RFC 8414, OpenID Connect Discovery). */
  readonly issuer?: string | undefined;
  /** Well-known URL of the metadata, when it is not where `issuer` says. */
  readonly metadataUrl?: string | undefined;
  /** Token endpoint; then nothing is discovered. */
  readonly tokenEndpoint?: string | undefined;
  /** Host (`name` or `name:port`) to use in place of the token endpoint's; the scheme and path are kept. */
  readonly host?: string | undefined;
  /** `client_id` of this client at the STS. */
  readonly clientId: string;
  /** Default: `{ method: 'none' }`, a public client. */
  readonly clientAuth?: ClientAuth | undefined;
  /** For one request, answer included, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Largest answer that is read, in bytes. Default: 1 MiB. */
  readonly maxResponseBytes?: number | undefined;
  /** Lets tokens travel in clear text to hosts that are not loopback. Only for a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
  /** Used for every request to the STS. Default: the global `fetch`. */
  readonly fetch?: FetchLike | undefined;
}

/** An STS and this client's registration there. It shows no secret when it is printed. */
export interface TokenService {
  /** `client_id` of this client at the STS. */
  readonly clientId: string;
  /** The token endpoint, once it is known; before, `undefined`. */
  readonly tokenEndpoint: string | undefined;
  /**
   * Finds the token endpoint: discovered once, shared by all callers, asked again after a failure.
   *
   * @throws OnbehalfError `sts_unreachable`, `sts_timeout`, `sts_metadata_invalid` or `insecure_url`
   */
  discover(): Promise<string>;
}

/** What requests need and users must not see. */
interface Internals {
  readonly authentication: oauth.ClientAuth;
  readonly options: TokenServiceOptions;
  server(): Promise<oauth.AuthorizationServer>;
}

const internals = new WeakMap<TokenService, Internals>();

/**
 * Describes an STS. Nothing is requested until a token is needed.
 *
 * @throws TypeError that names the option which is missing or wrong
 * @throws OnbehalfError `insecure_url` for plain http off loopback
 */
export function createTokenService(options: TokenServiceOptions): TokenService {
  assertOptions(options);
  const authentication = clientAuthentication(options.clientAuth ?? { method: 'none' });
  let known: oauth.AuthorizationServer | undefined = staticServer(options);
  let pending: Promise<oauth.AuthorizationServer> | undefined;
  const server = async (): Promise<oauth.AuthorizationServer> => {
    if (known) return known;
    pending ??= discoverMetadata(options, requestFetch(options))
      .then((found) => {
        known = found;
        return found;
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };
  const service: TokenService = Object.freeze({
    clientId: options.clientId,
    get tokenEndpoint() {
      return known?.token_endpoint;
    },
    discover: async () => (await server()).token_endpoint as string,
  });
  internals.set(service, { authentication, options, server });
  return service;
}

/**
 * Posts a grant to the token endpoint with this client's authentication.
 *
 * @returns the response with its body read and bounded, whatever its status
 */
export async function tokenRequest(
  service: TokenService,
  grantType: string,
  options: { readonly parameters: URLSearchParams; readonly signal?: AbortSignal | undefined },
): Promise<Response> {
  const { authentication, options: setting, server } = serviceInternals(service);
  options.signal?.throwIfAborted();
  const as = await abortable(server(), options.signal);
  return oauth.genericTokenEndpointRequest(
    as,
    { client_id: service.clientId },
    authentication,
    grantType,
    options.parameters,
    {
      [oauth.customFetch]: requestFetch(setting, options.signal),
      // secureUrl() has decided already; here the library must not decide differently for loopback.
      [oauth.allowInsecureRequests]: true,
    },
  );
}

/** Validates the form of a 200 answer of the token endpoint (RFC 6749 section 5.1). */
export async function processTokenResponse(
  service: TokenService,
  response: Response,
): Promise<oauth.TokenEndpointResponse> {
  const as = await serviceInternals(service).server();
  const answer = await oauth.processGenericTokenEndpointResponse(
    as,
    { client_id: service.clientId },
    response,
  );
  // The library lower-cases it, and takes DPoP too; but no proof was sent, so such a token could not be used.
  if (answer.token_type !== 'bearer') throw new TypeError('"token_type" is not Bearer');
  return answer;
}

/** What was or could have been sent to the STS in confidence, as it reads on the wire. */
export function confidentialValues(service: TokenService): readonly string[] {
  return clientSecrets(serviceInternals(service).options.clientAuth, service.clientId);
}

/** @throws TypeError unless `service` comes from {@link createTokenService} */
export function assertTokenService(service: TokenService): void {
  serviceInternals(service);
}

function serviceInternals(service: TokenService): Internals {
  const found = internals.get(service);
  if (!found) throw new TypeError('"tokenService" must come from createTokenService()');
  return found;
}

function requestFetch(options: TokenServiceOptions, signal?: AbortSignal): FetchLike {
  const fetchLike: FetchLike = options.fetch ?? ((url, init) => fetch(url, init));
  const { timeoutMs = 10_000, maxResponseBytes: maxBytes = 1_048_576 } = options;
  return boundedFetch({ fetch: fetchLike, timeoutMs, maxBytes, signal });
}

function staticServer(options: TokenServiceOptions): oauth.AuthorizationServer | undefined {
  if (options.tokenEndpoint === undefined) return undefined;
  const endpoint = endpointUrl(options.tokenEndpoint, '"tokenEndpoint"', options);
  return { issuer: options.issuer ?? endpoint.origin, token_endpoint: endpoint.href };
}

function assertOptions(options: TokenServiceOptions): void {
  checkOptions(options, 'createTokenService()', {
    issuer: 'text?',
    metadataUrl: 'text?',
    tokenEndpoint: 'text?',
    host: 'text?',
    clientId: 'text',
    clientAuth: 'object?',
    timeoutMs: 'positive?',
    maxResponseBytes: 'positive?',
    dangerouslyAllowInsecureHttp: 'boolean?',
    fetch: 'function?',
  });
  if (
    options.issuer === undefined &&
    options.metadataUrl === undefined &&
    options.tokenEndpoint === undefined
  ) {
    throw new TypeError('one of "issuer", "metadataUrl" and "tokenEndpoint" is needed to find the STS');
  }
  const source = options.metadataUrl ?? options.issuer;
  if (options.tokenEndpoint === undefined && source !== undefined) {
    secureUrl(
      source,
      options.metadataUrl ? '"metadataUrl"' : '"issuer"',
      options.dangerouslyAllowInsecureHttp,
    );
  }
  if (options.host !== undefined) assertHost(options.host);
}
