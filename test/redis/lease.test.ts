import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createRedisStore, type RedisClient } from '../../src/redis/index.ts';
import { createFakeRedis } from './fake-client.ts';

const oldKey = { id: 'old', key: randomBytes(32) };
const newKey = { id: 'new', key: randomBytes(32) };

/** The client with its `set` replaced by what is made of it. */
const withSet = (client: RedisClient, make: (set: RedisClient['set']) => unknown): RedisClient => ({
  ...client,
  set: make(client.set) as RedisClient['set'],
});

test('a client that sends a command again after a lost answer gets the lease it took itself', async () => {
  const { client } = createFakeRedis();
  const twice = withSet(client, (set) => async (...args: Parameters<RedisClient['set']>) => {
    await set(...args);
    return set(...args);
  });
  const lease = await createRedisStore({ client: twice, keys: [oldKey] }).lease('key', 60_000);
  expect(lease).toBeDefined();
  const other = createRedisStore({ client, keys: [oldKey] });
  expect(await other.lease('key', 60_000)).toBeUndefined();
  await lease?.release();
  expect(await other.lease('key', 60_000)).toBeDefined();
});

test('a lease whose answer never came is given back', async () => {
  const { client, entries } = createFakeRedis();
  const lost = withSet(client, (set) => async (...args: Parameters<RedisClient['set']>) => {
    await set(...args);
    throw new Error('Command timed out');
  });
  const lease = createRedisStore({ client: lost, keys: [oldKey] }).lease('key', 60_000);
  await expect(lease).rejects.toThrow('Command timed out');
  expect(entries.size).toBe(0);
});

test('while a lease is refused by a server that hangs, nobody waits for it to be given back', async () => {
  const { client } = createFakeRedis();
  const hanging: RedisClient = {
    ...client,
    set: async () => Promise.reject(new Error('Command timed out')),
    eval: () => new Promise(() => {}),
  };
  const lease = createRedisStore({ client: hanging, keys: [oldKey] }).lease('key', 60_000);
  await expect(lease).rejects.toThrow('Command timed out');
});

test.each([
  ['rejects', async () => Promise.reject(new Error('Connection is closed.'))],
  [
    'throws',
    () => {
      throw new Error('Connection is closed.');
    },
  ],
])('a release does not fail where the client %s', async (_how, broken: RedisClient['eval']) => {
  const { client } = createFakeRedis();
  const store = createRedisStore({ client: { ...client, eval: broken }, keys: [oldKey, newKey] });
  const lease = await store.lease('key', 60_000);
  await expect(lease?.release()).resolves.toBeUndefined();
});

test('of a lease that stands under two names, none is kept when one is taken', async () => {
  const { client, entries } = createFakeRedis();
  const both = createRedisStore({ client, keys: [oldKey, newKey] });
  for (const key of [oldKey, newKey]) {
    const lease = await createRedisStore({ client, keys: [key] }).lease('key', 60_000);
    expect(lease).toBeDefined();
    expect(await both.lease('key', 60_000)).toBeUndefined();
    expect(entries.size).toBe(1);
    await lease?.release();
  }
  const lease = await both.lease('key', 60_000);
  expect(entries.size).toBe(2);
  await lease?.release();
  expect(entries.size).toBe(0);
});
