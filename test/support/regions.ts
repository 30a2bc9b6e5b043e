import { readFileSync } from 'node:fs';

/** Reads a file of the repository. */
export const readText = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The code that an example shows to readers: its regions `readme`, as they stand at the left margin. */
export function regionsOf(path: string): string {
  const regions = [...readText(path).matchAll(/\/\/ #region readme\n(.*?) *\/\/ #endregion/gs)];
  return regions.map(([, region = '']) => dedented(region)).join('\n\n');
}

/** A TypeScript block of a document. */
export interface CodeBlock {
  readonly code: string;
  /** `region: PATH`, of the comment on the line before, where it shows an example. */
  readonly region: string | undefined;
}

/** All TypeScript of a document. */
export function codeBlocksOf(path: string): CodeBlock[] {
  const blocks = readText(path).matchAll(/(?:<!-- region: (\S+) -->\n)?```ts\n(.*?)```/gs);
  return [...blocks].map(([, region, code = '']) => ({ region, code: code.trim() }));
}

function dedented(text: string): string {
  const indent = /^ */.exec(text)?.[0] ?? '';
  return text.replaceAll(new RegExp(`^${indent}`, 'gm'), '').trim();
}
