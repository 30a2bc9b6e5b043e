import { randomBytes } from 'node:crypto';
import type { Redis, Cluster as RedisCluster } from 'ioredis';
import type { Valkey, Cluster as ValkeyCluster } from 'iovalkey';
import { expect, expectTypeOf, test } from 'vitest';
import { createRedisStore, type RedisClient, type RedisStoreOptions } from '../../src/redis/index.ts';
import { describeSharedStore } from '../contract/shared-store.ts';
import { createClock } from '../support/clock.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { createFakeRedis } from './fake-client.ts';
import { nameOf } from './oracle.ts';

const key = randomBytes(32);
const keys = [{ id: 'k1', key }];
const NAME = /^onbehalf:[\w-]{43}$/;

describeSharedStore('a store in Redis', async () => {
  const clock = createClock();
  const { client } = createFakeRedis(clock.now);
  const open = () => createRedisStore({ client, keys, now: clock.now });
  return { one: open(), two: open(), pass: async (ms) => clock.advance(ms) };
});

test('the clients of ioredis and iovalkey, for one server and for clusters, are clients of the store', () => {
  expectTypeOf<Redis>().toExtend<RedisClient>();
  expectTypeOf<RedisCluster>().toExtend<RedisClient>();
  expectTypeOf<Valkey>().toExtend<RedisClient>();
  expectTypeOf<ValkeyCluster>().toExtend<RedisClient>();
});

test('the server sees digests for names, sealed values, and no command with two keys', async () => {
  const { client, commands } = createFakeRedis();
  const store = createRedisStore({ client, keys });
  await store.set('the key', 'the value', 60_000);
  await store.get('the key');
  await store.delete('the key', () => true);
  const lease = await store.lease('the key', 5000);
  await lease?.release();
  expect(commands).toEqual([
    ['set', expect.stringMatching(NAME), expect.stringMatching(/^v1\.k1\.[\w-]+$/), 'PX', 60_000],
    ['get', commands[0]?.[1]],
    ['get', commands[0]?.[1]],
    ['eval', expect.any(String), 1, commands[0]?.[1], commands[0]?.[2]],
    ['set', `${commands[0]?.[1]}:lease`, expect.any(String), 'PX', 5000, 'NX'],
    ['eval', expect.any(String), 1, `${commands[0]?.[1]}:lease`, commands[4]?.[2]],
  ]);
  expect(commands[0]?.[1]).toBe(await nameOf(key, 'onbehalf:', 'the key'));
  expect(JSON.stringify(commands)).not.toMatch(/the (key|value)/);
});

