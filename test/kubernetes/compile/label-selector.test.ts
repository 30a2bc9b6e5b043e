import { expect, test } from 'vitest';
import type { LabelSelector } from '../../../src/kubernetes/api/references.ts';
import { matchesSelector } from '../../../src/kubernetes/compile/label-selector.ts';

const LABELS = { team: 'mail', stage: 'production' };
type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
const one = (key: string, operator: Operator, values?: readonly string[]): LabelSelector => ({
  matchExpressions: [{ key, operator, values }],
});

test.each<[string, LabelSelector, boolean]>([
  ['an empty selector', {}, true],
  ['a label of this value', { matchLabels: { team: 'mail' } }, true],
  ['a label of another value', { matchLabels: { team: 'post' } }, false],
  ['a label that is not there', { matchLabels: { tier: 'mail' } }, false],
  ['two labels, one of them wrong', { matchLabels: { team: 'mail', stage: 'trial' } }, false],
  ['In with the value', one('team', 'In', ['post', 'mail']), true],
  ['In without the value', one('team', 'In', ['post']), false],
  ['In of a label that is not there', one('tier', 'In', ['mail']), false],
  ['NotIn with the value', one('team', 'NotIn', ['post', 'mail']), false],
  ['NotIn without the value', one('team', 'NotIn', ['post']), true],
  ['NotIn of a label that is not there', one('tier', 'NotIn', ['mail']), true],
  ['Exists of a label', one('team', 'Exists'), true],
  ['Exists of a label that is not there', one('tier', 'Exists'), false],
  ['DoesNotExist of a label', one('team', 'DoesNotExist'), false],
  ['DoesNotExist of a label that is not there', one('tier', 'DoesNotExist'), true],
  ['a label named as what every object inherits', one('constructor', 'Exists'), false],
  ['In without values', one('team', 'In', []), false],
  ['NotIn without values', one('team', 'NotIn'), false],
  ['Exists with values', one('team', 'Exists', ['mail']), false],
  ['DoesNotExist with values', one('tier', 'DoesNotExist', ['mail']), false],
  ['a label and a requirement', { matchLabels: { team: 'mail' }, ...one('stage', 'In', ['trial']) }, false],
])('%s', (_, selector, expected) => {
  expect(matchesSelector(selector, LABELS)).toBe(expected);
});
