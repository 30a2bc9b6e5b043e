import type { Client } from '@modelcontextprotocol/client';
import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import { checkOptions } from '../core/options.ts';
import { httpStatus, outgoing } from './call-failure.ts';
import { type McpSession, openSession } from './client.ts';
import { userIdentity } from './identity.ts';
import type { McpServer } from './server.ts';
import { createSessionKeeper } from './session-keeper.ts';
import { LIMITS, type Place, placeOf, runsOf, type SessionLimits } from './session-place.ts';

/** Options of {@link createSessionPool}. */
export interface SessionPoolOptions extends SessionLimits {
  /** Who gives the tokens. */
  readonly broker: Broker;
}

/** MCP sessions kept open, one for each server, target and run group; so never shared between subjects. */
export interface SessionPool {
  /**
   * Calls a server on behalf of a subject in the session kept for that, opened at the first call. When the server
   * has forgotten the session (404 to its id, so it did nothing), another is opened and `use` called once more: so
   * `use` makes one request, or requests that may be repeated.
   *
   * What the server says over HTTP is repeated in no error, and a token that it repeats in a JSON-RPC message is
   * replaced by `[redacted]`, in results too, as far as it is spelt as it was sent.
   *
   * @throws OnbehalfError `server_rejected_token`, `insufficient_scope`, `server_unreachable` or `server_failed`,
   * `delegation_ended`, `capacity_exceeded`, `peer_missing`, `resource_metadata_invalid`, or what `Broker.token` throws; a
   * JSON-RPC error of the server, as the SDK gives it; the reason of `signal`; a TypeError when the pool is closed while
   * the session is opened; whatever else `use` throws
   */
  call<T>(
    server: McpServer,
    delegation: Delegation,
    use: (client: Client) => Promise<T>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<T>;
  /**
   * Throws as `call` does where a delegation cannot be used: it is not one of this pool's broker, its run has ended, its
   * subject token has expired. Nothing is sent.
   */
  assertUsable(server: McpServer, delegation: Delegation): void;
  /** Calls back when a server says that its tools have changed. */
  onToolsChanged(listener: (server: McpServer) => void): void;
  /** Resolves when the DELETE requests under way have been answered. */
  settled(): Promise<void>;
  /** Closes every session with DELETE. */
  close(): Promise<void>;
  /** Sessions open. */
  readonly size: number;
}

/** Makes a pool of MCP sessions. Nothing is opened before the first call. */
export function createSessionPool(options: SessionPoolOptions): SessionPool {
  checkOptions(options, 'createSessionPool()', { broker: 'object', ...LIMITS });
  const { broker, ...limits } = options;
  const keeper = createSessionKeeper(limits, runsOf(broker));
  const listeners = new Set<(server: McpServer) => void>();

  const at = (server: McpServer, delegation: Delegation): Place<McpSession> =>
    placeOf({
      scope: '',
      server,
      identity: userIdentity(broker, delegation),
      open: (opening) =>
        openSession(server, {
          ...opening,
          listen: false,
          onToolsChanged: () => {
            for (const listener of listeners) listener(server);
          },
        }),
    });

  const assertUsable = (server: McpServer, delegation: Delegation): void => {
    if (keeper.ended) throw new TypeError('this session pool was closed');
    userIdentity(broker, delegation).assertUsable(server);
  };

  return {
    async call(server, delegation, use, { signal } = {}) {
      assertUsable(server, delegation);
      try {
        if (!server.target) await server.resolveTarget(signal);
        const isForgotten = (error: unknown): boolean => httpStatus(error) === 404;
        return await keeper.use(at(server, delegation), ({ client }) => use(client), {
          ...{ isForgotten, signal },
        });
      } catch (error) {
        throw outgoing(server, error, signal);
      }
    },
    assertUsable,
    onToolsChanged: (listener) => void listeners.add(listener),
    settled: () => keeper.settled(),
    close: () => keeper.end(),
    get size() {
      return keeper.size;
    },
  };
}
