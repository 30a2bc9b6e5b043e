import { createHash, randomUUID } from 'node:crypto';
import { OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { checkOptions } from '../core/options.ts';
import { secureUrl } from '../core/secure-url.ts';
import { describeTarget, type ResolvedTarget, resolveTarget, type Target } from '../core/target.ts';
import { type HeaderFields, layerHeaders } from './headers.ts';

/** An MCP server and what its tokens are for. */
export interface McpServerOptions {
  /** Endpoint of the Streamable HTTP transport. Tokens go to this origin and path (and below it) only. */
  readonly url: string | URL;
  /** Audience, or the richer target, of the server's tokens. */
  readonly target: Target | string;
  /** Names the server in errors and results. Default: the target's audience. */
  readonly name?: string | undefined;
  /** Header fields sent with every request; whatever else sets the same name wins. */
  readonly headers?: HeaderFields | undefined;
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
  dangerouslyAllowInsecureHttp: 'boolean?',
  fetch: 'function?',
} as const;

/** A checked {@link McpServerOptions}. */
export interface McpServer {
  /** Names the server in errors and results. */
  readonly name: string;
  /** Endpoint; tokens go to this origin and path, and below it. A copy each time: to change it changes nothing. */
  readonly url: URL;
  /** What the server's tokens are for. */
  readonly target: ResolvedTarget;
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
 * Checks the description of an MCP server. Its `fetch` refuses every URL but the server's own and follows no redirect.
 *
 * @throws TypeError when a field is not of its form
 * @throws OnbehalfError `insecure_url` for plain http off loopback
 */
export function defineMcpServer(options: McpServerOptions): McpServer {
  checkOptions(options, 'an MCP server', SERVER_OPTIONS);
  const url = secureUrl(options.url, '"url" of an MCP server', options.dangerouslyAllowInsecureHttp);
  const target = resolveTarget(options.target);
  const headers = Object.freeze([...layerHeaders(options.headers)].map((field) => Object.freeze(field)));
  const send: FetchLike = options.fetch ?? ((to, init) => fetch(to, init));
  return Object.freeze({
    name: options.name ?? describeTarget(target),
    get url() {
      return new URL(url);
    },
    target,
    headers: () => headers,
    // Two functions that send are two servers, for all we know.
    id: digest([url.href, target, headers, options.fetch && randomUUID()]),
    assertPinned: (to: string) => assertPinned(url, new URL(to)),
    fetch: async (to: string, init: RequestInit) => {
      assertPinned(url, new URL(to));
      const fields = layerHeaders(headers, init.headers as HeaderFields);
      return withoutLocation(await send(to, { ...init, headers: fields, redirect: 'manual' }));
    },
  });
}

/** A redirect that cannot be followed: a client that follows them by itself would send token and body once more. */
function withoutLocation(response: Response): Response {
  if (!response.headers.has('location')) return response;
  const headers = new Headers(response.headers);
  headers.delete('location');
  const { status, statusText } = response;
  // What is left of a redirect's body is of no use, and a body is not allowed with every status.
  void response.body?.cancel();
  return new Response(null, { status, statusText, headers });
}

/** Not the values themselves: header fields are among them. */
function digest(values: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('base64url');
}

/** @throws OnbehalfError `url_not_pinned` unless `url` is on the origin and at or below the path of `pinned` */
function assertPinned(pinned: URL, url: URL): void {
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
