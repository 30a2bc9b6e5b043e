import { expect, test } from 'vitest';
import { type Check, judge } from './judge.ts';

const check = (id: string, status: Check['status']): Check => ({ id, status });
const claim = { passes: ['a', 'b'] };

test('a run that shows each claimed check as success, and no other, is right', () => {
  const more = [check('log', 'INFO'), check('later', 'SKIPPED')];
  expect(
    judge(claim, [check('a', 'SUCCESS'), check('b', 'SUCCESS'), check('a', 'SUCCESS'), ...more]),
  ).toEqual([]);
});

test('a run that checked nothing is wrong, and so is a claim of nothing', () => {
  expect(judge(claim, [])).toContain('the runner checked nothing');
  expect(judge({ passes: [] }, [check('a', 'INFO')])).toEqual(['the manifest names no check']);
});

test.each(['INFO', 'SKIPPED', 'FAILURE', 'WARNING'] as const)(
  'a claimed check that is %s is wrong',
  (status) => {
    expect(judge(claim, [check('a', 'SUCCESS'), check('b', status)])).toContain('b did not succeed');
  },
);

test('a check that succeeds in one place and fails in another is wrong', () => {
  const checks = [check('a', 'SUCCESS'), check('b', 'SUCCESS'), check('b', 'FAILURE')];
  expect(judge(claim, checks)).toEqual(['b: FAILURE: no reason given']);
});

test('a warning is wrong, and so is a success that nobody claims', () => {
  const both = [check('a', 'SUCCESS'), check('b', 'SUCCESS')];
  expect(judge(claim, [...both, { ...check('c', 'WARNING'), description: 'slow' }])).toEqual([
    'c: WARNING: slow',
  ]);
  expect(judge(claim, [...both, check('c', 'SUCCESS')])).toEqual(['c succeeded, but is not claimed']);
});

test('a check that is claimed to fail must fail, and it alone may', () => {
  const refused = { passes: [], fails: ['expired'] };
  expect(judge(refused, [check('expired', 'FAILURE')])).toEqual([]);
  expect(judge(refused, [check('expired', 'SUCCESS')])).toContain('expired did not fail');
  expect(judge(refused, [check('expired', 'FAILURE'), check('retried', 'WARNING')])).toHaveLength(1);
});
