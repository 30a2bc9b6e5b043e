import type { SharedStore } from '../broker/shared-store.ts';
import { checkOptions } from '../core/options.ts';
import { assertClient, deleteIfEqual, type RedisClient } from './client.ts';
import { takeLease } from './lease.ts';
import { createSealer, type Opened, type Sealer } from './seal.ts';
import { checkKeys, type RedisStoreKey } from './store-key.ts';

/** Options of {@link createRedisStore}. */
export interface RedisStoreOptions {
  /**
   * A client of `ioredis` 5 or 6, or of `iovalkey`, for one server or a cluster; opened and closed by you. Let it fail soon
   * (`commandTimeout`, `maxRetriesPerRequest: 1`, `enableOfflineQueue: false`) and read from masters (the default).
   */
  readonly client: RedisClient;
  /** One key, or two while they are rotated. The first seals, all open. */
  readonly keys: readonly RedisStoreKey[];
  /** What every name in Redis begins with: printable ASCII, at most 100 characters. Default: `onbehalf:`. */
  readonly prefix?: string | undefined;
  /** Clock, in milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** A value and where it was found. */
interface Found extends Opened {
  readonly name: string;
  readonly sealed: string;
}

/**
 * A store in Redis or Valkey that replicas share. Who can read the server learns how many values there are, how long
 * they are and when they end, and nothing else: names are keyed digests (HMAC-SHA-256), values are encrypted
 * (AES-256-GCM) for their name and until their end. A value that cannot be opened counts as absent. Who can write to it
 * can remove values and put back an earlier one that has not ended, no more. Every key has a time to live. Every command
 * has one key, so a cluster will do.
 *
 * A time is whole milliseconds, rounded down; where that is less than one, nothing is stored and no lease taken.
 *
 * To rotate a key, give the replicas each of these lists in turn, and go on when all of them have it:
 * `[old, new]` (all can open the new), `[new, old]` (the new seals), and, when what the old sealed has run out, `[new]`.
 * Replicas one step apart share everything. A step left out costs exchanges, never a wrong token.
 *
 * @returns a store whose methods reject with what the client rejects with; the client never sees a value or a key
 * @throws TypeError when an option is not of its form; it holds no key
 */
export function createRedisStore(options: RedisStoreOptions): SharedStore {
  const { client, prefix = 'onbehalf:', now = Date.now } = checked(options);
  const sealers = checkKeys(options.keys).map((key) => createSealer(key, prefix));
  const [first] = sealers as [Sealer];

  const find = async (sealer: Sealer, key: string): Promise<Found | undefined> => {
    const name = sealer.name(key);
    const sealed = await client.get(name);
    const opened = sealed === null ? undefined : sealer.open(name, sealed, now());
    return sealed === null || opened === undefined ? undefined : { name, sealed, ...opened };
  };

  /** A name is of one key, so during a rotation a value has as many places as there are keys. */
  const findAll = async (key: string): Promise<readonly Found[]> => {
    const places = await Promise.all(sealers.map((sealer) => find(sealer, key)));
    return places.filter((found) => found !== undefined);
  };

  return Object.freeze<SharedStore>({
    async get(key) {
      // Of two that were sealed with different keys, the one that lasts longer was written later.
      const [best] = (await findAll(key)).toSorted((one, other) => other.until - one.until);
      return best?.value;
    },

    async set(key, value, ttlMs) {
      const ms = wholeMs(ttlMs);
      if (ms === undefined) return;
      const name = first.name(key);
      await client.set(name, first.seal(name, value, now() + ms), 'PX', ms);
    },

    async delete(key, matches) {
      const matching = (await findAll(key)).filter(({ value }) => matches(value));
      // What was written meanwhile is sealed otherwise, and stays.
      await Promise.all(matching.map(({ name, sealed }) => deleteIfEqual(client, name, sealed)));
    },

    async lease(key, ttlMs) {
      const ms = wholeMs(ttlMs);
      // Under the names of all keys, so that replicas one step of a rotation apart have one in common.
      const names = sealers.map((sealer) => `${sealer.name(key)}:lease`).sort();
      return ms === undefined ? undefined : takeLease(client, names, ms);
    },
  });
}

function checked(options: RedisStoreOptions): RedisStoreOptions {
  checkOptions(options, 'createRedisStore()', {
    client: 'object',
    keys: 'object',
    prefix: 'string?',
    now: 'function?',
  });
  assertClient(options.client);
  if (!/^[\x21-\x7e]{0,100}$/.test(options.prefix ?? '')) {
    throw new TypeError('"prefix" must be printable ASCII without spaces, at most 100 characters');
  }
  return options;
}

/** Whole milliseconds, as Redis wants them; `undefined` when that is no time at all. */
function wholeMs(ms: number): number | undefined {
  const whole = Math.floor(ms);
  return Number.isSafeInteger(whole) && whole >= 1 ? whole : undefined;
}
