// @ts-check
/**
 * Adds up what the suites of .ci/run did, and prints `N passed, N failed, N skipped` as its last line.
 * A suite that ran nothing, wrote no report or exited non-zero without a failure to show counts as failed.
 *
 *   node tools/tally.mjs SUITES    lines of KIND, NAME, EXIT CODE, REPORT (a path), separated by tabs
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {{ passed: number, failed: number, skipped: number, notes: string[] }} Count */

/**
 * @param {string | undefined} report JSON of vitest's json reporter
 * @param {number} exit
 * @returns {Count}
 */
export function tallyVitest(report, exit) {
  const json = parse(report);
  if (!json) return broken('wrote no JSON report');
  const brokenFiles = json.testResults.filter(
    (/** @type {any} */ file) =>
      file.status === 'failed' &&
      !file.assertionResults.some((/** @type {any} */ test) => test.status === 'failed'),
  );
  return settle(
    {
      passed: json.numPassedTests,
      failed: json.numFailedTests + brokenFiles.length,
      skipped: json.numPendingTests + json.numTodoTests,
      notes: brokenFiles.map((/** @type {any} */ file) => `${file.name} could not be run`),
    },
    exit,
  );
}

/**
 * The document says of all runs together whether they were as promised, so together they pass or fail.
 *
 * @param {string | undefined} report what `npm run demo -- --json` wrote: one JSON document, `{ ok, runs }`
 * @param {number} exit
 * @returns {Count}
 */
export function tallyDemo(report, exit) {
  const json = parse(report);
  if (!Array.isArray(json?.runs)) return broken('did not write one JSON document with `runs`');
  const runs = json.runs.length;
  const kept = json.ok === true && exit === 0;
  return settle(
    {
      passed: kept ? runs : 0,
      failed: kept ? 0 : runs,
      skipped: 0,
      notes: kept ? [] : ['not as promised: see what it wrote on stderr'],
    },
    exit,
  );
}

/**
 * @param {string | undefined} output of an interop suite; its last line must be the plain one
 * @param {number} exit
 * @returns {Count}
 */
export function tallyPlain(output, exit) {
  const last = output?.trimEnd().split('\n').at(-1) ?? '';
  const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(last);
  if (!match) return broken('its last line is not `N passed, N failed, N skipped`');
  const [passed, failed, skipped] = match.slice(1).map(Number);
  return settle({ passed: passed ?? 0, failed: failed ?? 0, skipped: skipped ?? 0, notes: [] }, exit);
}

/**
 * @param {string | undefined} report the check.json of tools/check.mjs
 * @param {string | undefined} tests the tests.json beside it
 * @param {number} exit
 * @returns {Count} the gates, one each, and the tests
 */
export function tallyCheck(report, tests, exit) {
  const json = parse(report);
  if (!json) return broken('wrote no check.json');
  const failures = json.gates.filter((/** @type {any} */ gate) => !gate.ok);
  const ofTests = tallyVitest(tests, json.tests ?? 1);
  const sum = add([
    {
      passed: json.gates.length - failures.length,
      failed: failures.length,
      skipped: 0,
      notes: failures.map((/** @type {any} */ gate) => `${gate.name}: ${gate.failure}`),
    },
    ofTests,
  ]);
  return json.gates.length === 0 ? add([sum, broken('ran no gate')]) : settle(sum, exit);
}

/**
 * @param {readonly Count[]} counts
 * @returns {Count}
 */
export function add(counts) {
  return counts.reduce(
    (sum, count) => ({
      passed: sum.passed + count.passed,
      failed: sum.failed + count.failed,
      skipped: sum.skipped + count.skipped,
      notes: [...sum.notes, ...count.notes],
    }),
    { passed: 0, failed: 0, skipped: 0, notes: [] },
  );
}

/**
 * @param {Count} count
 * @param {number} exit
 * @returns {Count} the same, with a failure where there must be one
 */
function settle(count, exit) {
  if (![count.passed, count.failed, count.skipped].every(Number.isInteger))
    return broken('its report has no counts');
  if (count.passed + count.failed === 0) return add([count, broken('ran nothing')]);
  if (exit !== 0 && count.failed === 0) return add([count, broken(`exited with ${exit}`)]);
  return count;
}

/**
 * @param {string} note
 * @returns {Count}
 */
function broken(note) {
  return { passed: 0, failed: 1, skipped: 0, notes: [note] };
}

/**
 * @param {string | undefined} text
 * @returns {any}
 */
function parse(text) {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/**
 * @param {string} path
 * @returns {string | undefined}
 */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * @param {string} kind
 * @param {string} path
 * @param {number} exit
 * @returns {Count}
 */
function tallySuite(kind, path, exit) {
  switch (kind) {
    case 'check':
      return tallyCheck(read(path), read(join(dirname(path), 'tests.json')), exit);
    case 'vitest':
      return tallyVitest(read(path), exit);
    case 'demo':
      return tallyDemo(read(path), exit);
    case 'plain':
      return tallyPlain(read(path), exit);
    default:
      return broken(`unknown kind of suite: ${kind}`);
  }
}

/**
 * @param {string} line
 * @returns {Count}
 */
function tallyLine(line) {
  const [kind, name, code, path] = line.split('\t');
  if (!kind || !name || !code || !path) return broken(`not a suite: ${line}`);
  const count = tallySuite(kind, path, Number(code));
  // Not in the words of the last line, which must be the only one of its kind.
  console.log(`${name}: passed ${count.passed}, failed ${count.failed}, skipped ${count.skipped}`);
  for (const note of count.notes) console.log(`  ${note}`);
  return count;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lines = (read(process.argv[2] ?? '') ?? '').split('\n').filter(Boolean);
  const { passed, failed, skipped } = settle(add(lines.map(tallyLine)), 0);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = failed > 0 ? 1 : 0;
}
