import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findWrongImports, MAY_IMPORT } from '../../tools/check-imports.mjs';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'onbehalf-imports-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** What the check says about a tree with this one file. */
const check = (path: string, code: string): string[] => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), code);
  return findWrongImports(root, 'onbehalf');
};

it.each([
  ['src/broker/a.ts', "import { b } from '../core/b.ts';"],
  ['src/broker/lib/a.ts', "import { b } from '../b.ts'; import { c } from '../../core/c.ts';"],
  ['src/adk/a.ts', "import { b } from '../mcp/b.ts'; import { BasePlugin } from '@google/adk';"],
  ['src/cli/a.ts', "import { b } from '../sts/b.ts'; import { c } from '../index.ts';"],
  ['src/index.ts', "export { b } from './context/b.ts';"],
  ['src/core/a.ts', "// import { b } from '../broker/b.ts';"],
])('%s may say %s', (path, code) => {
  expect(check(path, code)).toEqual([]);
});

it.each([
  ['a value', 'src/core/a.ts', "import { b } from '../broker/b.ts';"],
  ['a type', 'src/core/a.ts', "import type { B } from '../broker/b.ts';"],
  ['a re-export', 'src/core/a.ts', "export { b } from '../broker/b.ts';"],
  ['a side effect', 'src/core/a.ts', "import '../broker/b.ts';"],
  ['a lazy import', 'src/core/a.ts', "const b = await import('../broker/b.ts');"],
  ['an import from a deeper folder', 'src/core/lib/a.ts', "import { b } from '../../broker/b.ts';"],
  ['a detour', 'src/core/a.ts', "import { b } from '../core/../broker/b.ts';"],
  ['a sibling', 'src/mcp/a.ts', "import { b } from '../adk/b.ts';"],
  ['a folder nobody knows', 'src/core/a.ts', "import { b } from '../misc/b.ts';"],
  ['the public surface', 'src/core/a.ts', "import { b } from '../index.ts';"],
  ['the package itself', 'src/core/a.ts', "import { b } from 'onbehalf/mcp';"],
  ['what is outside src', 'src/core/a.ts', "import { b } from '../../examples/b.ts';"],
])('refuses %s against the arrows', (_, path, code) => {
  expect(check(path, code)).toHaveLength(1);
});

it('names file, line and what is allowed', () => {
  expect(check('src/context/a.ts', "\n\nimport { b } from '../adk/b.ts';\n")).toEqual([
    "src/context/a.ts:3: context must not import adk ('../adk/b.ts'); context may import: core, broker",
  ]);
});

it('refuses a folder that the table does not know', () => {
  expect(check('src/misc/a.ts', '')).toEqual([expect.stringContaining('src/misc is not in the table')]);
});

it('has arrows without a circle', () => {
  const reach = (room: string): string[] => (MAY_IMPORT[room] ?? []).flatMap((to) => [to, ...reach(to)]);
  for (const room of Object.keys(MAY_IMPORT)) expect(reach(room)).not.toContain(room);
});
