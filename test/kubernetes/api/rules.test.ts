import { describe, expect, test } from 'vitest';
import { crdRules, ruleOf } from './crd-rules.ts';
import { FIXTURES } from './fixtures.ts';
import { verdictOf } from './verdict.ts';

describe.each(FIXTURES)('$kind, $name', ({ kind, spec, refused }) => {
  test(refused === undefined ? 'is taken' : `is refused: ${refused.message}`, () => {
    const expected = refused === undefined ? [] : [{ ...refused, byRule: true }];
    expect(verdictOf(kind, spec).findings).toEqual(expected);
  });
});

test('each rule at each place has a fixture that breaks it', () => {
  const broken = FIXTURES.map(({ kind, refused }) => refused && ruleOf(kind, refused));
  expect(crdRules().filter((rule) => !broken.includes(rule))).toEqual([]);
});
