import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import { currentDelegation } from '../context/carrier.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import { checkOptions } from '../core/options.ts';
import { type HeaderFields, layerHeaders } from './headers.ts';
import { defineMcpServer, type McpServer, type McpServerOptions, SERVER_OPTIONS } from './server.ts';

/** Options of {@link createDelegatedFetch}. */
export interface DelegatedFetchOptions extends McpServerOptions {
  /** Who gives the tokens. */
  readonly broker: Broker;
  /**
   * Whom a request is for, asked at each request. Default: the delegation that the calling code runs under (`runAs`).
   * Name it where requests are made from a queue; see {@link createDelegatedFetch}.
   */
  readonly delegation?: (() => Delegation | undefined) | undefined;
}

/** A `fetch` for the transport of any MCP client. */
export type DelegatedFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/**
 * Makes a `fetch` that gives each request the token of its delegation for this server, got at the first request.
 *
 * It calls the configured origin and path, or below it, and follows no redirect: an answer that names another place
 * comes back without the name. `Authorization` from elsewhere is overridden, in any case. On 401 that very token is
 * dropped, another is exchanged, and the request is sent once more.
 *
 * Without `delegation` a request is for the user under whose `runAs` the code runs that makes it. **A job queue, a pool
 * or a batcher may start one user's job from where another's has just ended, and the request is then made as that
 * other.** Either bind each job when it is queued (`AsyncResource.bind(job)` of `node:async_hooks`), or make a `fetch`
 * for each run that names its `delegation`.
 *
 * An answer is the server's own, unread, and so is what the transport makes of it: a token that the server repeats is
 * repeated.
 *
 * @returns a function that throws OnbehalfError `delegation_missing`, `url_not_pinned`, or what `Broker.token`
 * throws. Then nothing was sent; or, after a 401, nothing that was done
 */
export function createDelegatedFetch(options: DelegatedFetchOptions): DelegatedFetch {
  checkOptions(Object(options), 'createDelegatedFetch()', DELEGATED_FETCH_OPTIONS);
  const { broker, delegation = currentDelegation, ...server } = options;
  return delegatedFetch(broker, defineMcpServer(server), delegation);
}

const DELEGATED_FETCH_OPTIONS = { broker: 'object', delegation: 'function?', ...SERVER_OPTIONS } as const;

/** {@link createDelegatedFetch} for a server that is defined already. */
export function delegatedFetch(
  broker: Broker,
  server: McpServer,
  delegation: () => Delegation | undefined,
): DelegatedFetch {
  return async (input, given) => {
    const { url, init } = await asUrlAndInit(input, given);
    // Before a token is asked for: a request that is not sent needs none.
    server.assertPinned(url);
    const caller = delegation();
    if (!caller) {
      const message = `nobody is known on whose behalf to call ${server.name}: call it inside runAs(delegation, ...)`;
      throw new OnbehalfError('delegation_missing', message, { failure: 'misconfigured' });
    }
    const signal = init.signal ?? undefined;
    const send = (token: IssuedToken): Promise<Response> => server.fetch(url, authorized(init, token));
    const token = await broker.token(caller, server.target, { signal });
    const response = await send(token);
    if (response.status !== 401) return response;
    broker.reject(caller, server.target, token.accessToken);
    if (!isReplayable(init.body)) return response;
    const next = await broker.token(caller, server.target, { signal });
    await response.body?.cancel();
    return send(next);
  };
}

/** Whether a body is the same when it is sent again: a stream, or whatever else is iterated, is then empty. */
function isReplayable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === 'string') return true;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return true;
  return body instanceof Blob || body instanceof URLSearchParams || body instanceof FormData;
}

function authorized(init: RequestInit, token: IssuedToken): RequestInit {
  const authorization = { authorization: `Bearer ${token.accessToken}` };
  return { ...init, headers: layerHeaders(init.headers as HeaderFields | undefined, authorization) };
}

/** A Request's body can be read once; here it is read, so that it can be sent twice. */
async function asUrlAndInit(
  input: string | URL | Request,
  given: RequestInit = {},
): Promise<{ url: string; init: RequestInit }> {
  if (!(input instanceof Request)) return { url: String(input), init: given };
  const { method, headers, signal } = input;
  const body = input.body === null ? null : await input.arrayBuffer();
  const overrides = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { url: input.url, init: { method, headers, signal, body, ...overrides } };
}
