import * as oauth from 'oauth4webapi';
import { OnbehalfError } from '../core/errors.ts';
import { type BoundedFailures, boundedFetch, type FetchLike, inBrackets } from '../core/http.ts';
import { checkOptions } from '../core/options.ts';
import { redact } from '../core/redact.ts';
import { mayPass, retryAfterMs } from '../core/retry-after.ts';
import { isLoopback, secureUrl } from '../core/secure-url.ts';
import { parseUrl } from '../core/url.ts';
import { isScope } from './challenge.ts';

/** What a server's metadata says about it (RFC 9728 section 2), as far as it is read here. */
export interface ProtectedResource {
  /** `resource`: names the server, or a path above it, at authorization servers (RFC 8707 section 2). As it is written. */
  readonly resource: string;
  /** `authorization_servers`: their issuers, in order; https, or http on loopback. Not called and not vouched for. */
  readonly authorizationServers: readonly string[];
  /** `scopes_supported`, in order. */
  readonly scopesSupported: readonly string[];
}

/** How the metadata of a server is got. */
export interface DiscoverResourceOptions {
  /** `resource_metadata` of the server's `WWW-Authenticate` (RFC 9728 section 5.1). Default: the well-known places. */
  readonly challenge?: string | undefined;
  /** It must follow no redirect. Default: the global `fetch`. */
  readonly fetch?: FetchLike | undefined;
  /** Lets the metadata travel in clear text from a host that is not loopback. Only for a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** For each of the one or two requests, body included, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
}

const MAX_BYTES = 65_536;
/** Most values of a list that are read, and the longest URL. */
const MOST = 32;
const LONGEST_URL = 2_048;
const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/**
 * Reads what a server says about itself (RFC 9728): which resource it is, who issues tokens for it, with which scopes.
 *
 * Nothing but the server's own origin is asked, without credentials, and no redirect is followed. What is found at a
 * well-known place must be about the resource whose place that is (RFC 9728 section 3.3): the server's URL or, at that of
 * its parent, where the challenge says so, a path above it; what is found elsewhere, about the server's URL. The values of a list that are not well-formed are left out,
 * and what comes after the first 32.
 *
 * @param url - the server's endpoint, as clients call it
 * @throws OnbehalfError `resource_metadata_invalid`, `server_unreachable`, `insecure_url`; or the reason of `signal`
 * @throws TypeError when `url` or an option is not of its form
 */
export async function discoverResource(
  url: string | URL,
  options: DiscoverResourceOptions = {},
): Promise<ProtectedResource> {
  checkOptions(options, 'discoverResource()', {
    challenge: 'string?',
    fetch: 'function?',
    dangerouslyAllowInsecureHttp: 'boolean?',
    signal: 'object?',
    timeoutMs: 'positive?',
  });
  const server = secureUrl(url, '"url" of discoverResource()', options.dangerouslyAllowInsecureHttp);
  server.hash = '';
  const { challenge } = options;
  const found = await (challenge === undefined
    ? askWellKnown(server, options)
    : askChallenged(server, challenge, options));
  const metadata = await parse(found);
  return Object.freeze({
    resource: metadata.resource,
    authorizationServers: listed(metadata.authorization_servers, isIssuer),
    scopesSupported: listed(metadata.scopes_supported, isScope),
  });
}

interface Found {
  readonly response: Response;
  /** Where it was found, for people. */
  readonly place: string;
  /** Whether a document at this place may be about this resource. */
  readonly mayName: (resource: URL) => boolean;
}

/** Asks at the place of the server's own metadata, and at that of its whole origin (RFC 9728 section 3.1). */
async function askWellKnown(server: URL, options: DiscoverResourceOptions): Promise<Found> {
  const own = await askPlaceOf(server, options);
  if (own.response.status !== 404 || server.pathname === '/') return own;
  return askPlaceOf(new URL('/', server), options);
}

async function askPlaceOf(identifier: URL, options: DiscoverResourceOptions): Promise<Found> {
  let place = '';
  const response = await oauth.resourceDiscoveryRequest(identifier, {
    [oauth.customFetch]: (to, { body: _, ...init }) => {
      const { origin, pathname } = new URL(to);
      place = `${origin}${pathname}`;
      return bounded(place, options)(to, { ...init, credentials: 'omit' });
    },
    // secureUrl() has decided already.
    [oauth.allowInsecureRequests]: true,
  });
  return { response, place, mayName: (resource) => isSame(resource, identifier) };
}

/** Asks where the challenge says. The challenge comes from the server, so it may lead to nobody else. */
async function askChallenged(
  server: URL,
  challenge: string,
  options: DiscoverResourceOptions,
): Promise<Found> {
  const url = parseUrl(challenge);
  // A "blob:" URL has the origin of the URL in it.
  const sameOrigin = url?.origin === server.origin && url.protocol === server.protocol;
  if (!url || !sameOrigin || url.username !== '' || url.password !== '') {
    throw invalid(
      `the server at ${server.origin} says that its resource metadata is elsewhere: only its own origin is asked`,
    );
  }
  url.hash = '';
  // The path is the server's choice, and may repeat what the server was sent.
  const place = url.origin + url.pathname.split(WELL_KNOWN).map(hidden).join(WELL_KNOWN);
  const init: RequestInit = { headers: { accept: 'application/json' }, credentials: 'omit' };
  const response = await bounded(place, options)(url.href, init);
  // A document may stand for the server. For a parent, which others share, only that at the parent's own place does.
  const isOfParent = (resource: URL): boolean => isAbove(resource, server) && isPlaceOf(url, resource);
  return { response, place, mayName: (resource) => isSame(resource, server) || isOfParent(resource) };
}

const hidden = (path: string): string => redact(path);

function bounded(place: string, options: DiscoverResourceOptions): FetchLike {
  const { fetch: send = (to, init) => fetch(to, init), timeoutMs = 10_000, signal } = options;
  const failures: BoundedFailures = {
    timedOut: (_url, ms) =>
      new OnbehalfError(
        'resource_metadata_invalid',
        `the resource metadata at ${place} did not come within ${ms} ms`,
        { failure: 'unavailable' },
      ),
    unreachable: ({ origin }, cause) =>
      new OnbehalfError('server_unreachable', `${origin} could not be reached${inBrackets(cause)}`, {
        failure: 'unavailable',
        cause,
      }),
    tooLarge: (_url, { maxBytes }) => invalid(`the resource metadata at ${place} is over ${maxBytes} bytes`),
  };
  return boundedFetch({ fetch: send, timeoutMs, maxBytes: MAX_BYTES, signal, failures });
}

async function parse({ response, place, mayName }: Found): Promise<oauth.ResourceServer> {
  if (response.status !== 200) {
    throw invalid(`the resource metadata at ${place} answered with status ${response.status}`, response);
  }
  if (!/^application\/json[\t ]*(?:;|$)/i.test(response.headers.get('content-type') ?? '')) {
    throw invalid(`the resource metadata at ${place} is not of the type application/json`);
  }
  const named = await namedResource(response.clone());
  if (named === undefined) {
    throw invalid(
      `the resource metadata at ${place} is not JSON with a URL as "resource" (RFC 9728 section 2)`,
    );
  }
  if (!mayName(named)) {
    throw invalid(`the resource metadata at ${place} is about another resource (RFC 9728 section 3.3)`);
  }
  try {
    return await oauth.processResourceDiscoveryResponse(named, response);
  } catch {
    // The library's error holds the whole document.
    throw invalid(`the resource metadata at ${place} is not valid (RFC 9728 section 3.2)`);
  }
}

async function namedResource(response: Response): Promise<URL | undefined> {
  try {
    return plainUrl(((await response.json()) as { resource?: unknown }).resource);
  } catch {
    return undefined;
  }
}

const isSame = (resource: URL, server: URL): boolean =>
  resource.origin === server.origin &&
  resource.pathname === server.pathname &&
  (resource.search === '' || resource.search === server.search);

/** Whether a resource is at a path above the server's, by whole segments. */
function isAbove(resource: URL, server: URL): boolean {
  const folder = resource.pathname.replace(/\/?$/, '/');
  return resource.origin === server.origin && resource.search === '' && server.pathname.startsWith(folder);
}

/** Whether a place is the well-known one of a resource (section 3.1). */
function isPlaceOf(place: URL, resource: URL): boolean {
  const path = resource.pathname.replace(/\/$/, '');
  return place.search === '' && place.pathname === `${WELL_KNOWN}${path}`;
}

/**
 * Parses an http(s) URL without credentials and fragment, that is spelt as it is read (only the slash of an empty path may
 * be missing): what reads in two ways may be one thing here and another where it is compared.
 */
function plainUrl(value: unknown): URL | undefined {
  if (typeof value !== 'string' || value.length > LONGEST_URL || /#|\?$/.test(value)) return undefined;
  const url = parseUrl(value);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined;
  return url.href === value || url.href === `${value}/` ? url : undefined;
}

/** RFC 8414 section 2: no query and no fragment. */
function isIssuer(value: unknown): value is string {
  const url = plainUrl(value);
  return url?.search === '' && (url.protocol === 'https:' || isLoopback(url.hostname));
}

function listed(value: unknown, isGood: (one: unknown) => one is string): readonly string[] {
  const good = Array.isArray(value) ? value.filter(isGood) : [];
  return Object.freeze(good.slice(0, MOST));
}

function invalid(message: string, response?: Response): OnbehalfError {
  return new OnbehalfError('resource_metadata_invalid', message, {
    failure: response && mayPass(response.status) ? 'unavailable' : 'misconfigured',
    status: response?.status,
    retryAfterMs: response && retryAfterMs(response.headers),
  });
}
