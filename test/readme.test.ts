import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

it('shows the quick start as it is compiled and run', () => {
  const region = /\/\/ #region readme\n(.*?) *\/\/ #endregion/s.exec(
    read('examples/quickstart/assistant.ts'),
  );
  const example = region?.[1]?.replace(/^ {2}/gm, '').trim();
  const shown = /<!-- region: examples\/quickstart\/assistant.ts -->\n```ts\n(.*?)```/s.exec(
    read('README.md'),
  );
  expect(example).toBeTruthy();
  expect(shown?.[1]?.trim()).toBe(example);
});

it('documents every error code', () => {
  const union = /export type ErrorCode =([^;]+);/.exec(read('src/core/errors.ts'))?.[1] ?? '';
  const codes = [...union.matchAll(/'(\w+)'/g)].map((match) => match[1]);
  const documented = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
  expect(codes.length).toBeGreaterThan(10);
  expect(documented.filter((code) => codes.includes(code)).sort()).toEqual([...codes].sort());
});
