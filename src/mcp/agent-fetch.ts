import { type Actor, type ActorCache, createActorCache } from '../broker/actor-cache.ts';
import { createKeyring } from '../broker/key.ts';
import type { ActorSource } from '../core/actor.ts';
import type { FetchLike } from '../core/http.ts';
import { checkOptions } from '../core/options.ts';
import { secureUrl } from '../core/secure-url.ts';
import { readChallenge } from './challenge.ts';
import { withToken } from './headers.ts';
import { redactedResponse } from './redacted-response.ts';
import { rejected } from './rejection.ts';
import { isReplayable, type PlainFetch, readRequest } from './request.ts';
import { defineMcpServer, type McpServer, type McpServerOptions, SERVER_OPTIONS } from './server.ts';

/** Options of {@link createAgentFetch}. */
export interface AgentFetchOptions extends Omit<McpServerOptions, 'target' | 'stepUpScopes'> {
  /** The agent's own token for this server: `clientCredentialsActor(tokenService, { resource })`, say. */
  readonly agentCredential: ActorSource;
}

/**
 * Makes a `fetch` for the transport of any MCP client whose requests are the agent's own, on behalf of nobody: for a job
 * at night, say. It is another function than `createDelegatedFetch`, so that no user's call can become the agent's.
 *
 * It calls the configured origin and path, or below it, and follows no redirect. The token is kept until shortly before
 * it ends; on 401 it is asked for once more, if it is older than ten seconds, and the request is made once more.
 *
 * @returns a function that throws OnbehalfError `url_not_pinned`, `actor_unavailable`, `actor_expired`,
 * `server_rejected_token`, `insufficient_scope` or `server_failed` (for a redirect)
 */
export function createAgentFetch(options: AgentFetchOptions): PlainFetch {
  const { target: _, stepUpScopes: __, ...forms } = SERVER_OPTIONS;
  checkOptions(options, 'createAgentFetch()', { agentCredential: 'function', ...forms });
  const { agentCredential, ...server } = options;
  // The credential is made for the server already, so nothing is ever asked for by this target.
  const target = secureUrl(server.url, '"url" of an MCP server', server.dangerouslyAllowInsecureHttp).href;
  const defined = defineMcpServer({ ...server, target });
  const send = agentFetch(agentTokens(agentCredential), defined);
  return async (input, given) => {
    const { url, init } = await readRequest(input, given);
    const response = await send(url, init);
    if (response.status !== 401 && response.status !== 403) return response;
    void response.body?.cancel().catch(() => {});
    throw rejected(defined, response.status, { challenge: readChallenge(response), token: 'unknown' });
  };
}

/** Keeps the agent's token until shortly before it ends. */
export function agentTokens(source: ActorSource): ActorCache {
  return createActorCache(source, createKeyring(), { now: Date.now, deadlineMs: 30_000 });
}

/** Makes a `fetch` for one server under the agent's own token. A 401 or 403 that stays is handed back. */
export function agentFetch(tokens: ActorCache, server: McpServer): FetchLike {
  return async (url, init) => {
    server.assertPinned(url);
    const send = async (actor: Actor): Promise<Response> => {
      const headers = withToken(init.headers, actor.token.token);
      const response = await server.fetch(url, { ...init, headers });
      return response.status < 400 ? response : redactedResponse(response, actor.token.token);
    };
    const signal = init.signal ?? undefined;
    const actor = await tokens.current(signal);
    const response = await send(actor);
    if (response.status !== 401 || !isReplayable(init.body)) return response;
    // Not more often than every ten seconds; or another request has done so already.
    tokens.reject(actor);
    const next = await tokens.current(signal);
    return next === actor ? response : send(next);
  };
}
