import { expect, test } from 'vitest';
import { secondsOf } from '../../../src/kubernetes/compile/duration.ts';

test.each([
  ['30s', 30],
  ['500ms', 0.5],
  ['1m30s', 90],
  ['1h', 3600],
  ['24h', 86_400],
  ['100ms200ms', 0.3],
  ['0s', undefined],
  ['0ms', undefined],
  ['24h1ms', undefined],
  ['99999999999999999999999h', undefined],
])('%s is %s seconds', (duration, expected) => {
  expect(secondsOf(duration)).toBe(expected);
});
