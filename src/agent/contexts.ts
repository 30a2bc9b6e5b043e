import { firstToGo, shareOf } from './share.ts';

/** Bounds of what is remembered of conversations. */
export interface ContextLimits {
  /**
   * Most contexts. When there is no room, the least recently used goes, with its session and tasks: one of the same user where
   * that one has a tenth of them, else one of whoever has. Default: 1,000.
   */
  readonly maxContexts?: number | undefined;
  /** How long a context is remembered after its last message, in milliseconds. Default: one hour. */
  readonly contextTtlMs?: number | undefined;
  /** Most bytes of one context, as JSON; one that has more is closed. Default: 4 MiB. */
  readonly maxContextBytes?: number | undefined;
  /** Most bytes of all contexts together; beyond it the same go as where there is no room. Default: 128 MiB. */
  readonly maxBytes?: number | undefined;
}

/** Called when something of a context is no longer needed. */
export interface ContextHooks {
  /** The context was dropped: what else is known of it goes too. */
  readonly onForgotten: (id: string, owner: string) => void;
  /** Nobody will go on in it, and nobody is at work in it any more. */
  readonly onClosed?: ((id: string, owner: string) => void) | undefined;
}

/** Which context belongs to whom. */
export interface Contexts {
  /**
   * Enters a context, which is opened by its first message and belongs to whoever sent that.
   *
   * @returns how to leave it; `foreign` when it belongs to somebody else; `full` when no more can be remembered; `closed` when it
   * has become too long
   */
  enter(id: string, owner: string): (() => void) | 'foreign' | 'full' | 'closed';
  /** Notes that a context has so many bytes more. `false` when those are too many: the context is closed. */
  grow(id: string, bytes: number): boolean;
  readonly size: number;
}

interface Entry {
  readonly owner: string;
  /** Messages under way: a context in use is never forgotten. */
  inUse: number;
  lastUsed: number;
  bytes: number;
  closed: boolean;
}

const MIB = 2 ** 20;

export function createContexts(limits: ContextLimits, { onForgotten, onClosed }: ContextHooks): Contexts {
  const { maxContexts = 1_000, contextTtlMs = 3_600_000 } = limits;
  const { maxContextBytes = 4 * MIB, maxBytes = 128 * MIB } = limits;
  const share = shareOf(maxContexts);
  /** In the order of last use. */
  const entries = new Map<string, Entry>();
  let total = 0;

  const forget = (id: string, entry: Entry): void => {
    entries.delete(id);
    total -= entry.bytes;
    onForgotten(id, entry.owner);
  };

  const dropOld = (): void => {
    const longAgo = Date.now() - contextTtlMs;
    for (const [id, entry] of entries) {
      if (entry.lastUsed > longAgo) break;
      if (entry.inUse === 0) forget(id, entry);
    }
  };

  const makeRoom = (owner: string, isTight: () => boolean): void => {
    while (isTight()) {
      const id = firstToGo(entries, { owner, share }, ({ inUse }) => inUse === 0);
      if (id === undefined) return;
      forget(id, entries.get(id) as Entry);
    }
  };

  const touch = (id: string, entry: Entry): void => {
    entry.lastUsed = Date.now();
    entries.delete(id);
    entries.set(id, entry);
  };

  const leave = (id: string, entry: Entry): void => {
    entry.inUse -= 1;
    touch(id, entry);
    if (entry.closed && entry.inUse === 0) onClosed?.(id, entry.owner);
  };

  return {
    enter(id, owner) {
      const known = entries.get(id);
      if (known && known.owner !== owner) return 'foreign';
      if (known?.closed) return 'closed';
      if (!known) {
        dropOld();
        makeRoom(owner, () => entries.size >= maxContexts);
        if (entries.size >= maxContexts) return 'full';
      }
      const entry = known ?? { owner, inUse: 0, lastUsed: 0, bytes: 0, closed: false };
      entry.inUse += 1;
      touch(id, entry);
      let left = false;
      return () => {
        if (!left) leave(id, entry);
        left = true;
      };
    },
    grow(id, bytes) {
      const entry = entries.get(id);
      if (!entry || entry.closed) return false;
      entry.closed = entry.bytes + bytes > maxContextBytes;
      if (entry.closed) return false;
      entry.bytes += bytes;
      total += bytes;
      makeRoom(entry.owner, () => total > maxBytes);
      return true;
    },
    get size() {
      return entries.size;
    },
  };
}
