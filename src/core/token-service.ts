import { randomUUID } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { abortable } from './abortable.ts';
import {
  type Breaker,
  type BreakerOptions,
  type BreakerState,
  checkBreaker,
  createBreaker,
} from './breaker.ts';
import {
  type ClientAuth,
  type ClientAuthentication,
  createClientAuthentication,
} from './client-authentication.ts';
import { checkDialect, type Dialect } from './dialect.ts';
import { boundedFetch, type FetchLike } from './http.ts';
import { discoverMetadata } from './metadata.ts';
import { checkOptions } from './options.ts';
import { checkRetry, type RetryOptions, withRetry } from './retry.ts';
import { assertHost, endpointUrl, secureUrl } from './secure-url.ts';
import type { TokenService } from './token-service-handle.ts';
import { TOKEN_TYPE } from './token-types.ts';
import { parseUrl } from './url.ts';

/**
 * Options of {@link createTokenService}. One of `issuer`, `metadataUrl` and `tokenEndpoint` is needed. With
 * `tokenEndpoint` nothing is discovered, and `issuer` is only what assertions are made for.
 */
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
  /** How the STS differs from RFC 8693; there are presets, such as `keycloak()`. Default: not at all. */
  readonly dialect?: Dialect | undefined;
  /** For one request, answer included, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Largest answer that is read, in bytes. Default: 1 MiB. */
  readonly maxResponseBytes?: number | undefined;
  /** How a request is tried again that got no answer, 429 or 5xx. */
  readonly retry?: RetryOptions | undefined;
  /** When an STS that fails is left alone for a while. */
  readonly breaker?: BreakerOptions | undefined;
  /** Lets tokens travel in clear text to hosts that are not loopback. Only for a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
  /** Used for every request to the STS. Default: the global `fetch`. */
  readonly fetch?: FetchLike | undefined;
}

/** What requests need and users must not see. */
interface Internals {
  readonly authentication: ClientAuthentication;
  readonly options: TokenServiceOptions;
  readonly breaker: Breaker;
  readonly origin: string;
  server(signal?: AbortSignal): Promise<oauth.AuthorizationServer>;
}

const internals = new WeakMap<TokenService, Internals>();

/**
 * Describes an STS. Nothing is requested until a token is needed.
 *
 * @throws TypeError that names the option which is missing or wrong
 * @throws OnbehalfError `insecure_url` for plain http off loopback
 */
export function createTokenService(given: TokenServiceOptions): TokenService {
  assertOptions(given);
  // What is changed in the caller's object later must not decide where subject tokens go.
  const options = copied(given);
  const { clientId, clientAuth = { method: 'none' }, dialect, retry = {} } = options;
  const omitsClientId = dialect?.omitsClientId;
  const authentication = createClientAuthentication(clientAuth, clientId, { omitsClientId });
  const origin = originOf(options);
  const breaker = createBreaker(options.breaker ?? {}, origin);
  let known: oauth.AuthorizationServer | undefined = staticServer(options);
  let pending: Promise<oauth.AuthorizationServer> | undefined;
  const server = async (): Promise<oauth.AuthorizationServer> => {
    if (known) return known;
    const send = bounded(options, authentication);
    const careful: FetchLike = (url, init) =>
      withRetry(() => breaker.run(() => send(url, init)), retry, undefined);
    const mtls = authentication.fetch !== undefined;
    pending ??= discoverMetadata({ ...options, mtls }, careful)
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
    id: randomUUID(),
    clientId,
    dialect: dialect?.name,
    get issuer() {
      return options.issuer ?? (options.tokenEndpoint === undefined ? known?.issuer : undefined);
    },
    get tokenEndpoint() {
      return known?.token_endpoint;
    },
    get breaker() {
      return breaker.state;
    },
    discover: async () => (await server()).token_endpoint as string,
  });
  // The certificate is shown by the connection, so whoever makes that must have it.
  if (options.fetch && authentication.fetch) {
    throw new TypeError(
      `"fetch" cannot be set with "clientAuth.method" ${clientAuth.method}, which has its own`,
    );
  }
  internals.set(service, { authentication, options, breaker, origin, server });
  return service;
}

/**
 * Posts a grant to the token endpoint with this client's authentication, again as long as that can help.
 *
 * @returns the response with its body read and bounded, whatever its status
 */
