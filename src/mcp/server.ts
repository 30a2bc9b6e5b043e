import { createHash, randomUUID } from 'node:crypto';
import { createSingleFlight } from '../broker/single-flight.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { checkOptions } from '../core/options.ts';
import { secureUrl } from '../core/secure-url.ts';
import {
  describeTarget,
  type OneOrMore,
  type ResolvedTarget,
  resolveTarget,
  type Target,
} from '../core/target.ts';
import { readChallenge } from './challenge.ts';
import { checkDiscoveredTarget, type DiscoveredTarget, resolveDiscovered } from './discovered-target.ts';
import { type HeaderFields, layerHeaders, type RequestFields, requestFields } from './headers.ts';
import { discoverResource } from './resource-metadata.ts';

/** An MCP server and what its tokens are for. */
export interface McpServerOptions {
  /** Endpoint of the Streamable HTTP transport. Tokens go to this origin and path (and below it) only. */
  readonly url: string | URL;
  /**
   * Audience, or the richer target, of the server's tokens. `"discover"`, or a {@link DiscoveredTarget}: the `resource`
   * that the server's metadata names (RFC 9728), if it is the URL or a parent of it.
   */
  readonly target: Target | DiscoveredTarget | string;
  /** Names the server in errors and results. Default: the target's audience; of a discovered one, the URL's host. */
  readonly name?: string | undefined;
  /**
   * Header fields sent with every request; whatever else sets the same name wins. An `Authorization` here is sent where a
   * request goes as nobody.
   */
  readonly headers?: HeaderFields | undefined;
  /**
   * Scopes that the server may ask for beyond those of the target, by 403 `insufficient_scope` (RFC 6750 section 3.1):
   * the request is then made again, once, with a token that has them too. Default: none.
   */
  readonly stepUpScopes?: OneOrMore | undefined;
  /** Lets tokens travel in clear text to a host that is not loopback. Only for a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
  /** Default: the global `fetch`. */
  readonly fetch?: FetchLike | undefined;
}

/** What the options of an MCP server must be. */
export const SERVER_OPTIONS = {
  url: 'any',
  target: 'any',
  name: 'text?',
  headers: 'object?',
  stepUpScopes: 'any?',
  dangerouslyAllowInsecureHttp: 'boolean?',
  fetch: 'function?',
} as const;

/** A checked {@link McpServerOptions}. */
export interface McpServer {
  /** Names the server in errors and results. */
  readonly name: string;
  /** Endpoint; tokens go to this origin and path, and below it. A copy each time: to change it changes nothing. */
  readonly url: URL;
  /** What the server's tokens are for; `undefined` while it has to be discovered. */
  readonly target: ResolvedTarget | undefined;
  /** The target, discovered where it has to be: once, for all who wait. */
  readonly resolveTarget: (signal?: AbortSignal) => Promise<ResolvedTarget>;
  /** Scopes that the server may ask for in addition. */
  readonly stepUpScopes: readonly string[];
  /** Header fields sent with every request, below all others. A function, since a field may hold a secret. */
  readonly headers: () => readonly (readonly [string, string])[];
  /** A digest, equal only for servers with the same URL, target and header fields, and no `fetch` of their own. */
  readonly id: string;
  /** Throws OnbehalfError `url_not_pinned` for a URL that is not the server's own. */
  readonly assertPinned: (to: string) => void;
  /** Sends a request to this server and nowhere else; see {@link defineMcpServer}. */
  readonly fetch: FetchLike;
}

/**
 * Checks the description of an MCP server. Its `fetch` refuses every URL but the server's own, and a redirect with
 * OnbehalfError `server_failed`: to follow one would be to send token and body once more.
 *
 * @throws TypeError when a field is not of its form
 * @throws OnbehalfError `insecure_url` for plain http off loopback
 */
