import { expect, test } from 'vitest';
import { interopCount } from '../../tools/interop.mjs';

const report = (passed: number, failed: number, skipped: number): string =>
  JSON.stringify({
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: skipped,
    numTodoTests: 0,
    testResults: [],
  });

test('a suite that skipped everything for want of a server has not failed, unless the server is required', () => {
  expect(interopCount(report(0, 0, 3), 0, false)).toMatchObject({ passed: 0, failed: 0, skipped: 3 });
  expect(interopCount(report(0, 0, 3), 0, true)).toMatchObject({ passed: 0, failed: 1, skipped: 3 });
});

test('a suite that crashed, ran nothing at all or had a failure has failed', () => {
  for (const required of [false, true]) {
    expect(interopCount(report(0, 0, 3), 1, required).failed).toBe(1);
    expect(interopCount(report(0, 0, 0), 0, required).failed).toBe(1);
    expect(interopCount(undefined, 1, required).failed).toBe(1);
    expect(interopCount(report(2, 1, 0), 1, required)).toMatchObject({ passed: 2, failed: 1 });
  }
});

test('a skip beside what passed is no failure', () => {
  expect(interopCount(report(2, 0, 1), 0, true)).toMatchObject({ passed: 2, failed: 0, skipped: 1 });
});
