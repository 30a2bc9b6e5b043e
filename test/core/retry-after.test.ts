import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { retryAfterMs } from '../../src/core/retry-after.ts';

const { TZ } = process.env;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('1994-11-06T08:49:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
  if (TZ === undefined) delete process.env.TZ;
  else process.env.TZ = TZ;
});

const read = (value: string): number | undefined => retryAfterMs(new Headers({ 'retry-after': value }));

test('an answer without the header asks for no time', () => {
  expect(retryAfterMs(new Headers())).toBeUndefined();
});

test.each([
  ['0', 0],
  ['7', 7_000],
  ['007', 7_000],
  ['999999999', 999_999_999_000],
])('%s seconds', (value, expected) => {
  expect(read(value)).toBe(expected);
});

/** The date of RFC 9110 section 5.6.7, 37 seconds from now. */
const DATES = ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'];

test.each(DATES)('RFC 9110 section 5.6.7: %j is a date, wherever this machine is', (value) => {
  for (const zone of ['UTC', 'America/New_York', 'Asia/Kathmandu']) {
    process.env.TZ = zone;
    expect([zone, read(value)]).toEqual([zone, 37_000]);
  }
});

test.each(DATES)('%j has passed, so there is nothing to wait for', (value) => {
  vi.setSystemTime(Date.parse('1994-11-06T08:50:00Z'));
  expect(read(value)).toBe(0);
});

test.each([
  ...['', 'soon', '-1', '+5', '1.5', '1e3', '0x10', '1, 2', '7 seconds', '99999999999', 'in 2099'],
  ...[
    '1994-11-06T08:49:37Z',
    '06 Nov 1994',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 99:99:99 GMT',
  ],
])('%j is no time', (value) => {
  expect(read(value)).toBeUndefined();
});

test('whatever the header says, it is a time that is not in the past, or none', () => {
  const part = fc.constantFrom(
    'Sun',
    ',',
    ' ',
    '06',
    'Nov',
    '-',
    '1994',
    '08:49:37',
    'GMT',
    ':',
    '.',
    '9',
    'Z',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 9 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (value) => {
      const ms = retryAfterMs({ get: () => value } as unknown as Headers);
      if (ms !== undefined) expect(Number.isFinite(ms) && ms >= 0).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
