import { type BaseTool, BaseToolset, getLogger, type ReadonlyContext } from '@google/adk';
import { redact } from '../core/redact.ts';
import { isOfAdk } from './adk-names.ts';

/** The toolset of one server, by the server's name. */
export interface NamedToolset {
  readonly name: string;
  /** None: the server is left out, and its names are nobody else's all the same. */
  readonly toolset?: BaseToolset | undefined;
  /** Names of tools that the config itself gives to this server, whether it lists them or not. Default: none. */
  readonly reserved?: readonly string[] | undefined;
}

/** Of as many tools of a server the model is told; the controller publishes as many. */
export const MOST_TOOLS = 1_000;

/** Names that are one server's: one that lists others each time has none but these. */
const MOST_NAMES = 20 * MOST_TOOLS;

/**
 * The tools of several servers, each name once: ADK ends the run where it meets one twice. A name that the config gives to a server
 * is that server's. Any other is whose tool had it first, for all runs and users; of two who begin at once, the one that comes first in the
 * config. So no server gets calls that are meant for another.
 */
export class UniqueToolset extends BaseToolset {
  readonly #toolsets: readonly NamedToolset[];
  readonly #reserved: ReadonlyMap<string, NamedToolset>;
  /** Whose each name is that was listed, those of the config apart. Also when it is not listed any more: for another user it may be. */
  readonly #owners = new Map<string, NamedToolset>();
  /** The same by server, the names that were listed longest ago first. */
  readonly #named = new Map<NamedToolset, Set<string>>();
  /** Servers, and pairs of them, that were warned of; not names, of which a server has as many as it likes. */
  readonly #warned = new Set<string>();

  constructor(toolsets: readonly NamedToolset[]) {
    super([]);
    this.#toolsets = toolsets;
    // The first of the config wins, as the last of the entries.
    const reserved = toolsets.flatMap((one) => (one.reserved ?? []).map((name) => [name, one] as const));
    this.#reserved = new Map(reserved.reverse());
  }

  override async getTools(context?: ReadonlyContext): Promise<BaseTool[]> {
    const listed: (readonly [NamedToolset, readonly BaseTool[]])[] = [];
    for (const one of this.#toolsets) listed.push([one, await this.#listOf(one, context)]);
    // From here on nothing is awaited: of two runs at once, one after the other says whose the names are.
    return listed.flatMap(([one, all]) => all.filter(({ name }) => this.#isFree(name, one)));
  }

  async #listOf(one: NamedToolset, context: ReadonlyContext | undefined): Promise<readonly BaseTool[]> {
    const listed = onceEach((await one.toolset?.getTools(context)) ?? []);
    this.#compare(one, listed);
    // One of these has the tools of many servers.
    if (one.toolset instanceof UniqueToolset || listed.length <= MOST_TOOLS) return listed;
    this.#warn(one.name, manyTools(one.name, listed.length - MOST_TOOLS));
    return listed.slice(0, MOST_TOOLS);
  }

  /** A name that is misspelt in the config guards nothing, and lets nothing through. */
  #compare({ name: server, toolset, reserved = [] }: NamedToolset, listed: readonly BaseTool[]): void {
    const names = new Set(listed.map(({ name }) => name));
    const missing = reserved.filter((name) => !names.has(name));
    if (!toolset || missing.length === 0) return;
    const which = [...new Set(missing)].map((name) => JSON.stringify(redact(name))).join(', ');
    const isEmpty = listed.length === 0;
    const what = isEmpty
      ? 'no tool could be listed that the config names'
      : 'the config names tools that are not listed';
    this.#warn(JSON.stringify([server, isEmpty]), `${server}: ${what} (${which}): are they spelt right?`);
  }

  #isFree(name: string, one: NamedToolset): boolean {
    const owner = isOfAdk(name) ? undefined : (this.#reserved.get(name) ?? this.#owners.get(name) ?? one);
    if (owner === one) {
      this.#own(name, one);
      return true;
    }
    const whose = owner?.name ?? 'ADK';
    const what = `a tool of ${one.name}, ${JSON.stringify(redact(name))}, is left out`;
    this.#warn(
      JSON.stringify([one.name, whose]),
      `${what}: ${whose} has one of this name (told once for these two)`,
    );
    return false;
  }

  #own(name: string, one: NamedToolset): void {
    const names = this.#named.get(one) ?? new Set();
    this.#named.set(one, names);
    names.delete(name);
    names.add(name);
    this.#owners.set(name, one);
    const [oldest] = names;
    if (names.size <= MOST_NAMES || oldest === undefined) return;
    names.delete(oldest);
    this.#owners.delete(oldest);
  }

  #warn(once: string, warning: string): void {
    if (!this.#warned.has(once)) getLogger().warn(`onbehalf: ${warning}`);
    this.#warned.add(once);
  }

  /** ADK calls it at the end of every run. */
  override async close(): Promise<void> {
    await Promise.allSettled(this.#toolsets.map(({ toolset }) => toolset?.close()));
  }
}

/** The first of each name. */
function onceEach(tools: readonly BaseTool[]): readonly BaseTool[] {
  const byName = new Map<string, BaseTool>();
  for (const tool of tools) if (!byName.has(tool.name)) byName.set(tool.name, tool);
  return [...byName.values()];
}

function manyTools(server: string, leftOut: number): string {
  return `${leftOut} tools of ${server} are left out: it has more than ${MOST_TOOLS.toLocaleString('en')}`;
}
