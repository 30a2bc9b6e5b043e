import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SUITES } from '../../tools/interop.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FAULTS = 'test/faults/main.mjs';
const INTEROP = 'tools/interop.mjs';
/** Built by `npm test`. */
const BENCH = 'build/bench/main.js';

const run = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  return { status, stdout, stderr };
};

test.each([
  [FAULTS, 'Usage: npm run test:faults'],
  [INTEROP, 'Usage: npm run interop:keycloak'],
  [BENCH, 'Usage: npm run bench'],
])('%s --help prints its usage, and runs nothing', (path, usage) => {
  expect(run(path, '--help')).toEqual({ status: 0, stdout: expect.stringContaining(usage), stderr: '' });
});

test.each(Object.keys(SUITES))('%s --help says what the suite needs, and does not ask vitest', (suite) => {
  const { status, stdout, stderr } = run(INTEROP, suite, '--help');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`Usage: npm run interop:${suite} `);
  expect(stdout).toContain('ONBEHALF_INTEROP=required');
  expect(stdout).toContain('.cache/onbehalf');
  expect(stdout).not.toContain('passed');
});

test('each interop suite that there is has a usage', () => {
  const folders = readdirSync(`${ROOT}/test/interop`);
  const suites = folders.filter((name) => existsSync(`${ROOT}/test/interop/${name}/vitest.config.ts`));
  expect(Object.keys(SUITES).sort()).toEqual(suites.sort());
});

test.each([
  [[FAULTS, '--jsn'], "Unknown option '--jsn'", 'Usage: npm run test:faults'],
  [[FAULTS, 'slow'], "Unexpected argument 'slow'", 'Usage: npm run test:faults'],
  [[INTEROP], 'name the suite; there are keycloak, redis', 'Usage: npm run interop:keycloak'],
  [[INTEROP, 'nope'], 'no suite "nope"; there are keycloak, redis', 'Usage: npm run interop:keycloak'],
  [[INTEROP, 'toString'], 'no suite "toString"', 'Usage: npm run interop:keycloak'],
  [[BENCH], 'name the bench; there are adk, agent, broker', 'Usage: npm run bench'],
  [[BENCH, 'nope'], 'no bench "nope"; there are adk, agent, broker', 'Usage: npm run bench'],
  [[BENCH, 'adk', 'broker'], 'one bench at a time', 'Usage: npm run bench'],
  [[BENCH, '--chek'], "Unknown option '--chek'", 'Usage: npm run bench'],
])('%j is a mistake: what is wrong, the usage, and 2', (args, said, usage) => {
  const { status, stdout, stderr } = run(...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr.startsWith(said)).toBe(true);
  expect(stderr).toContain(usage);
  expect(stderr).not.toContain('    at ');
});
