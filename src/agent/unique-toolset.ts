import { type BaseTool, BaseToolset, getLogger, type ReadonlyContext } from '@google/adk';
import { redact } from '../core/redact.ts';

/** The toolset of one server, by the server's name. */
export interface NamedToolset {
  readonly name: string;
  readonly toolset: BaseToolset;
}

/**
 * The tools of several servers, each name once: ADK ends the run where it meets one twice. The server that comes first in the
 * config has it, also while its tools cannot be listed, so that no server gets calls that are meant for another.
 */
export class UniqueToolset extends BaseToolset {
  readonly #toolsets: readonly NamedToolset[];
  /** By server, what it listed last. */
  readonly #known = new Map<NamedToolset, ReadonlySet<string>>();
  /** Pairs of servers that were warned of; not names, of which a server has as many as it likes. */
  readonly #warned = new Set<string>();

  constructor(toolsets: readonly NamedToolset[]) {
    super([]);
    this.#toolsets = toolsets;
  }

  override async getTools(context?: ReadonlyContext): Promise<BaseTool[]> {
    const owners = new Map<string, string>();
    const all: BaseTool[] = [];
    for (const one of this.#toolsets) {
      const listed = await one.toolset.getTools(context);
      const tools = listed.filter(({ name }) => this.#isFree(name, one, owners));
      all.push(...tools);
      if (listed.length > 0) this.#known.set(one, new Set(tools.map(({ name }) => name)));
      for (const name of this.#known.get(one) ?? []) owners.set(name, one.name);
    }
    return all;
  }

  #isFree(name: string, { name: server }: NamedToolset, owners: Map<string, string>): boolean {
    // ADK looks names up in a plain object, where these are taken.
    const owner = name in {} ? 'ADK' : owners.get(name);
    if (owner === undefined) {
      owners.set(name, server);
      return true;
    }
    const pair = JSON.stringify([server, owner]);
    if (!this.#warned.has(pair)) {
      const what = `a tool of ${server}, ${JSON.stringify(redact(name))}, is left out`;
      getLogger().warn(`onbehalf: ${what}: ${owner} has one of this name (told once for these two)`);
    }
    this.#warned.add(pair);
    return false;
  }

  /** ADK calls it at the end of every run. */
  override async close(): Promise<void> {
    await Promise.allSettled(this.#toolsets.map(({ toolset }) => toolset.close()));
  }
}
