// @ts-check
/**
 * What users would install: packed once, then looked at by publint, by attw and by our own rules.
 * (Both are run as commands, which knip cannot see; hence its `ignoreDependencies`.)
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkContents } from './package-rules.mjs';
import { layOut } from './prepare-package.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'onbehalf-pack-'));
const stage = mkdtempSync(join(tmpdir(), 'onbehalf-stage-'));
try {
  layOut(process.cwd(), stage);
  // No scripts: it is built already, and what `prepack` prints would spoil the JSON.
  const packed = run('npm', ['pack', stage, '--json', '--ignore-scripts', '--pack-destination', scratch]);
  const [tarball] = JSON.parse(packed);
  const file = join(scratch, tarball.filename);
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  const problems = checkContents(tarball, manifest, process.cwd());
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  console.log(`packed: ${(tarball.size / 1000).toFixed(1)} kB, ${tarball.entryCount} files`);
  run('publint', ['run', file, '--strict']);
  run('attw', [file, '--profile', 'esm-only', '--format', 'ascii', '--no-color', '--no-emoji']);
} finally {
  for (const folder of [scratch, stage]) rmSync(folder, { recursive: true, force: true });
}

/**
 * @param {string} command looked up on the PATH, which npm sets up for scripts
 * @param {string[]} args
 * @returns {string} what it wrote; shown where the command fails
 */
function run(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    console.error(`${result.stdout}\n${command} refused the package (exit code ${result.status}).`);
    process.exitCode = 1;
  }
  return result.stdout;
}
