import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMemoryStore, type KeptToken } from '../../src/broker/memory-store.ts';
import { issuedToken } from '../../src/core/issued-token.ts';

const kept = (name: string, usableUntil: number): KeptToken => {
  const facts = { issuedTokenType: '', expiresInMs: undefined, scope: undefined };
  return { token: issuedToken(name, facts), usableUntil, refreshAt: Number.POSITIVE_INFINITY };
};

test('a token is there until its time is over, to the millisecond', () => {
  const store = createMemoryStore(10);
  store.set('key', kept('one', 100));
  expect(store.get('key', 99)?.token.accessToken).toBe('one');
  expect(store.get('key', 100)).toBeUndefined();
  expect(store.size).toBe(0);
});

test('the least recently used goes first', () => {
  const store = createMemoryStore(2);
  store.set('a', kept('a', 100));
  store.set('b', kept('b', 100));
  store.get('a', 0);
  store.set('c', kept('c', 100));
  expect(
    [store.get('a', 0), store.get('b', 0), store.get('c', 0)].map((one) => one?.token.accessToken),
  ).toEqual(['a', undefined, 'c']);
});

test('replacing a token takes no other one’s place', () => {
  const store = createMemoryStore(2);
  store.set('a', kept('a', 100));
  store.set('b', kept('b', 100));
  store.set('b', kept('c', 100));
  expect(store.get('a', 0)?.token.accessToken).toBe('a');
  expect(store.get('b', 0)?.token.accessToken).toBe('c');
});

test('a sweep takes what is over and leaves the rest', () => {
  const store = createMemoryStore(10);
  store.set('a', kept('a', 100));
  store.set('b', kept('b', 101));
  store.sweep(100);
  expect(store.size).toBe(1);
  expect(store.get('b', 100)?.token.accessToken).toBe('b');
});

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const step = fc.oneof(
  fc.tuple(fc.constant('set' as const), key, fc.nat({ max: 60 })),
  fc.tuple(fc.constant('get' as const), key, fc.constant(0)),
  fc.tuple(fc.constant('delete' as const), key, fc.constant(0)),
  fc.tuple(fc.constant('sweep' as const), key, fc.constant(0)),
  fc.tuple(fc.constant('clear' as const), key, fc.constant(0)),
  fc.tuple(fc.constant('wait' as const), key, fc.nat({ max: 20 })),
);

test('it does what a plain list does that is searched from end to end, and is never larger than allowed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (max, steps) => {
      const store = createMemoryStore(max);
      // Least recently used first.
      let list: { key: string; name: string; until: number }[] = [];
      let now = 0;
      steps.forEach(([kind, key, value], index) => {
        const found = list.find((entry) => entry.key === key);
        const others = list.filter((entry) => entry.key !== key);
        if (kind === 'set') {
          store.set(key, kept(`${index}`, now + value));
          list = [
            ...others.slice(Math.max(0, others.length - max + 1)),
            { key, name: `${index}`, until: now + value },
          ];
        } else if (kind === 'get') {
          const usable = found !== undefined && found.until > now;
          expect(store.get(key, now)?.token.accessToken).toBe(usable ? found.name : undefined);
          list = usable ? [...others, found] : others;
        } else if (kind === 'delete') {
          store.delete(key);
          list = others;
        } else if (kind === 'sweep') {
          store.sweep(now);
          list = list.filter((entry) => entry.until > now);
        } else if (kind === 'clear') {
          store.clear();
          list = [];
        } else now += value;
        expect(store.size).toBe(list.length);
        expect(store.size).toBeLessThanOrEqual(max);
      });
    }),
  );
});
