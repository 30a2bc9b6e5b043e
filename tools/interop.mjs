// @ts-check
/**
 * Runs one interop suite against a real server, and ends with one line: `N passed, N failed, N skipped`.
 *
 *   node tools/interop.mjs SUITE [arguments of vitest]    runs test/interop/SUITE
 *
 * The suite starts its server itself. A server that cannot be had makes the suite a skip, or, with
 * ONBEHALF_INTEROP=required, a failure.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tallyVitest } from './tally.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * @param {string | undefined} report JSON of vitest's json reporter
 * @param {number} exit
 * @param {boolean} required whether a suite that skipped everything has failed
 * @returns {import('./tally.mjs').Count}
 */
export function interopCount(report, exit, required) {
  const count = tallyVitest(report, exit);
  // What exits with 0 has no failure but that it ran nothing.
  const skippedAll = exit === 0 && count.passed === 0 && count.skipped > 0;
  return skippedAll && !required ? { ...count, failed: 0, notes: [] } : count;
}

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code of vitest
 */
function vitest(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...args], {
      cwd: root,
      stdio: 'inherit',
    });
    // Ctrl-C reaches vitest by itself; here we only stay until it has stopped its server.
    process.on('SIGINT', () => {});
    for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP']))
      process.on(signal, () => child.kill(signal));
    child.on('error', () => resolve(1));
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/**
 * @param {string} suite
 * @param {string[]} args
 */
async function run(suite, args) {
  const config = `test/interop/${suite}/vitest.config.ts`;
  if (!existsSync(join(root, config))) throw new Error(`there is no interop suite "${suite}"`);
  const work = mkdtempSync(join(tmpdir(), 'onbehalf-interop-'));
  const report = join(work, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const exit = await vitest(['--config', config, ...reporters, ...args]);
    const text = existsSync(report) ? readFileSync(report, 'utf8') : undefined;
    const count = interopCount(text, exit, process.env.ONBEHALF_INTEROP === 'required');
    for (const note of count.notes) console.log(note);
    console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
    process.exitCode = count.failed > 0 ? 1 : 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [suite, ...args] = process.argv.slice(2);
  if (!suite) throw new Error('usage: node tools/interop.mjs SUITE');
  await run(suite, args);
}
