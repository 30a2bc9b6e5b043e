import * as oauth from 'oauth4webapi';
import { isOnbehalfError, OnbehalfError } from './errors.ts';
import type { FetchLike } from './http.ts';
import { mayPass, retryAfterMs } from './retry-after.ts';
import { endpointUrl } from './secure-url.ts';

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
  if (options.host === undefined && endpoint.host !== url.host) {
    throw invalid(
      `the STS metadata at ${place(url)} names a token endpoint on another host (${endpoint.host}). ` +
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
  const issuer = new URL(options.issuer as string);
  const path = issuer.pathname.replace(/\/$/, '');
  return [
    new URL(`${path}/.well-known/openid-configuration`, issuer),
    new URL(`/.well-known/oauth-authorization-server${path}`, issuer),
  ];
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

async function parse(
  url: URL,
  response: Response,
  issuer: string | undefined,
): Promise<oauth.AuthorizationServer & { token_endpoint: string }> {
  let metadata: oauth.AuthorizationServer;
  try {
    // Without a configured issuer the URL itself is what was pinned, and the document names its issuer.
    const expected = issuer ?? ((await response.clone().json()) as { issuer: string }).issuer;
    metadata = await oauth.processDiscoveryResponse(new URL(expected), response);
  } catch {
    const wanted = issuer === undefined ? '' : `, or its "issuer" is not ${issuer}`;
    throw invalid(`the STS metadata at ${place(url)} is not valid (RFC 8414 section 3.2)${wanted}`);
  }
  const { token_endpoint } = metadata;
  if (typeof token_endpoint !== 'string')
    throw invalid(`the STS metadata at ${place(url)} has no "token_endpoint"`);
  return { ...metadata, token_endpoint };
}
