import fc from 'fast-check';
import { expect, test } from 'vitest';
import { refreshTime, type TtlFacts, usableUntil } from '../../src/broker/ttl.ts';

const NOW = 1_800_000_000_000;
const facts = (more: Partial<TtlFacts> = {}): TtlFacts => ({
  now: NOW,
  expiresInMs: undefined,
  tokenExp: undefined,
  subjectExp: undefined,
  maxTtlMs: 3_600_000,
  marginMs: 10_000,
  unknownTtlMs: 60_000,
  ...more,
});

const around = fc.integer({ min: -10_000, max: 10_000_000 });
const time = fc.option(
  around.map((difference) => NOW + difference),
  { nil: undefined },
);
const anyFacts = fc.record({
  now: fc.constant(NOW),
  expiresInMs: fc.option(fc.nat({ max: 10_000_000 }), { nil: undefined }),
  tokenExp: time,
  subjectExp: time,
  maxTtlMs: fc.integer({ min: 1, max: 10_000_000 }),
  marginMs: fc.nat({ max: 600_000 }),
  unknownTtlMs: fc.integer({ min: 1, max: 10_000_000 }),
});

test('a token is never usable beyond any limit that is known', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const until = usableUntil(given);
      expect(until).toBeLessThanOrEqual(given.tokenExp ?? Number.POSITIVE_INFINITY);
      expect(until).toBeLessThanOrEqual(given.subjectExp ?? Number.POSITIVE_INFINITY);
      expect(until).toBeLessThanOrEqual(NOW + (given.expiresInMs ?? Number.POSITIVE_INFINITY));
      expect(until).toBeLessThanOrEqual(NOW + given.maxTtlMs);
    }),
  );
});

test('a token of which nobody says the lifetime gets the short default, and no more', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const until = usableUntil({ ...given, expiresInMs: undefined, tokenExp: undefined });
      expect(until).toBeLessThanOrEqual(NOW + given.unknownTtlMs);
    }),
  );
});

test('the margin is what was configured, but never more than a quarter of the lifetime', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const end = usableUntil({ ...given, marginMs: 0 });
      const lost = end - usableUntil(given);
      const lifetime = Math.max(0, end - NOW);
      expect(lost).toBeLessThanOrEqual(given.marginMs);
      expect(lost).toBeLessThanOrEqual(lifetime / 4 + 0.001);
      if (given.marginMs <= lifetime / 4) expect(lost).toBeCloseTo(given.marginMs, 3);
    }),
  );
});

test('whatever has a lifetime is usable at all, whatever has none is not', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const end = usableUntil({ ...given, marginMs: 0 });
      expect(usableUntil(given) > NOW).toBe(end > NOW);
    }),
  );
});

test.each<[string, Partial<TtlFacts>, number]>([
  ['expires_in', { expiresInMs: 300_000 }, 290_000],
  ['the expiry of the token', { tokenExp: NOW + 300_000 }, 290_000],
  ['the earlier of both', { expiresInMs: 300_000, tokenExp: NOW + 200_000 }, 190_000],
  ['the earlier of both, the other way', { expiresInMs: 100_000, tokenExp: NOW + 200_000 }, 90_000],
  ['the expiry of the subject', { expiresInMs: 300_000, subjectExp: NOW + 50_000 }, 40_000],
  ['the configured maximum', { expiresInMs: 7_200_000 }, 3_590_000],
  ['the default', {}, 50_000],
  ['the subject, where nothing else is known', { subjectExp: NOW + 48_000 }, 38_000],
  ['a quarter less, when short', { expiresInMs: 20_000 }, 15_000],
  ['nothing, with a margin of zero', { expiresInMs: 20_000, marginMs: 0 }, 20_000],
])('the lifetime is limited by %s', (_what, more, expected) => {
  expect(usableUntil(facts(more)) - NOW).toBe(expected);
});

test('a token is made anew in the last 20 to 30 percent of the time that it is usable', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const [until, time] = [usableUntil(given), refreshTime(given)];
      fc.pre(until > NOW && time !== Number.POSITIVE_INFINITY);
      const span = until - NOW;
      expect(time).toBeGreaterThanOrEqual(NOW + span * 0.7 - 0.001);
      expect(time).toBeLessThanOrEqual(NOW + span * 0.8 + 0.001);
    }),
  );
});

test('a token is never made anew when the end of the subject is the end of the token', () => {
  fc.assert(
    fc.property(anyFacts, (given) => {
      const { subjectExp } = given;
      const alone = usableUntil({ ...given, subjectExp: undefined, marginMs: 0 });
      expect(refreshTime(given) === Number.POSITIVE_INFINITY).toBe(
        subjectExp !== undefined && subjectExp <= alone,
      );
    }),
  );
});

test('tokens that were made together are not all made anew together', () => {
  const times = Array.from({ length: 200 }, () => refreshTime(facts({ expiresInMs: 300_000 })) - NOW);
  expect(Math.min(...times)).toBeLessThan(0.73 * 290_000);
  expect(Math.max(...times)).toBeGreaterThan(0.77 * 290_000);
});
