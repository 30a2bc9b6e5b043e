// @ts-check
/**
 * Makes the package that users install: the JavaScript without comments (the declarations have them, and that is where
 * editors look), and only the declarations that the entry points lead to. dist/ itself stays as it is.
 *
 *   node tools/prepare-package.mjs    packs it into the current folder, and prints the name of the file
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What npm packs whatever `files` says. */
const ALWAYS = ['README.md', 'LICENSE'];

/**
 * Lays out the package. dist/ must be built.
 *
 * @param {string} root directory that holds package.json and dist/
 * @param {string} into an empty directory
 */
export function layOut(root, into) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of [...ALWAYS, ...manifest.files])
    cpSync(join(root, name), join(into, name), { recursive: true });
  // Its scripts are for this repository.
  const { scripts: _, ...rest } = manifest;
  writeFileSync(join(into, 'package.json'), `${JSON.stringify(rest, null, 2)}\n`);
  for (const file of unreachable(into)) rmSync(file);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', join(root, 'tsconfig.pack.json'), '--outDir', join(into, 'dist')];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('the JavaScript of the package could not be built');
}

/**
 * The declarations that no entry point leads to.
 *
 * @param {string} root directory that holds package.json and dist/
 * @returns {string[]} absolute paths
 */
export function unreachable(root) {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const reached = new Set();
  const left = Object.values(exports).flatMap(({ types }) => (types ? [resolve(root, types)] : []));
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (reached.has(file) || !existsSync(file)) continue;
    reached.add(file);
    for (const [, , path] of readFileSync(file, 'utf8').matchAll(/(from|import\()\s*['"](\.[^'"]+)['"]/g)) {
      left.push(resolve(dirname(file), /** @type {string} */ (path).replace(/\.[jt]s$/, '.d.ts')));
    }
  }
  const dist = join(root, 'dist');
  return readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.d.ts'))
    .map((name) => resolve(dist, name))
    .filter((file) => !reached.has(file));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stage = mkdtempSync(join(tmpdir(), 'onbehalf-package-'));
  try {
    layOut(process.cwd(), stage);
    const { status } = spawnSync('npm', ['pack', stage], { stdio: 'inherit' });
    process.exitCode = status ?? 1;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
