import { type BreakerOptions, checkBreaker } from './breaker.ts';
import type { ClientAuth } from './client-authentication.ts';
import { checkDialect, type Dialect } from './dialect.ts';
import type { FetchLike } from './http.ts';
import { checkOptions } from './options.ts';
import { checkRetry, type RetryOptions } from './retry.ts';
import { assertHost, secureUrl } from './secure-url.ts';
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

/** A copy: what is changed in the caller's object later must not decide where subject tokens go. */
export function copied(options: TokenServiceOptions): TokenServiceOptions {
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

/** Where tokens are sent in the end: metadata can name no other host. */
export function originOf({ tokenEndpoint, metadataUrl, issuer = '', host }: TokenServiceOptions): string {
  const place = tokenEndpoint ?? metadataUrl ?? issuer;
  if (!parseUrl(place)) throw new TypeError('"tokenEndpoint" must be an absolute URL');
  const url = new URL(place);
  return `${url.protocol}//${host ?? url.host}`;
}

/** @throws TypeError that names the option which is missing or wrong */
export function checkServiceOptions(options: TokenServiceOptions): void {
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
