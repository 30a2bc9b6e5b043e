import type { BaseMemoryService, MemoryEntry } from '@google/adk';

/** What the agent keeps for its users: each user's own, in this process, until it is too old or there is no more room. */
export interface AgentMemory {
  /**
   * The memory as a config has it, which is what ADK's tools ask.
   *
   * @param ttlMs - how long a memory is kept
   */
  service(ttlMs: number): MemoryService;
  /** Forgets everything. */
  clear(): void;
  /** Memories that are kept, of all users. */
  readonly size: number;
}

/** What ADK's tools ask, and what memories are put into. */
export interface MemoryService extends BaseMemoryService {
  /** Keeps a text for a user. `too_long`: it was not kept. */
  save(userId: string, text: string): 'saved' | 'too_long';
}

/** Bounds of what is kept. Where there is no room, what was used longest ago goes. */
export interface MemoryLimits {
  /** Most memories of one user. Default: 100. */
  readonly maxPerUser?: number | undefined;
  /** Most bytes of one memory. Default: 2,048. */
  readonly maxEntryBytes?: number | undefined;
  /** Most users. Default: 10,000. */
  readonly maxUsers?: number | undefined;
  /** Most bytes of all memories together. Default: 64 MiB. */
  readonly maxBytes?: number | undefined;
  /** Most memories in one answer. Default: 10. */
  readonly maxAnswers?: number | undefined;
}

interface Kept {
  readonly text: string;
  readonly bytes: number;
  readonly at: number;
  /** Of two that were kept in one millisecond, the later has the higher. */
  readonly order: number;
}

/** In the order of last use. */
interface UserMemory {
  readonly entries: Set<Kept>;
  lastUsed: number;
}

/** What one entry takes beside its text, as far as it matters for the bound. */
const OVERHEAD_BYTES = 128;
/** No more of a query is looked at. */
const LONGEST_QUERY = 1_000;

/** Makes an empty memory. It has no timer: what is too old is dropped when anybody uses it next, and given to nobody before. */
export function createAgentMemory(limits: MemoryLimits = {}): AgentMemory {
  const { maxPerUser = 100, maxEntryBytes = 2_048, maxAnswers = 10 } = limits;
  const { maxUsers = 10_000, maxBytes = 64 * 2 ** 20 } = limits;
  /** In the order of last use. */
  const users = new Map<string, UserMemory>();
  let total = 0;
  let order = 0;

  const drop = (user: UserMemory, entry: Kept): void => {
    if (user.entries.delete(entry)) total -= entry.bytes;
  };
  const dropUser = (userId: string, user: UserMemory): void => {
    for (const entry of user.entries) drop(user, entry);
    users.delete(userId);
  };
  const dropOld = (ttlMs: number): void => {
    const longAgo = Date.now() - ttlMs;
    for (const [userId, user] of users) {
      // Whoever was here since comes after, and theirs is looked at when they are here again.
      if (user.lastUsed > longAgo) return;
      dropUser(userId, user);
    }
  };
  /** What a user has that is not too old; from now on the last that was used. */
  const enter = (userId: string, ttlMs: number): UserMemory | undefined => {
    dropOld(ttlMs);
    const user = users.get(userId);
    if (!user) return undefined;
    const longAgo = Date.now() - ttlMs;
    for (const entry of user.entries) if (entry.at <= longAgo) drop(user, entry);
    users.delete(userId);
    if (user.entries.size === 0) return undefined;
    users.set(userId, user);
    user.lastUsed = Date.now();
    return user;
  };
  /** Makes room by forgetting all of whoever was here longest ago, but for the user whose turn it is. */
  const makeRoomFor = (userId: string): void => {
    for (const [other, user] of users) {
      if (users.size <= maxUsers && total <= maxBytes) return;
      if (other !== userId) dropUser(other, user);
    }
  };

  const save = (userId: string, text: string, ttlMs: number): 'saved' | 'too_long' => {
    const length = Buffer.byteLength(text);
    if (length > maxEntryBytes) return 'too_long';
    const user = enter(userId, ttlMs) ?? { entries: new Set<Kept>(), lastUsed: Date.now() };
    users.set(userId, user);
    for (const entry of user.entries) if (entry.text === text) drop(user, entry);
    for (const entry of user.entries) {
      if (user.entries.size < maxPerUser) break;
      drop(user, entry);
    }
    order += 1;
    const bytes = length + OVERHEAD_BYTES;
    user.entries.add({ text, bytes, at: Date.now(), order });
    total += bytes;
    makeRoomFor(userId);
    return 'saved';
  };

  const search = (userId: string, query: string, ttlMs: number): readonly Kept[] => {
    const user = enter(userId, ttlMs);
    if (!user) return [];
    const asked = wordsOf(query.slice(0, LONGEST_QUERY));
    const found = [...user.entries]
      .filter(({ text }) => [...wordsOf(text)].some((word) => asked.has(word)))
      .sort((a, b) => b.order - a.order)
      .slice(0, maxAnswers);
    // The newest last, as if they had been kept just now.
    for (const entry of found.toReversed()) {
      user.entries.delete(entry);
      user.entries.add(entry);
    }
    return found;
  };

  return {
    service: (ttlMs) => ({
      save: (userId, text) => save(userId, text, ttlMs),
      searchMemory: async ({ userId, query }) => ({ memories: search(userId, query, ttlMs).map(entryOf) }),
      addSessionToMemory: () =>
        Promise.reject(new Error('conversations are not kept as a whole: only what save_memory is told')),
    }),
    clear() {
      users.clear();
      total = 0;
    },
    get size() {
      return [...users.values()].reduce((sum, { entries }) => sum + entries.size, 0);
    },
  };
}

const entryOf = ({ text, at }: Kept): MemoryEntry => ({
  content: { role: 'user', parts: [{ text }] },
  author: 'user',
  timestamp: new Date(at).toISOString(),
});

/** Words of any language, without regard to case. */
function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu));
}
