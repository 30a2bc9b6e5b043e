import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createRedisStore, type RedisStoreKey } from '../../src/redis/index.ts';
import { describeSharedStore } from '../contract/shared-store.ts';
import { createClock } from '../support/clock.ts';
import { createFakeRedis } from './fake-client.ts';

const oldKey: RedisStoreKey = { id: '2025', key: randomBytes(32) };
const newKey: RedisStoreKey = { id: '2026', key: randomBytes(32) };

/** The steps that the documentation of `createRedisStore` tells an operator to take. */
const STEPS = [[oldKey], [oldKey, newKey], [newKey, oldKey], [newKey]] as const;

const told = (keys: readonly RedisStoreKey[]): string => `[${keys.map(({ id }) => id).join(', ')}]`;
const NEIGHBOURS = STEPS.slice(1).flatMap((later, index) => {
  const earlier = STEPS[index] as readonly RedisStoreKey[];
  return [
    [earlier, later],
    [later, earlier],
  ] as const;
});

// What one replica of a mixed fleet keeps or holds, the other sees: the whole contract, for each pair and both ways.
for (const [mine, theirs] of NEIGHBOURS.filter(([a, b]) => told(a) !== told(b))) {
  describeSharedStore(`replicas with ${told(mine)} and ${told(theirs)}`, async () => {
    const clock = createClock();
    const { client } = createFakeRedis(clock.now);
    const open = (keys: readonly RedisStoreKey[]) => createRedisStore({ client, keys, now: clock.now });
    return { one: open(mine), two: open(theirs), pass: async (ms) => clock.advance(ms) };
  });
}

describe('during a rotation', () => {
  test('what the old key sealed is there until the last step', async () => {
    const { client } = createFakeRedis();
    const stores = STEPS.map((keys) => createRedisStore({ client, keys }));
    await stores[0]?.set('key', 'value', 60_000);
    const seen = await Promise.all(stores.map((store) => store.get('key')));
    expect(seen).toEqual(['value', 'value', 'value', undefined]);
  });

  test('the first key seals, and of two values the one that lasts longer counts', async () => {
    const { client, entries } = createFakeRedis();
    const [, before, after] = STEPS.map((keys) => createRedisStore({ client, keys }));
    await before?.set('key', 'of before', 50_000);
    await after?.set('key', 'of after', 60_000);
    expect([...entries.values()].map(({ value }) => value.split('.')[1])).toEqual(['2025', '2026']);
    expect([await before?.get('key'), await after?.get('key')]).toEqual(['of after', 'of after']);
    await before?.set('key', 'of before, renewed', 70_000);
    expect(await after?.get('key')).toBe('of before, renewed');
  });

  test('a value that does not open does not hide one under the other key', async () => {
    const { client, entries, plant } = createFakeRedis();
    const [, before, after] = STEPS.map((keys) => createRedisStore({ client, keys }));
    await after?.set('key', 'spoilt', 60_000);
    for (const name of entries.keys()) plant(name, 'spoilt');
    await before?.set('key', 'value', 60_000);
    expect(await after?.get('key')).toBe('value');
  });

  test('a value is deleted wherever it is', async () => {
    const { client, entries } = createFakeRedis();
    const [, before, after] = STEPS.map((keys) => createRedisStore({ client, keys }));
    await before?.set('key', 'refused', 60_000);
    await after?.set('key', 'refused', 60_000);
    await after?.delete('key', (value) => value === 'refused');
    expect(entries.size).toBe(0);
  });
});
