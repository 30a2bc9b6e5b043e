import type { Delegation } from '../broker/delegation.ts';
import { onlook } from '../broker/onlook.ts';
import type { Broker } from '../broker/types.ts';
import { currentDelegation } from '../context/carrier.ts';
import type { ActorSource } from '../core/actor.ts';
import { isOnbehalfError, type OnbehalfError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { describeFetchFailure, describeStatus } from './call-failure.ts';
import { createClientSessions } from './client-sessions.ts';
import type { DiscoveryPolicy } from './discovery.ts';
import { toolResult, unbroken } from './failed-call.ts';
import { createRouter, isUnsent } from './message-router.ts';
import { readRequest } from './request.ts';
import { isDiscovery, type RpcMessage, readMessage } from './rpc-message.ts';
import { defineMcpServer, type McpServerOptions, SERVER_OPTIONS } from './server.ts';
import { createSessionKeeper } from './session-keeper.ts';
import { LIMITS, runsOf, type SessionLimits } from './session-place.ts';

/** Options of {@link createDelegatedFetch}. */
export interface DelegatedFetchOptions extends McpServerOptions, SessionLimits {
  /** Who gives the tokens. */
  readonly broker: Broker;
  /**
   * Whom a request is for, asked at each request; `context` is what the client gives as third argument (Mastra's request
   * context). Default: the delegation that the calling code runs under (`runAs`). Name it where requests are made from a
   * queue; see {@link createDelegatedFetch}.
   */
  readonly delegation?: ((context?: unknown) => Delegation | undefined) | undefined;
  /** Under whose identity the client connects and lists what the server has. Default: `auto`. */
  readonly discovery?: DiscoveryPolicy | undefined;
  /**
   * The agent's own token for this server, for `agent` and `auto`. Not the broker's `actor`: whoever sees that token can act as the
   * agent at the STS.
   */
  readonly agentCredential?: ActorSource | undefined;
  /**
   * What becomes of a tool call that cannot be made: `throw` an error; or a `tool_result` with `isError` for the model to
   * read, which says `{ error: { code, failure, server, message, retryable } }`. Default: `throw`.
   */
  readonly failures?: 'throw' | 'tool_result' | undefined;
  /** Hears of each tool call that could not be made, whatever becomes of it. What it throws is dropped. */
  readonly onFailure?: ((error: OnbehalfError) => void) | undefined;
}

/** A `fetch` for the transport of any MCP client. */
export interface DelegatedFetch {
  /** Makes a request; `context` is given to the option `delegation`. */
  (input: string | URL | Request, init?: RequestInit, context?: unknown): Promise<Response>;
  /** Ends all sessions at the server with DELETE. Clients that use it have to connect anew, by another `fetch`. */
  close(): Promise<void>;
  /** Resolves when the DELETE requests under way have been answered. */
  settled(): Promise<void>;
  /** Sessions open at the server. */
  readonly sessions: number;
}

const DELEGATED_FETCH_OPTIONS = {
  broker: 'object',
  delegation: 'function?',
  discovery: ['auto', 'anonymous', 'agent', 'delegated'],
  agentCredential: 'function?',
  failures: ['throw', 'tool_result'],
  onFailure: 'function?',
  ...LIMITS,
  ...SERVER_OPTIONS,
} as const;

/**
 * Makes a `fetch` that gives each request the token of its delegation for this server, got at the first request that
 * needs it. One client object may serve all users: at the server, each of them has an MCP session of their own, opened
 * by repeating the client's own handshake.
 *
 * - A request that finds out what the server has (`initialize`, `tools/list`, the stream that the client listens to, ...)
 *   goes under the identity that `discovery` says, so a client may connect before any user is known, and no token is
 *   exchanged for it. Every other one needs a delegation, and goes with that user's token in that user's session.
 * - It calls the configured origin and path, or below it, and follows no redirect. `Authorization` from elsewhere is
 *   overridden, in any case.
 * - On 401 that very token is dropped, another is exchanged, and the request is sent once more; on 403
 *   `insufficient_scope` likewise, with the scopes that `stepUpScopes` allows. A session that the server has forgotten
 *   (404) is opened anew, and the request, which was not carried out, is sent once more.
 * - A user's sessions are closed with DELETE when their run ends, when they are idle, when the client ends its own.
 *
 * Without `delegation` a request is for the user under whose `runAs` the code runs that makes it. **A job queue, a pool
 * or a batcher may start one user's job from where another's has just ended, and the request is then made as that
 * other.** Either bind each job when it is queued (`AsyncResource.bind(job)` of `node:async_hooks`), or make a `fetch`
 * for each run that names its `delegation`.
 *
 * An answer is the server's own, unread, and so is what the transport makes of it: a token that the server repeats there is
 * repeated. In error answers (status 400 and above) it is replaced by `[redacted]`.
 *
 * @returns a function that throws OnbehalfError `delegation_missing`, `url_not_pinned`, `resource_metadata_invalid`,
 * `capacity_exceeded`, or what `Broker.token` throws: then nothing was sent; `server_rejected_token` or
 * `insufficient_scope`: then nothing was done; `server_unreachable` or `server_failed`; the reason of `init.signal`
 */
export function createDelegatedFetch(options: DelegatedFetchOptions): DelegatedFetch {
  checkOptions(Object(options), 'createDelegatedFetch()', DELEGATED_FETCH_OPTIONS);
  const { broker, delegation = currentDelegation, failures, onFailure, ...others } = options;
  const { discovery, agentCredential, ...rest } = others;
  if (discovery === 'agent' && !agentCredential) {
    throw new TypeError('"discovery: agent" needs an "agentCredential"');
  }
  const { idleMs, maxSessionMs, maxSessions, maxWaitMs, ...described } = rest;
  const server = defineMcpServer(described);
  const limits = { idleMs, maxSessionMs, maxSessions, maxWaitMs };
  const keeper = createSessionKeeper(limits, runsOf(broker));
  const clients = createClientSessions(server, keeper);
  const route = createRouter({ broker, server, keeper, clients, discovery, agentCredential });

  const told = (error: unknown, message: RpcMessage, signal: AbortSignal | undefined): unknown => {
    if (signal?.aborted || isOnbehalfError(error) || isMisuse(error)) return error;
    return describeFetchFailure(server, error, isDiscovery(message.method) ? 'opening' : 'call');
  };

  const hear = (error: OnbehalfError): void => onlook(onFailure, error);

  const send = async (
    input: string | URL | Request,
    given?: RequestInit,
    context?: unknown,
  ): Promise<Response> => {
    const { url, init } = input instanceof Request ? await readRequest(input, given) : plain(input, given);
    const message = readMessage(init.body);
    const signal = init.signal ?? undefined;
    // What it throws is the caller's own.
    const caller = delegation(context);
    try {
      server.assertPinned(url);
      const response = await route({ url, init, message, caller });
      clients.unname(response);
      if (failures !== 'tool_result' || !isToolCall(message)) return response;
      if (response.ok) {
        return unbroken(response, { server, message, signal, onLost: hear });
      }
      // The client has to connect anew.
      if (isUnsent(response)) return response;
      void response.body?.cancel().catch(() => {});
      throw describeStatus(server, response.status);
    } catch (error) {
      const known = told(error, message, signal);
      if (!isToolCall(message) || !isOnbehalfError(known)) throw known;
      hear(known);
      if (failures !== 'tool_result') throw known;
      return toolResult(server, message, known);
    }
  };

  return Object.defineProperties(send, {
    close: {
      value: async () => {
        clients.clear();
        await keeper.end();
      },
    },
    settled: { value: () => keeper.settled() },
    sessions: { get: () => keeper.size },
  }) as DelegatedFetch;
}

const plain = (input: string | URL, init: RequestInit = {}): { url: string; init: RequestInit } => ({
  url: String(input),
  init,
});

const isToolCall = ({ method, id }: RpcMessage): boolean => method === 'tools/call' && id !== undefined;

/** What `fetch` throws for a request that failed is a TypeError too, but with a cause. */
const isMisuse = (error: unknown): boolean => error instanceof TypeError && error.cause === undefined;
