// @ts-check
/**
 * What users would install: packed once, then looked at by publint, by attw and by our own rules, and
 * installed and tried.
 * (Both are run as commands, which knip cannot see; hence its `ignoreDependencies`.)
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkInstalled } from './installed-agent.mjs';
import { checkContents, PROGRAMS } from './package-rules.mjs';
import { layOut } from './prepare-package.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'onbehalf-pack-'));
const stage = mkdtempSync(join(tmpdir(), 'onbehalf-stage-'));
try {
  layOut(process.cwd(), stage);
  const tarball = pack('--pack-destination', scratch);
  for (const program of PROGRAMS) rmSync(join(stage, program), { recursive: true });
  const library = pack('--dry-run');
  const file = join(scratch, tarball.filename);
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  const problems = checkContents(tarball, library.size, manifest, process.cwd());
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  const [all, part] = [tarball, library].map(({ size }) => `${(size / 1000).toFixed(1)} kB`);
  console.log(`packed: ${all}, ${tarball.entryCount} files; without the programs ${part}`);
  run('publint', ['run', file, '--strict']);
  run('attw', [file, '--profile', 'esm-only', '--format', 'ascii', '--no-color', '--no-emoji']);
  const failures = await checkInstalled(file, process.cwd());
  for (const failure of failures) console.error(failure);
  if (failures.length > 0) process.exitCode = 1;
  else console.log('installed: onbehalf agent served the example, and acted for alice');
} finally {
  for (const folder of [scratch, stage]) rmSync(folder, { recursive: true, force: true });
}

/**
 * Packs the stage.
 *
 * @param {...string} args
 * @returns {{ size: number, filename: string, entryCount: number, files: { path: string }[] }}
 */
function pack(...args) {
  // No scripts: it is built already, and what `prepack` prints would spoil the JSON.
  return JSON.parse(run('npm', ['pack', stage, '--json', '--ignore-scripts', ...args]))[0];
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
