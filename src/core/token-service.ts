import { randomUUID } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { abortable } from './abortable.ts';
import { type Breaker, type BreakerState, createBreaker } from './breaker.ts';
import { type ClientAuthentication, createClientAuthentication } from './client-authentication.ts';
import type { Dialect } from './dialect.ts';
import { boundedFetch, type FetchLike } from './http.ts';
import { discoverMetadata } from './metadata.ts';
import { withRetry } from './retry.ts';
import { endpointUrl } from './secure-url.ts';
import type { TokenService } from './token-service-handle.ts';
import { checkServiceOptions, copied, originOf, type TokenServiceOptions } from './token-service-options.ts';
import { TOKEN_TYPE } from './token-types.ts';

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
  checkServiceOptions(given);
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

function bounded(
  options: TokenServiceOptions,
  authentication: ClientAuthentication,
  signal?: AbortSignal,
): FetchLike {
  const send: FetchLike = options.fetch ?? authentication.fetch ?? ((url, init) => fetch(url, init));
  const { timeoutMs = 10_000, maxResponseBytes: maxBytes = 1_048_576 } = options;
  return boundedFetch({ fetch: send, timeoutMs, maxBytes, signal });
}

function staticServer(options: TokenServiceOptions): oauth.AuthorizationServer | undefined {
  if (options.tokenEndpoint === undefined) return undefined;
  const endpoint = endpointUrl(options.tokenEndpoint, '"tokenEndpoint"', options);
  // Without an issuer an assertion is for the endpoint (RFC 7523 section 3).
  return { issuer: options.issuer ?? endpoint.href, token_endpoint: endpoint.href };
}
