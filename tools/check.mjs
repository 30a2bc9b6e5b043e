// @ts-check
/**
 * `npm run check`: every gate, the tests last. A failing gate does not hide the ones behind it.
 *
 *   --static        the gates without the tests
 *   --report DIR    also write DIR/check.json, and the tests' results as DIR/tests.json (.ci/run counts both)
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * @typedef {object} Gate
 * @property {string} script npm script, also the name to run it alone by
 * @property {string} failure what a failure means, and the way out
 */

/** @type {readonly Gate[]} */
const GATES = [
  { script: 'check:types', failure: 'the code does not type-check, or does not build' },
  { script: 'check:lint', failure: 'Biome found faults, or unformatted code; npm run format mends most' },
  { script: 'check:imports', failure: 'an import goes against the one-way rule (CONTRIBUTING.md)' },
  { script: 'check:unused', failure: 'knip found a file, an export or a dependency that nothing uses' },
  {
    script: 'check:api',
    failure:
      'the public surface differs from etc/ (npm run api accepts it), or a type of it is exported nowhere',
  },
  {
    script: 'check:package',
    failure: 'what npm would publish is wrong, or over its budget',
  },
  { script: 'check:loads', failure: 'importing the package loads what it must not' },
];

const { values } = parseArgs({ options: { static: { type: 'boolean' }, report: { type: 'string' } } });

/** @type {{ name: string, ok: boolean, failure: string }[]} */
const gates = [];
for (const { script, failure } of GATES) {
  gates.push({ name: script, ok: npm(['run', script]) === 0, failure });
}

/** @type {number | undefined} */
let tests;
if (!values.static) {
  const reporters = values.report && [
    '--',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${join(values.report, 'tests.json')}`,
  ];
  tests = npm(['test', ...(reporters || [])]);
}

console.log('');
for (const { name, ok, failure } of gates)
  console.log(ok ? `ok      ${name}` : `FAILED  ${name}: ${failure}`);
if (tests !== undefined) console.log(tests === 0 ? 'ok      test' : 'FAILED  test');
if (values.report) {
  writeFileSync(join(values.report, 'check.json'), JSON.stringify({ gates, tests }));
}
process.exitCode = gates.every(({ ok }) => ok) && !tests ? 0 : 1;

/**
 * @param {string[]} args
 * @returns {number} exit code
 */
function npm(args) {
  console.log(`\n$ npm ${args.join(' ')}`);
  const { status, error } = spawnSync('npm', args, {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) console.error(error.message);
  return status ?? 1;
}
