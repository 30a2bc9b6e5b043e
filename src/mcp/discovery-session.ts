import type { Tool } from '@modelcontextprotocol/client';
import { httpStatus, outgoing } from './call-failure.ts';
import { listTools, type McpSession, openSession } from './client.ts';
import type { Identity } from './identity.ts';
import type { McpServer } from './server.ts';
import { createSessionKeeper } from './session-keeper.ts';
import { NO_RUNS, type Place, placeOf } from './session-place.ts';

/**
 * Sessions for listing tools and hearing that they changed, under no identity or the agent's own. They are apart from the
 * pool, so no user's call meets one.
 */
export interface DiscoverySessions {
  list(server: McpServer, identity: Identity, signal: AbortSignal): Promise<readonly Tool[]>;
  close(): Promise<void>;
}

/** Options of {@link createDiscoverySessions}. */
export interface DiscoverySessionsOptions {
  readonly onToolsChanged: (server: McpServer) => void;
  /** How long a session listens after the last listing, in milliseconds. */
  readonly idleMs: number;
  /** Most sessions. */
  readonly maxSessions: number;
}

export function createDiscoverySessions(options: DiscoverySessionsOptions): DiscoverySessions {
  const { idleMs, maxSessions } = options;
  const keeper = createSessionKeeper({ idleMs, maxSessions }, NO_RUNS);

  const at = (server: McpServer, identity: Identity): Place<McpSession> =>
    placeOf({
      scope: '',
      server,
      identity,
      open: (opening) =>
        openSession(server, {
          ...opening,
          listen: true,
          onToolsChanged: () => options.onToolsChanged(server),
        }),
    });

  return {
    async list(server, identity, signal) {
      const isForgotten = (error: unknown): boolean => httpStatus(error) === 404;
      try {
        return await keeper.use(at(server, identity), ({ client }) => listTools(client, signal), {
          ...{ isForgotten, signal },
        });
      } catch (error) {
        throw outgoing(server, error, signal);
      }
    },
    close: () => keeper.end(),
  };
}