export function defineMcpServer(options: McpServerOptions): McpServer {
  checkOptions(options, 'an MCP server', SERVER_OPTIONS);
  const url = secureUrl(options.url, '"url" of an MCP server', options.dangerouslyAllowInsecureHttp);
  const given = options.target === 'discover' ? ({ discover: true } as const) : options.target;
  const discovered = isDiscovered(given) ? given : undefined;
  if (discovered) checkDiscoveredTarget(discovered);
  let target = isDiscovered(given) ? undefined : resolveTarget(given);
  const stepUpScopes = scopesOf(options.stepUpScopes);
  const headers = staticFields(options.headers);
  const send: FetchLike = options.fetch ?? ((to, init) => fetch(to, init));
  const name = options.name ?? (target ? describeTarget(target) : url.host);
  const flights = createSingleFlight<ResolvedTarget>(DISCOVERY_MS);
  /** Where the server itself says that its metadata is. */
  let challenge: string | undefined;

  const discover = async (signal: AbortSignal): Promise<ResolvedTarget> => {
    const { dangerouslyAllowInsecureHttp } = options;
    const metadata = await discoverResource(url, {
      ...{ challenge, signal, dangerouslyAllowInsecureHttp },
      fetch: options.fetch,
    });
    target = await resolveDiscovered(discovered as DiscoveredTarget, metadata, signal);
    return target;
  };

  const { href } = url;
  const assertOwn = (to: string): void => {
    if (to !== href) assertPinned(url, to);
  };

  const received = (response: Response): Response => {
    if (!target && response.status === 401) challenge = readChallenge(response)?.resourceMetadata;
    if (isRedirect(response)) throw redirected(name, response);
    return response;
  };

  return Object.freeze({
    name,
    get url() {
      return new URL(url);
    },
    get target() {
      return target;
    },
    resolveTarget: async (signal?: AbortSignal) => target ?? flights.run('target', discover, signal),
    stepUpScopes,
    headers: () => headers,
    // Two functions that send are two servers, for all we know, and so are two that are to be discovered.
    id: digest([url.href, target ?? randomUUID(), headers, stepUpScopes, options.fetch && randomUUID()]),
    assertPinned: assertOwn,
    fetch: (to: string, init: RequestInit) => {
      try {
        assertOwn(to);
        const fields = below(headers, requestFields(init.headers));
        return Promise.resolve(send(to, { ...init, headers: fields, redirect: 'manual' })).then(received);
      } catch (error) {
        return Promise.reject(error);
      }
    },
  });
}

const DISCOVERY_MS = 30_000;

const isDiscovered = (target: unknown): target is DiscoveredTarget =>
  typeof target === 'object' && target !== null && 'discover' in target;

function scopesOf(scope: OneOrMore | undefined): readonly string[] {
  return scope === undefined || scope.length === 0 ? [] : resolveTarget({ scope }).scopes;
}

function staticFields(given: HeaderFields | undefined): readonly (readonly [string, string])[] {
  try {
    return Object.freeze([...layerHeaders(given)].map((field) => Object.freeze(field)));
  } catch {
    // What it throws holds the value, which may be a secret.
    throw new TypeError('"headers" of an MCP server has a name or a value that no header field can have');
  }
}

/** Lays the static fields below those of a request. */
function below(headers: readonly (readonly [string, string])[], fields: RequestFields): RequestFields {
  for (const [name, value] of headers) if (!Object.hasOwn(fields, name)) fields[name] = value;
  return fields;
}

/** A `fetch` of the user's own may have followed it, whatever it was told. */
const isRedirect = ({ status, type, redirected: followed }: Response): boolean =>
  followed || type === 'opaqueredirect' || (status >= 300 && status < 400 && status !== 304);

function redirected(name: string, response: Response): OnbehalfError {
  void response.body?.cancel().catch(() => {});
  return new OnbehalfError(
    'server_failed',
    `${name} answered with a redirect (status ${response.status}), which is not followed: ` +
      'set "url" to the address where the server is',
    { failure: 'misconfigured', status: response.status },
  );
}

/** Not the values themselves: header fields are among them. */
function digest(values: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('base64url');
}

/** @throws OnbehalfError `url_not_pinned` unless `to` is on the origin and at or below the path of `pinned` */
function assertPinned(pinned: URL, to: string): void {
  const url = new URL(to);
  const base = pinned.pathname.endsWith('/') ? pinned.pathname : `${pinned.pathname}/`;
  const inside = url.pathname === pinned.pathname || url.pathname.startsWith(base);
  // What is one path segment here may be two at the server (an encoded slash), or the parent ("..;", encoded or not).
  const ambiguous = /%(?:25|2e|2f|3b|5c)|(?:^|\/)\.{1,2};/i.test(url.pathname.slice(pinned.pathname.length));
  const anonymous = url.username === '' && url.password === '';
  if (url.origin === pinned.origin && inside && !ambiguous && anonymous) return;
  throw new OnbehalfError(
    'url_not_pinned',
    `a request to ${url.origin} was stopped: this client may only call ${pinned.origin}${pinned.pathname}`,
    { failure: 'misconfigured' },
  );
}
