import * as oauth from 'oauth4webapi';
import { isOnbehalfError, OnbehalfError } from './errors.ts';
import type { FetchLike } from './http.ts';
import { hasControl } from './redact.ts';
import { mayPass, retryAfterMs } from './retry-after.ts';
import { endpointUrl } from './secure-url.ts';
import { parseUrl } from './url.ts';

/** Where metadata is found and what is done with it; see `TokenServiceOptions`. */
export interface MetadataOptions {
  readonly issuer?: string | undefined;
  readonly metadataUrl?: string | undefined;
  readonly host?: string | undefined;
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
  /** Whether the client authenticates by its certificate, which may need another endpoint (RFC 8705 section 5). */
  readonly mtls?: boolean | undefined;
}

const invalid = (message: string, response?: Response): OnbehalfError =>
  new OnbehalfError('sts_metadata_invalid', message, {
    failure: response && mayPass(response.status) ? 'unavailable' : 'misconfigured',
    status: response?.status,
    retryAfterMs: response && retryAfterMs(response.headers),
  });

/** A URL for people: without its query, which may hold a key. */
const place = (url: URL): string => `${url.origin}${url.pathname}`;

/**
 * Reads the metadata of an STS (RFC 8414; OpenID Connect Discovery 1.0) and pins what it says:
 * its `issuer` must be the configured one, its token endpoint must be on the host that served the metadata.
 * So metadata can never send a subject token to a host that nobody configured.
 *
 * @throws OnbehalfError `sts_metadata_invalid`, `insecure_url`, or what `fetchLike` throws
 */
export async function discoverMetadata(
  options: MetadataOptions,
  fetchLike: FetchLike,
): Promise<oauth.AuthorizationServer> {
  const { url, response } = await firstAnswer(wellKnownUrls(options), fetchLike);
  if (response.status !== 200) {
    throw invalid(`the STS metadata at ${place(url)} answered with status ${response.status}`, response);
  }
  const metadata = await parse(url, response, options.issuer);
  const alias = options.mtls ? metadata.mtls_endpoint_aliases?.token_endpoint : undefined;
  const endpoint = readEndpoint(alias ?? metadata.token_endpoint, url, options);
  // Another scheme only for the better.
  const sameScheme = endpoint.protocol === url.protocol || endpoint.protocol === 'https:';
  if (options.host === undefined && (endpoint.host !== url.host || !sameScheme)) {
    throw invalid(
      `the STS metadata at ${place(url)} names a token endpoint elsewhere (${endpoint.origin}). ` +
        'If that is right, set "tokenEndpoint", or "host", so that the subject token goes only where you said',
    );
  }
  return { ...metadata, token_endpoint: endpoint.href };
}

function readEndpoint(value: string, url: URL, options: MetadataOptions): URL {
  try {
    return endpointUrl(value, '"token_endpoint" of the STS metadata', options);
  } catch (error) {
    if (isOnbehalfError(error)) throw error;
    throw invalid(`the "token_endpoint" in the STS metadata at ${place(url)} is not an absolute https URL`);
  }
}

function wellKnownUrls(options: MetadataOptions): readonly URL[] {
  if (options.metadataUrl !== undefined) return [new URL(options.metadataUrl)];
  return issuerMetadataUrls(options.issuer as string);
}

/**
 * Where the metadata of an issuer may be: as OpenID Connect Discovery 1.0 has it, then as RFC 8414 section 3.1.
 *
 * @param issuer - an absolute URL
 */
export function issuerMetadataUrls(issuer: string): readonly URL[] {
  const base = new URL(issuer);
  const path = base.pathname.replace(/\/$/, '');
  return [
    atPath(base, `${path}/.well-known/openid-configuration`),
    atPath(base, `/.well-known/oauth-authorization-server${path}`),
  ];
}

/** Not by resolving: a path that begins with two slashes would be taken for a host. */
function atPath(issuer: URL, path: string): URL {
  const url = new URL(issuer.origin);
  url.pathname = path;
  return url;
}

async function firstAnswer(
  urls: readonly URL[],
  fetchLike: FetchLike,
): Promise<{ url: URL; response: Response }> {
  let last: { url: URL; response: Response } | undefined;
  for (const url of urls) {
    last = { url, response: await fetchLike(url.href, { headers: { accept: 'application/json' } }) };
    if (last.response.status !== 404) break;
  }
  return last as { url: URL; response: Response };
}

/** The issuer that a document names, if it is one to show: a URL without credentials. */
async function namedIssuer(response: Response): Promise<string | undefined> {
  try {
    const { issuer } = (await response.json()) as { issuer?: unknown };
    if (typeof issuer !== 'string' || !parseUrl(issuer) || hasControl(issuer)) return undefined;
    const { protocol, username, password, search, hash } = new URL(issuer);
    const plain = username + password + search + hash === '' && issuer.length <= 512;
    return plain && /^https?:$/.test(protocol) ? issuer : undefined;
  } catch {
    return undefined;
  }
}

const sameUrl = (one: string, other: string): boolean => new URL(one).href === new URL(other).href;

/** Whether an issuer's metadata belongs at a URL (RFC 8414 section 3.1). */
function isFoundAt(issuer: string, url: URL): boolean {
  return issuerMetadataUrls(issuer).some(({ href }) => href === url.href);
}

async function parse(
  url: URL,
  response: Response,
  issuer: string | undefined,
): Promise<oauth.AuthorizationServer & { token_endpoint: string }> {
  const named = await namedIssuer(response.clone());
  const expected = issuer ?? named;
  // Assertions are made for the issuer. A document that may choose it could have them made for another server.
  if (issuer === undefined && named !== undefined && !isFoundAt(named, url)) {
    throw invalid(
      `the STS metadata at ${place(url)} names the issuer ${named}, whose metadata is elsewhere: set "issuer"`,
    );
  }
  if (issuer !== undefined && named !== undefined && !sameUrl(named, issuer)) {
    throw invalid(
      `the STS metadata at ${place(url)} names the issuer ${named}, not ${issuer}: set "issuer" to the one it is`,
    );
  }
  let metadata: oauth.AuthorizationServer;
  try {
    metadata = await oauth.processDiscoveryResponse(new URL(expected ?? ''), response);
  } catch {
    throw invalid(`the STS metadata at ${place(url)} is not valid (RFC 8414 section 3.2)`);
  }
  const { token_endpoint } = metadata;
  if (typeof token_endpoint !== 'string')
    throw invalid(`the STS metadata at ${place(url)} has no "token_endpoint"`);
  return { ...metadata, token_endpoint };
}
