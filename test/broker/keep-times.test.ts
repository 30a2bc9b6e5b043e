import { expect, test } from 'vitest';
import { type KeepTimes, keepTimes } from '../../src/broker/keep-times.ts';

const NOW = 1_800_000_000_000;
const SUBJECT = { aud: [], exp: NOW + 36_000_000 };

const times = (expiresInMs: number | undefined, options: KeepTimes = {}, exp?: number) => {
  const claims = exp === undefined ? undefined : { aud: [], exp };
  const { usableUntil, refreshAt } = keepTimes({ expiresInMs, claims }, SUBJECT, { ...options, now: NOW });
  return { usable: usableUntil - NOW, refresh: refreshAt - NOW };
};

test('what is not configured has the defaults that are documented', () => {
  expect(times(300_000).usable).toBe(290_000);
  expect(times(undefined).usable).toBe(50_000);
  expect(times(86_400_000).usable).toBe(3_590_000);
});

test('what is configured is what counts', () => {
  expect(times(300_000, { marginMs: 0 }).usable).toBe(300_000);
  expect(times(undefined, { unknownTtlMs: 20_000, marginMs: 0 }).usable).toBe(20_000);
  expect(times(300_000, { maxTtlMs: 40_000, marginMs: 0 }).usable).toBe(40_000);
});

test('the token’s own expiry and the subject’s count as well', () => {
  expect(times(300_000, { marginMs: 0 }, NOW + 100_000).usable).toBe(100_000);
  expect(times(86_400_000, { maxTtlMs: 86_400_000, marginMs: 0 }).usable).toBe(36_000_000);
});

test('a token is made anew ahead of its end unless that is switched off', () => {
  const { usable, refresh } = times(300_000);
  expect(refresh).toBeGreaterThanOrEqual(0.7 * usable);
  expect(refresh).toBeLessThanOrEqual(0.8 * usable);
  expect(times(300_000, { refreshAhead: false }).refresh).toBe(Number.POSITIVE_INFINITY);
  expect(times(300_000, { refreshAhead: true }).refresh).toBeLessThan(usable);
});
