import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { sameQuantity } from '../../../src/kubernetes/controller/quantity.ts';

test.each([
  ['0.5', '500m'],
  ['1', '1000m'],
  ['1e3', '1k'],
  ['1E3', '1000'],
  ['1024Mi', '1Gi'],
  ['0.5Gi', '512Mi'],
  ['.5', '500m'],
  ['1.', '1'],
  ['+1', '1'],
  ['-0.5', '-500m'],
  ['100n', '1m'],
  ['0', '0Gi'],
  ['1Ei', '1152921504606846976'],
])('%s is as much as %s', (one, other) => {
  expect(sameQuantity(one, other)).toBe(true);
  expect(sameQuantity(other, one)).toBe(true);
});

test.each([
  ['0.5', '501m'],
  ['1G', '1Gi'],
  ['1', '-1'],
  ['1m', '1M'],
])('%s is not as much as %s', (one, other) => {
  expect(sameQuantity(one, other)).toBe(false);
});

test('what is finer than a thousandth is rounded up, as the API server does with resources', () => {
  expect(sameQuantity('1e-12', '1m')).toBe(true);
  expect(sameQuantity('0.125m', '1m')).toBe(true);
  expect(sameQuantity('1.0001', '1001m')).toBe(true);
  expect(sameQuantity('0e-12', '0')).toBe(true);
});

test('what is larger than the API server keeps is its largest', () => {
  expect(sameQuantity('9999999999999E', '9223372036854775807')).toBe(true);
});

test('what is no quantity equals only itself', () => {
  expect(sameQuantity('much', 'much')).toBe(true);
  expect(sameQuantity('much', '0')).toBe(false);
  expect(sameQuantity('', '0')).toBe(false);
  expect(sameQuantity('1 Gi', '1Gi')).toBe(false);
  expect(sameQuantity(undefined, '1')).toBe(false);
});

test('for any number, its thousandths are as much, and one more thousandth is not', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(999), (whole, thousandths) => {
      const decimal = `${whole}.${String(thousandths).padStart(3, '0')}`;
      const milli = whole * 1000 + thousandths;
      expect(sameQuantity(decimal, `${milli}m`)).toBe(true);
      expect(sameQuantity(decimal, `${milli + 1}m`)).toBe(false);
    }),
  );
});
