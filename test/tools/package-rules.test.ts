import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkContents, MAX_LIBRARY_BYTES, MAX_PACKED_BYTES } from '../../tools/package-rules.mjs';

const DOCUMENTS = [
  'package.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'deploy/grafana/onbehalf.json',
  'docs/agent.md',
  'docs/configuration.md',
  'docs/errors.md',
  'docs/inbound.md',
  'docs/kagent.md',
  'docs/kubernetes.md',
  'docs/security.md',
  'docs/telemetry.md',
  'schema/config.schema.json',
];

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'onbehalf-package-'));
  mkdirSync(join(root, 'src'));
  writeFileSync(join(root, 'src/index.ts'), '');
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const check = (paths: string[], size = 1, dependencies: Record<string, string> = {}): string[] =>
  checkContents({ size, files: paths.map((path) => ({ path })) }, 1, { dependencies }, root);

it('accepts the build and the documents', () => {
  const pages = [
    'docs/adr/0001-a-decision.md',
    'docs/clients/a-client.md',
    'docs/identity-providers/README.md',
  ];
  expect(check([...DOCUMENTS, ...pages, 'dist/index.js', 'dist/index.d.ts'])).toEqual([]);
});

it.each([
  'build/bench/main.js',
  'docs/clients/notes.txt',
  'dist/src.tsbuildinfo',
  'dist/index.js.map',
  'src/index.ts',
  '.npmrc',
])('refuses %s', (path) => {
  expect(check([...DOCUMENTS, path])).toEqual([expect.stringContaining(path)]);
});

it('refuses the output of a source that is gone', () => {
  expect(check([...DOCUMENTS, 'dist/gone.js'])).toEqual([expect.stringContaining('src/gone.ts')]);
});

it.each(DOCUMENTS)('misses %s', (missing) => {
  expect(check(DOCUMENTS.filter((name) => name !== missing))).toEqual([`${missing} is not packed`]);
});

it('keeps to the size', () => {
  expect(check(DOCUMENTS, MAX_PACKED_BYTES)).toEqual([]);
  expect(check(DOCUMENTS, MAX_PACKED_BYTES + 1)).toEqual([expect.stringContaining('the budget is 450000')]);
});

it('keeps to the size of the library', () => {
  const tarball = { size: 1, files: DOCUMENTS.map((path) => ({ path })) };
  expect(checkContents(tarball, MAX_LIBRARY_BYTES, {}, root)).toEqual([]);
  expect(checkContents(tarball, MAX_LIBRARY_BYTES + 1, {}, root)).toEqual([
    expect.stringContaining('without the programs is 200001 bytes'),
  ]);
});

it.each(['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare'])(
  'refuses a script %s, which npm runs, or warns of, where the package is installed',
  (name) => {
    const tarball = { size: 1, files: DOCUMENTS.map((path) => ({ path })) };
    expect(checkContents(tarball, 1, { scripts: { prepack: 'npm run build', test: 'true' } }, root)).toEqual(
      [],
    );
    expect(checkContents(tarball, 1, { scripts: { [name]: 'npm run build' } }, root)).toEqual([
      `package.json has a script ${name}, which is for installing: use prepack`,
    ]);
  },
);

it('keeps to three runtime dependencies', () => {
  expect(check(DOCUMENTS, 1, { a: '1', b: '1', c: '1' })).toEqual([]);
  expect(check(DOCUMENTS, 1, { a: '1', b: '1', c: '1', d: '1' })).toEqual([
    '4 runtime dependencies (a, b, c, d), the budget is 3',
  ]);
});
