import { randomUUID } from 'node:crypto';
import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import type { ActorSource } from '../core/actor.ts';
import type { FetchLike } from '../core/http.ts';
import { agentFetch, agentTokens } from './agent-fetch.ts';
import { authorizedFetch } from './authorized-fetch.ts';
import { withToken } from './headers.ts';
import type { McpServer } from './server.ts';

/** Whom a request is from: a user, by the agent; the agent itself; nobody. No two of them ever share a session. */
export interface Identity {
  /** Equal only for the same identity: of a user, the digest of the run group. */
  readonly key: string;
  /** The run that it stands for; `undefined` for the agent and for nobody. */
  readonly delegation: Delegation | undefined;
  /** Makes requests to a server. `who` says for which run, where several share a session. */
  fetch(server: McpServer, who?: () => Delegation): FetchLike;
  /** Throws where no request can be made: the run has ended, its subject token has expired, it is not of this broker. */
  assertUsable(server: McpServer): void;
  /**
   * Prepares what will have to be said to a server at the end, when the run itself may be over: a function that, at that
   * moment, gives the way to say it, with the token that is kept then; `undefined` where none is.
   */
  farewell(server: McpServer): () => FetchLike | undefined;
}

/** Shows a server nothing. What the client itself would send as `Authorization` is left out: whose it is, nobody knows. */
export const ANONYMOUS: Identity = {
  key: 'anonymous',
  delegation: undefined,
  fetch: (server) => (url, init) =>
    server.fetch(url, { ...init, headers: withToken(init.headers, undefined) }),
  assertUsable() {},
  farewell: (server) => () => ANONYMOUS.fetch(server),
};

/**
 * Makes the identities of agents. Two sources are two identities, whatever tokens they give; one source is one, and is
 * asked for one token.
 */
export function createAgentIdentities(): (source: ActorSource) => Identity {
  const known = new WeakMap<ActorSource, Identity>();
  return (source) => {
    const identity = known.get(source) ?? agentIdentity(source);
    known.set(source, identity);
    return identity;
  };
}

function agentIdentity(source: ActorSource): Identity {
  const tokens = agentTokens(source);
  return {
    key: `agent ${randomUUID()}`,
    delegation: undefined,
    fetch: (server) => agentFetch(tokens, server),
    assertUsable() {},
    farewell: (server) => () => agentFetch(tokens, server),
  };
}

/** Key of the identity of a run group. */
export const userKey = (group: string): string => `user ${group}`;

/** That of a user, by a run. */
export function userIdentity(broker: Broker, delegation: Delegation): Identity {
  const reader = (server: McpServer) => broker.reader(delegation, server.target ?? server.url.href);
  return {
    key: userKey(delegation.group),
    delegation,
    fetch: (server, who = () => delegation) => authorizedFetch(broker, server, who),
    assertUsable(server) {
      if (broker.status(delegation) !== 'active') reader(server);
    },
    farewell(server) {
      const read = reader(server);
      return () => {
        const token = read();
        if (!token) return undefined;
        const { accessToken } = token;
        return (url, init) => server.fetch(url, { ...init, headers: withToken(init.headers, accessToken) });
      };
    },
  };
}