test('times are whole milliseconds, rounded down; without one, nothing is sent', async () => {
  const { client, commands } = createFakeRedis();
  const store = createRedisStore({ client, keys });
  await store.set('key', 'value', 1.9);
  await store.lease('key', 1.9);
  expect(commands.map((command) => command[4])).toEqual([1, 1]);
  for (const none of [0.9, 0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
    await store.set('key', 'value', none);
    expect(await store.lease('key', none)).toBeUndefined();
  }
  expect(commands).toHaveLength(2);
});

test('a value is over when its time is, even if the server still has it', async () => {
  const clock = createClock();
  const { client, entries, plant } = createFakeRedis(clock.now);
  const store = createRedisStore({ client, keys, now: clock.now });
  await store.set('key', 'value', 1000);
  for (const [name, { value }] of entries) plant(name, value);
  clock.advance(999);
  expect(await store.get('key')).toBe('value');
  clock.advance(1);
  expect(await store.get('key')).toBeUndefined();
});

test('a value that was put in another’s place counts as absent, and is left alone', async () => {
  const { client, entries, plant } = createFakeRedis();
  const store = createRedisStore({ client, keys });
  await store.set('one', 'value of one', 60_000);
  const [[nameOfOne, one] = ['', undefined]] = entries;
  await store.set('two', 'value of two', 60_000);
  const [, [nameOfTwo] = ['']] = [...entries];
  const asked: string[] = [];
  for (const planted of [one?.value ?? '', `v1.k1.${'A'.repeat(80)}`, 'value of two', '']) {
    plant(nameOfTwo, planted);
    expect(await store.get('two')).toBeUndefined();
    await store.delete('two', (value) => asked.push(value) > 0);
    expect(entries.get(nameOfTwo)?.value).toBe(planted);
  }
  expect(asked).toEqual([]);
  expect(nameOfOne).not.toBe(nameOfTwo);
  expect(await store.get('one')).toBe('value of one');
});

test('stores with another key or another prefix have nothing in common', async () => {
  const { client, entries } = createFakeRedis();
  const one = createRedisStore({ client, keys });
  await one.set('key', 'value', 60_000);
  for (const other of [
    createRedisStore({ client, keys: [{ id: 'k1', key: randomBytes(32) }] }),
    createRedisStore({ client, keys, prefix: 'elsewhere:' }),
  ]) {
    expect(await other.get('key')).toBeUndefined();
    expect(await one.lease('key', 60_000)).toBeDefined();
    const lease = await other.lease('key', 60_000);
    expect(lease).toBeDefined();
    for (const name of [...entries.keys()].filter((each) => each.endsWith(':lease'))) {
      await client.eval(
        "if redis.call('get', KEYS[1]) == ARGV[1] then",
        1,
        name,
        entries.get(name)?.value ?? '',
      );
    }
  }
  expect([...entries.keys()].every((name) => NAME.test(name))).toBe(true);
});

test('a store rejects with what its client rejects with, and that holds nothing secret', async () => {
  const calls: unknown[] = [];
  const refuse = async (...args: unknown[]): Promise<never> => {
    calls.push(args);
    throw Object.assign(new Error('Connection is closed.'), { args });
  };
  const store = createRedisStore({ client: { get: refuse, set: refuse, eval: refuse }, keys });
  for (const attempt of [
    store.get('the key'),
    store.set('the key', 'the value', 1000),
    store.delete('the key', () => true),
    store.lease('the key', 1000),
  ]) {
    const error = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ message: 'Connection is closed.' });
    expectNoLeak(error, ['the key', 'the value', key.toString('base64'), key.toString('hex')]);
  }
  expect(calls.length).toBeGreaterThanOrEqual(4);
});

test('a key may be wiped by its owner once the store is made', async () => {
  const { client } = createFakeRedis();
  const wiped = Buffer.from(key);
  const store = createRedisStore({ client, keys: [{ id: 'k1', key: wiped }] });
  wiped.fill(0);
  await store.set('key', 'value', 60_000);
  expect(await createRedisStore({ client, keys }).get('key')).toBe('value');
});

test('a store shows none of its keys', () => {
  const store = createRedisStore({ client: createFakeRedis().client, keys });
  expectNoLeak(store, [key.toString('base64'), key.toString('base64url'), key.toString('hex')]);
  expect(Object.isFrozen(store)).toBe(true);
});

test.each([
  ['no options', undefined, 'createRedisStore() needs options'],
  ['no client', { keys }, '"client" is missing'],
  ['another client', { client: { get() {}, set() {} }, keys }, 'it has no eval()'],
  [
    'a client of the package redis',
    { client: { get() {}, set() {}, eval() {}, SET() {} }, keys },
    'not of redis',
  ],
  ['no keys', { client: createFakeRedis().client }, '"keys" is missing'],
  ['an option of another name', { client: createFakeRedis().client, keys, ttl: 1 }, '"ttl" is no option'],
  ['a prefix with a space', { client: createFakeRedis().client, keys, prefix: 'a b' }, '"prefix" must be'],
  ['a long prefix', { client: createFakeRedis().client, keys, prefix: 'p'.repeat(101) }, '"prefix" must be'],
  ['a clock that is none', { client: createFakeRedis().client, keys, now: 1 }, '"now" must be a function'],
])('%s: refused at once', (_what, options, message) => {
  const make = () => createRedisStore(options as RedisStoreOptions);
  expect(make).toThrow(TypeError);
  expect(make).toThrow(message);
});
