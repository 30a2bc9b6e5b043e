import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { unreachable } from '../../tools/prepare-package.mjs';

function folder(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'onbehalf-package-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

test('only declarations that no entry point leads to are left out of the package', () => {
  const exports = { '.': { types: './dist/index.d.ts' }, './x': { types: './dist/x/index.d.ts' } };
  const root = folder({
    'package.json': JSON.stringify({ exports: { ...exports, './package.json': './package.json' } }),
    'dist/index.d.ts': `export { a } from './a.ts';\nexport type B = import('./x/b.ts').B;`,
    'dist/a.d.ts': `import type { C } from "./x/c.js";\nexport declare const a: C;`,
    'dist/x/index.d.ts': `export * from '../a.ts'`,
    'dist/x/b.d.ts': 'export type B = 1;',
    'dist/x/c.d.ts': `export * from '../a.ts'; export type C = 1;`,
    'dist/x/inner.d.ts': `export * from './deeper.ts'`,
    'dist/x/deeper.d.ts': '',
    'dist/x/deeper.js': '',
  });
  expect(
    unreachable(root)
      .map((path) => path.slice(root.length + 1))
      .toSorted(),
  ).toEqual(['dist/x/deeper.d.ts', 'dist/x/inner.d.ts']);
});
