import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tableText } from '../../src/cli/table.ts';

test('columns are as wide as their longest line, and nothing ends in spaces', () => {
  expect(
    tableText(
      ['A', 'LONG', 'C'],
      [
        [['one'], ['1', '22'], []],
        [['x'], [], ['y']],
      ],
      80,
    ),
  ).toBe('A    LONG  C\none  1\n     22\nx          y\n');
});

test('long lines are broken at a space, else behind a mark, else anywhere', () => {
  const broken = (text: string): readonly string[] =>
    tableText(['A'], [[[text]]], 10)
      .trim()
      .split('\n')
      .slice(1);
  expect(broken('calendar (server)')).toEqual(['calendar', '(server)']);
  expect(broken('mail.read/all')).toEqual(['mail.read/', 'all']);
  expect(broken('abcdefghijklm')).toEqual(['abcdefghij', 'klm']);
});

test('a table is as wide as was said, as long as its columns are wide enough to read', () => {
  const cell = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '/', ' ', '-'), maxLength: 60 }), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }),
      fc.integer({ min: 40, max: 120 }),
      (rows, width) => {
        const lines = tableText(['ONE', 'TWO', 'THREE'], rows, width).split('\n');
        expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(width);
      },
    ),
  );
});

test('no character but spaces is lost', () => {
  const cell = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '/', ' ', '-'), maxLength: 60 }), {
    maxLength: 3,
  });
  const letters = (text: string): string =>
    [...text]
      .filter((one) => one !== ' ' && one !== '\n')
      .sort()
      .join('');
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 5 }), (rows) => {
      expect(letters(tableText(['', ''], rows, 40))).toBe(letters(rows.flat(2).join('')));
    }),
  );
});
