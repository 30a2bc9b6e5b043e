/** Bounds of what is remembered of conversations. */
export interface ContextLimits {
  /** Most contexts; the least recently used goes first, with its session and tasks. Default: 1,000. */
  readonly maxContexts?: number | undefined;
  /** How long a context is remembered after its last message, in milliseconds. Default: one hour. */
  readonly contextTtlMs?: number | undefined;
}

/** Which context belongs to whom. */
export interface Contexts {
  /**
   * Enters a context, which is opened by its first message and belongs to whoever sent that.
   *
   * @returns how to leave it; `foreign` when it belongs to somebody else; `full` when no more can be remembered
   */
  enter(id: string, owner: string): (() => void) | 'foreign' | 'full';
  readonly size: number;
}

interface Entry {
  readonly owner: string;
  /** Messages under way: a context in use is never forgotten. */
  inUse: number;
  lastUsed: number;
}

/** @param onForgotten - called when a context is dropped, so that what else is known of it goes too */
export function createContexts(
  { maxContexts = 1_000, contextTtlMs = 3_600_000 }: ContextLimits,
  onForgotten: (id: string, owner: string) => void,
): Contexts {
  /** In the order of last use. */
  const entries = new Map<string, Entry>();

  const forget = (id: string, { owner }: Entry): void => {
    entries.delete(id);
    onForgotten(id, owner);
  };

  const sweep = (): void => {
    const longAgo = Date.now() - contextTtlMs;
    for (const [id, entry] of entries) {
      if (entry.lastUsed > longAgo && entries.size < maxContexts) break;
      if (entry.inUse === 0) forget(id, entry);
    }
  };

  const touch = (id: string, entry: Entry): void => {
    entry.lastUsed = Date.now();
    entries.delete(id);
    entries.set(id, entry);
  };

  return {
    enter(id, owner) {
      const known = entries.get(id);
      if (known && known.owner !== owner) return 'foreign';
      if (!known) sweep();
      if (!known && entries.size >= maxContexts) return 'full';
      const entry = known ?? { owner, inUse: 0, lastUsed: 0 };
      entry.inUse += 1;
      touch(id, entry);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        entry.inUse -= 1;
        touch(id, entry);
      };
    },
    get size() {
      return entries.size;
    },
  };
}
