import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  fileOf,
  isReference,
  literalText,
  literalUnlessFile,
  secretSource,
  textOrFile,
} from '../../src/config/secret-text.ts';

const ENVIRONMENT = { A: 'one', B_2: 'two' };
const variable = (name: string): string => `\${${name}}`;

test.each<[string, unknown]>([
  ['file:/var/run/token', { file: '/var/run/token' }],
  ['file:', { file: '' }],
  [variable('A'), 'one'],
  [`Bearer ${variable('A')}${variable('B_2')}`, 'Bearer onetwo'],
  ['plain', 'plain'],
  ['', ''],
  ['a file:/x', 'a file:/x'],
  ...['', '1', 'a-b'].map((name): [string, unknown] => [
    `$A $ {A} ${variable(name)}`,
    `$A $ {A} ${variable(name)}`,
  ]),
  [`$${variable('A')}`, variable('A')],
  [`$$${variable('A')}`, `$${variable('A')}`],
  ['$file:/x', 'file:/x'],
  ['$$file:/x', '$file:/x'],
  [`$file:${variable('A')}`, 'file:one'],
])('the text %j stands for %j', (text, expected) => {
  expect(secretSource(text, ENVIRONMENT)).toEqual(expected);
});

test('a variable that holds what looks like a reference is that text', () => {
  expect(secretSource(variable('A'), { A: `file:/x ${variable('B')}`, B: 'no' })).toBe(
    `file:/x ${variable('B')}`,
  );
});

test.each(['GONE', 'constructor', '__proto__'])(
  'the variable %s that is not set is named, and nothing else',
  (name) => {
    const text = `planted-value ${variable(name)}`;
    expect(() => secretSource(text, ENVIRONMENT)).toThrow(
      new TypeError(`the environment has no variable ${name}`),
    );
  },
);

/** Made of what references are written with, so that mistakes are likely. */
const tricky = fc.array(fc.constantFrom('$', '{', '}', 'A', 'file:', 'f', ':', '/', ' ', '\\'), {
  maxLength: 8,
});

test('a literal text stands for itself, whatever it is', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        tricky.map((pieces) => pieces.join('')),
      ),
      (text) => {
        expect(isReference(literalText(text))).toBe(false);
        expect(secretSource(literalText(text), {})).toBe(text);
        expect(textOrFile(literalUnlessFile(text))).toBe(text);
      },
    ),
    { numRuns: 2000 },
  );
});

test('what looks like no reference is written as it is', () => {
  for (const text of ['plain', '$', '$5', 'a$b', 'profile:x', '{A}']) expect(literalText(text)).toBe(text);
});

test.each([
  ['file:/x', true],
  [`a ${variable('A')}`, true],
  [`$${variable('A')}`, false],
  [`$${variable('A')} ${variable('B')}`, true],
  ['$file:/x', false],
  ['plain', false],
])('that %j is a reference is %s', (text, expected) => {
  expect(isReference(text)).toBe(expected);
});

test('an instruction knows files only: a prompt may hold what looks like a variable', () => {
  expect(textOrFile('file:/prompts/one')).toEqual({ file: '/prompts/one' });
  expect(textOrFile(`Say ${variable('A')}.`)).toBe(`Say ${variable('A')}.`);
  expect(literalUnlessFile(`Say ${variable('A')}.`)).toBe(`Say ${variable('A')}.`);
});

test.each([
  ['file:/x', '/x'],
  ['$file:/x', undefined],
  ['x', undefined],
])('the path of %s is %s', (text, expected) => {
  expect(fileOf(text)).toBe(expected);
});
