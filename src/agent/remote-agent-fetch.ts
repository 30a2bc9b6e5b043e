import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import type { FetchLike } from '../core/http.ts';
import { authorizedFetch } from '../mcp/authorized-fetch.ts';
import { readChallenge } from '../mcp/challenge.ts';
import { withToken } from '../mcp/headers.ts';
import { rejected } from '../mcp/rejection.ts';
import type { McpServer } from '../mcp/server.ts';

/** How the requests of one call are sent. */
export interface CallFetch {
  readonly send: FetchLike;
  /**
   * Sends with what is there, without an exchange. The token is read before it returns, since the run may have ended a
   * moment later.
   */
  readonly sendLast: FetchLike;
}

/** For an agent without a target: with no token of anybody. */
export function plainCall(server: McpServer): CallFetch {
  const send: FetchLike = async (url, init) => {
    const response = await server.fetch(url, init);
    if (response.status !== 401 && response.status !== 403) return response;
    const challenge = readChallenge(response);
    void response.body?.cancel().catch(() => {});
    throw rejected(server, response.status, { challenge, token: undefined });
  };
  return { send, sendLast: send };
}

/** For an agent with a target: with the user's token for it, which is got at the first request. */
export function delegatedCall(broker: Broker, server: McpServer, delegation: Delegation): CallFetch {
  return {
    send: authorizedFetch(broker, server, () => delegation),
    sendLast: async (url, init) => {
      const token = server.target && broker.peek(delegation, server.target);
      // Without a token the other agent would not know whose task it is.
      if (!token) throw new Error('no token is kept');
      return server.fetch(url, { ...init, headers: withToken(init.headers, token.accessToken) });
    },
  };
}
