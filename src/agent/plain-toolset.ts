import {
  type BaseTool,
  getLogger,
  type MCPSessionManager,
  MCPToolset,
  type ReadonlyContext,
} from '@google/adk';
import type { FetchLike } from '../core/http.ts';
import { redact } from '../core/redact.ts';

/** Options of {@link PlainToolset}. */
export interface PlainToolsetOptions {
  readonly name: string;
  readonly url: string;
  /** Names of tools that the agent has; none: all. */
  readonly toolFilter: readonly string[];
  readonly fetch: FetchLike;
}

/**
 * ADK's own toolset, for a server that gets no token of anybody. A server that is down costs the run its tools and not
 * its life, and a run that ends leaves the sessions of other runs alone, as ADK's own does not.
 */
export class PlainToolset extends MCPToolset {
  readonly #name: string;
  #warned = false;

  constructor({ name, url, toolFilter, fetch }: PlainToolsetOptions) {
    const pinned = new URL(url);
    super(
      {
        type: 'StreamableHTTPConnectionParams',
        url,
        transportOptions: {
          // A redirect would take static header fields elsewhere.
          fetch: async (to, init) => {
            if (new URL(to).origin !== pinned.origin) throw new Error(`a request left ${pinned.origin}`);
            return fetch(String(to), { ...init, redirect: 'error' });
          },
        },
      },
      [...toolFilter],
    );
    this.#name = name;
    endSessions(this);
  }

  override async getTools(context?: ReadonlyContext): Promise<BaseTool[]> {
    try {
      return await super.getTools(context);
    } catch (error) {
      if (!this.#warned) {
        // It holds the whole answer of the server.
        const why = error instanceof Error ? redact(error.message) : 'the listing failed';
        getLogger().warn(`onbehalf: the tools of ${this.#name} cannot be listed: ${why}`);
      }
      this.#warned = true;
      return [];
    }
  }

  /** ADK calls it at the end of every run. */
  override async close(): Promise<void> {}
}

/** How long a DELETE may take: nobody waits for a server that does not answer. */
const DELETE_TIMEOUT_MS = 2_000;

/** ADK opens a session for each call and only leaves it: here it is ended at the server too, for which nobody waits. */
function endSessions(toolset: MCPToolset): void {
  const { mcpSessionManager: manager } = toolset as unknown as { mcpSessionManager: MCPSessionManager };
  const leave = manager.closeSession.bind(manager);
  manager.closeSession = async (client) => {
    const transport = client.transport as { terminateSession?: () => Promise<void> } | undefined;
    const late = new Promise<void>((resolve) => setTimeout(resolve, DELETE_TIMEOUT_MS).unref());
    void Promise.race([transport?.terminateSession?.().catch(() => {}), late])
      .then(() => leave(client))
      .catch(() => {});
  };
}
