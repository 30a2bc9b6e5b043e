import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRateLimit } from '../../src/agent/rate-limit.ts';

test('a user may ask so often in a minute, and is told when to ask again; others are not held up', () => {
  let now = 0;
  const limit = createRateLimit(60, () => now);
  for (let i = 0; i < 60; i++) expect(limit.take('alice')).toBe(0);

  expect(limit.take('alice')).toBe(1);
  expect(limit.take('bob')).toBe(0);
  now += 1_000;
  expect([limit.take('alice'), limit.take('alice')]).toEqual([0, 1]);
});

test('whoever waits as long as they were told is let in', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 40 }),
      (perMinute, pauses) => {
        let now = 0;
        const limit = createRateLimit(perMinute, () => now);
        for (const pause of pauses) {
          now += pause;
          const wait = limit.take('alice');
          if (wait === 0) continue;
          now += wait * 1_000;
          expect(limit.take('alice')).toBe(0);
        }
      },
    ),
  );
});

test('in no minute there are more requests than twice those allowed', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 200 }), (pauses) => {
      let now = 0;
      const limit = createRateLimit(10, () => now);
      const admitted: number[] = [];
      for (const pause of pauses) {
        now += pause;
        if (limit.take('alice') === 0) admitted.push(now);
      }
      for (const from of admitted) {
        expect(admitted.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(20);
      }
    }),
  );
});
