import { type BaseTool, getLogger, MCPToolset, type ReadonlyContext } from '@google/adk';
import type { FetchLike } from '../core/http.ts';

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
  }

  override async getTools(context?: ReadonlyContext): Promise<BaseTool[]> {
    try {
      return await super.getTools(context);
    } catch (error) {
      if (!this.#warned) {
        const why = error instanceof Error ? error.message : 'the listing failed';
        getLogger().warn(`onbehalf: the tools of ${this.#name} cannot be listed: ${why}`);
      }
      this.#warned = true;
      return [];
    }
  }

  /** ADK calls it at the end of every run. */
  override async close(): Promise<void> {}
}
