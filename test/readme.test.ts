import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

function dedented(text: string): string {
  const indent = /^ */.exec(text)?.[0] ?? '';
  return text.replaceAll(new RegExp(`^${indent}`, 'gm'), '').trim();
}

it.each(['examples/quickstart/assistant.ts', 'examples/any-client/call-as.ts'])(
  'shows %s as it is compiled and run',
  (path) => {
    const regions = [...read(path).matchAll(/\/\/ #region readme\n(.*?) *\/\/ #endregion/gs)];
    const example = regions.map(([, region = '']) => dedented(region)).join('\n\n');
    const blocks = [...read('README.md').matchAll(/<!-- region: (\S+) -->\n```ts\n(.*?)```/gs)];
    const shown = blocks.find(([, shownPath]) => shownPath === path)?.[2];
    expect(example).toBeTruthy();
    expect(shown?.trim()).toBe(example);
  },
);

it('documents every error code', () => {
  const union = /export type ErrorCode =([^;]+);/.exec(read('src/core/errors.ts'))?.[1] ?? '';
  const codes = [...union.matchAll(/'(\w+)'/g)].map((match) => match[1]);
  const documented = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]);
  expect(codes.length).toBeGreaterThan(10);
  expect(documented.filter((code) => codes.includes(code)).sort()).toEqual([...codes].sort());
});
