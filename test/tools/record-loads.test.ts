import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'onbehalf-loads-')));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('records what Node loads, by import, by require and lazily, and nothing else', () => {
  const record = join(folder, 'record');
  writeFileSync(join(folder, 'entry.mjs'), "import './inner.cjs'; await import('./lazy.mjs');");
  writeFileSync(join(folder, 'inner.cjs'), "require('./required.cjs'); () => require('./never.cjs');");
  for (const name of ['required.cjs', 'lazy.mjs', 'never.cjs']) writeFileSync(join(folder, name), '');

  execFileSync(process.execPath, ['--import', './tools/record-loads.mjs', join(folder, 'entry.mjs')], {
    env: { ...process.env, ONBEHALF_LOAD_RECORD: record },
  });

  const loaded = readFileSync(record, 'utf8').trim().split('\n');
  expect([...new Set(loaded.map((path) => basename(path)))].sort()).toEqual([
    'entry.mjs',
    'inner.cjs',
    'lazy.mjs',
    'required.cjs',
  ]);
});