export async function tokenRequest(
  service: TokenService,
  grantType: string,
  request: {
    readonly parameters: URLSearchParams;
    /** Digest of whom it is for; see `Breaker`. */
    readonly who?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Response> {
  const { authentication, options, breaker, server } = serviceInternals(service);
  const { parameters, who, signal } = request;
  signal?.throwIfAborted();
  const as = await abortable(server(), signal);
  // Each try authenticates anew: an assertion may be used once only, and a secret may have been rotated.
  const send = (): Promise<Response> =>
    oauth.genericTokenEndpointRequest(
      as,
      { client_id: service.clientId },
      (...request) => authentication.authenticate(...request, signal),
      grantType,
      parameters,
      {
        [oauth.customFetch]: bounded(options, authentication, signal),
        // secureUrl() has decided already; here the library must not decide differently for loopback.
        [oauth.allowInsecureRequests]: true,
      },
    );
  // Who waits for another's trial must be free to leave.
  return withRetry(() => abortable(breaker.run(send, who), signal), options.retry ?? {}, signal);
}

/**
 * Validates the form of a 200 answer of the token endpoint (RFC 6749 section 5.1).
 *
 * @param requestedTokenType - an ID-JAG is no access token, so its `token_type` is `N_A` (RFC 8693 section 2.2.1)
 */
export async function processTokenResponse(
  service: TokenService,
  response: Response,
  requestedTokenType?: string,
): Promise<oauth.TokenEndpointResponse> {
  const as = await serviceInternals(service).server();
  const answer = await oauth.processGenericTokenEndpointResponse(
    as,
    { client_id: service.clientId },
    await readable(response),
    { recognizedTokenTypes: { n_a: () => {} } },
  );
  // The library lower-cases it, and takes DPoP too; but no proof was sent, so such a token could not be used.
  const wanted = requestedTokenType === TOKEN_TYPE.idJag ? 'n_a' : 'bearer';
  if (answer.token_type !== wanted) throw new TypeError(`"token_type" is not ${wanted}`);
  return answer;
}

/**
 * The answer without what nobody reads: an ID token may come along (scope `openid`), and what is wrong with it must not
 * decide. A lifetime is a number, or digits; the library takes whatever begins like one.
 */
async function readable(response: Response): Promise<Response> {
  const text = await response.text();
  const { status, headers } = response;
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {}
  if (typeof answer !== 'object' || answer === null) return new Response(text, { status, headers });
  const { id_token: _, ...rest } = answer as Record<string, unknown>;
  const { expires_in: lifetime } = rest;
  const isNumber = typeof lifetime === 'string' ? /^\d+$/.test(lifetime) : Number.isFinite(lifetime);
  if (lifetime !== undefined && !isNumber) throw new TypeError('"expires_in" is no number');
  return new Response(JSON.stringify(Array.isArray(answer) ? answer : rest), { status, headers });
}

/** What was sent to the STS in confidence, as it reads on the wire. */
export function confidentialValues(service: TokenService): readonly string[] {
  return serviceInternals(service).authentication.sent();
}

/** How the STS differs from RFC 8693, if it does. */
export function dialectOf(service: TokenService): Dialect | undefined {
  return serviceInternals(service).options.dialect;
}

/** Calls back, with the origin of the STS, when its breaker changes. Returns the way to stop. */
export function watchBreaker(
  service: TokenService,
  listener: (state: BreakerState, sts: string) => void,
): () => void {
  const { breaker, origin } = serviceInternals(service);
  return breaker.onChange((state) => listener(state, origin));
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

function copied(options: TokenServiceOptions): TokenServiceOptions {
  const copy = <T extends object>(value: T | undefined): T | undefined => value && { ...value };
  const { clientAuth, dialect, retry, breaker } = options;
  return {
    ...options,
    clientAuth: copy(clientAuth),
    dialect: copy(dialect),
    retry: copy(retry),
    breaker: copy(breaker),
  };
}

function bounded(
  options: TokenServiceOptions,
  authentication: ClientAuthentication,
  signal?: AbortSignal,
): FetchLike {
  const send: FetchLike = options.fetch ?? authentication.fetch ?? ((url, init) => fetch(url, init));
  const { timeoutMs = 10_000, maxResponseBytes: maxBytes = 1_048_576 } = options;
  return boundedFetch({ fetch: send, timeoutMs, maxBytes, signal });
}

/** Where tokens are sent in the end: metadata can name no other host. */
function originOf({ tokenEndpoint, metadataUrl, issuer = '', host }: TokenServiceOptions): string {
  const place = tokenEndpoint ?? metadataUrl ?? issuer;
  if (!parseUrl(place)) throw new TypeError('"tokenEndpoint" must be an absolute URL');
  const url = new URL(place);
  return `${url.protocol}//${host ?? url.host}`;
}

function staticServer(options: TokenServiceOptions): oauth.AuthorizationServer | undefined {
  if (options.tokenEndpoint === undefined) return undefined;
  const endpoint = endpointUrl(options.tokenEndpoint, '"tokenEndpoint"', options);
  // Without an issuer an assertion is for the endpoint (RFC 7523 section 3).
  return { issuer: options.issuer ?? endpoint.href, token_endpoint: endpoint.href };
}

function assertOptions(options: TokenServiceOptions): void {
  if (typeof (options as Partial<TokenServiceOptions> | undefined)?.dialect === 'function') {
    throw new TypeError('"dialect" must be what a preset gives: call it, as in keycloak()');
  }
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
    dialect: 'object?',
    retry: 'object?',
    breaker: 'object?',
    fetch: 'function?',
  });
  if (options.dialect) checkDialect(options.dialect);
  checkRetry(options.retry ?? {});
  checkBreaker(options.breaker ?? {});
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
