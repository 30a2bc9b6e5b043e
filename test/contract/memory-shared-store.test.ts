import { expect, test } from 'vitest';
import { createClock } from '../support/clock.ts';
import { createMemorySharedStore } from './memory-shared-store.ts';
import { describeSharedStore } from './shared-store.ts';

describeSharedStore('a shared store in memory', async () => {
  const clock = createClock();
  const store = createMemorySharedStore(clock.now);
  return { one: store, two: store, pass: async (ms) => clock.advance(ms) };
});

test('a value and a lease last to the millisecond', async () => {
  const clock = createClock();
  const store = createMemorySharedStore(clock.now);
  await store.set('key', 'value', 100);
  await store.lease('key', 100);
  clock.advance(99);
  expect(await store.get('key')).toBe('value');
  expect(await store.lease('key', 100)).toBeUndefined();
  clock.advance(1);
  expect(await store.get('key')).toBeUndefined();
  expect(await store.lease('key', 100)).toBeDefined();
});
