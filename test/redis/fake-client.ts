import type { RedisClient } from '../../src/redis/index.ts';

/** A command as the server got it. */
export type Command = readonly [name: string, ...args: (string | number)[]];

export interface FakeRedis {
  readonly client: RedisClient;
  readonly commands: readonly Command[];
  /** What is stored: values, and when each ends. */
  readonly entries: ReadonlyMap<string, { readonly value: string; readonly until: number }>;
  /** Stores a value under a name, as somebody would who can write to the server. */
  plant(name: string, value: string): void;
}

/** As much of a Redis server as the store uses: a Map with times to live. The real one is in test/interop/redis. */
export function createFakeRedis(now: () => number = Date.now): FakeRedis {
  const entries = new Map<string, { value: string; until: number }>();
  const commands: Command[] = [];
  const alive = (name: string): string | null => {
    const entry = entries.get(name);
    if (entry && entry.until > now()) return entry.value;
    entries.delete(name);
    return null;
  };
  const client = {
    async get(name: string) {
      commands.push(['get', name]);
      return alive(name);
    },
    async set(name: string, value: string, unit: 'PX', ms: number, condition?: 'NX') {
      commands.push(['set', name, value, unit, ms, ...(condition ? [condition] : [])]);
      if (unit !== 'PX' || !Number.isSafeInteger(ms) || ms < 1) throw new Error('ERR invalid expire time');
      if (condition && alive(name) !== null) return null;
      entries.set(name, { value, until: now() + ms });
      return 'OK';
    },
    async eval(script: string, keyCount: number, name: string, argument: string) {
      commands.push(['eval', script, keyCount, name, argument]);
      if (keyCount !== 1 || !/^if redis\.call\('get', KEYS\[1\]\) == ARGV\[1\] then/.test(script)) {
        throw new Error('ERR another script than the one that this fake knows');
      }
      if (alive(name) !== argument) return 0;
      entries.delete(name);
      return 1;
    },
  };
  return {
    client,
    commands,
    entries,
    plant(name, value) {
      entries.set(name, { value, until: Number.POSITIVE_INFINITY });
    },
  };
}
