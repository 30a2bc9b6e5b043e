/**
 * What the store needs of a Redis or Valkey client. The classes `Redis` and `Cluster` of `ioredis` 5 and 6 and of
 * `iovalkey` are such; this package loads neither. An ACL user needs GET, SET, DEL and EVAL on the prefix, no more.
 */
export interface RedisClient {
  /** `GET`: the value, or `null` where there is none. */
  get(key: string): Promise<string | null>;
  /** `SET key value PX ms`: with a time to live, in milliseconds. */
  set(key: string, value: string, unit: 'PX', ms: number): Promise<unknown>;
  /** `SET key value PX ms NX`: only where there is no value. Gives `OK`, or `null` where there was one. */
  set(key: string, value: string, unit: 'PX', ms: number, condition: 'NX'): Promise<unknown>;
  /** `EVAL`: runs a script on one key, with one argument. */
  eval(script: string, keyCount: number, key: string, argument: string): Promise<unknown>;
}

/** @throws TypeError when it is another kind of client */
export function assertClient(client: RedisClient): void {
  for (const name of ['get', 'set', 'eval'] as const) {
    if (typeof client[name] !== 'function') {
      throw new TypeError(`"client" must be a client of ioredis or iovalkey; it has no ${name}()`);
    }
  }
  // The package `redis` takes a time to live in another way, and would drop ours without a word.
  if ('SET' in client) throw new TypeError('"client" must be a client of ioredis or iovalkey, not of redis');
}

/** One script on one key, so that nothing comes between and a cluster can run it wherever the key is. */
const DELETE_IF_EQUAL = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;

/** Deletes a key if this is its value. */
export async function deleteIfEqual(client: RedisClient, name: string, value: string): Promise<void> {
  await client.eval(DELETE_IF_EQUAL, 1, name, value);
}
