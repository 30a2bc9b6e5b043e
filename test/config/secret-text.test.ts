import { runInNewContext } from 'node:vm';
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
const tricky = fc.array(
  fc.constantFrom(variable('A'), '$', '{', '}', 'A', 'file:', 'f', ':', '/', ' ', '\\'),
  {
    maxLength: 8,
  },
);

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

/** What {@link literalText} does, by one look at each character. */
function scanned(text: string): string {
  let result = '';
  for (let index = 0; index < text.length; index += 1) {
    result += text[index];
    // One more for the whole run; where in it makes no difference.
    if (text.startsWith('${', index) && nameAt(text, index + 2) !== undefined) result += '$';
  }
  if (text.startsWith('file:')) return `$${result}`;
  const start = /[^$]/.exec(text)?.index ?? 0;
  return start > 0 && text.startsWith('file:', start) ? `$${result}` : result;
}

/** The name of a variable up to its brace; it is short, so that this is a bounded look ahead. */
function nameAt(text: string, start: number): string | undefined {
  const end = text.indexOf('}', start);
  const name = text.slice(start, end);
  return end > start && /^[A-Za-z_]/.test(name) && !/[^A-Za-z0-9_]/.test(name) ? name : undefined;
}

test('literal text is what a scanner of one pass makes of it', () => {
  fc.assert(
    fc.property(
      tricky.map((pieces) => pieces.join('')),
      (text) => {
        expect(literalText(text)).toBe(scanned(text));
      },
    ),
    { numRuns: 5000 },
  );
});

/** Breaks off what takes too long, which no timeout of a test can. */
const within = <T>(timeout: number, work: () => T): T =>
  runInNewContext('work()', { work }, { timeout }) as T;

test.each([8_192, 262_144, 1_000_000])(
  'a text of %d characters that begin a variable is done at once',
  (size) => {
    for (const piece of ['$', '${', '${A', '$$$${A', '{A $', '$A']) {
      const text = piece.repeat(Math.ceil(size / piece.length));
      // A hundred times what it takes; the square of the size would be minutes.
      const [literal, reference, source] = within(10_000, () => [
        literalText(text),
        isReference(text),
        secretSource(text, {}),
      ]);
      expect([literal === text, reference, source === text]).toEqual([true, false, true]);
    }
  },
  60_000,
);
