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
 * The suites, and what each needs.
 * @type {Readonly<Record<string, string>>}
 */
export const SUITES = {
  keycloak: `Needs a Java 17 or later: that of JAVA_HOME, of the PATH, or of /usr/lib/jvm. On Debian, as root, it is installed
(apt-get). Keycloak is downloaded from a Maven repository, once.

  ONBEHALF_MAVEN_REPOSITORY=URL  the repository; default https://repo.maven.apache.org/maven2
`,
  redis: `Needs redis-server: that of the PATH, or that of Debian's packages, which are downloaded once (apt-get download) and
unpacked, not installed. Needs no rights.

`,
  conformance: `Needs Node 24: this one, or that of the package node, and the packages of test/interop/conformance/packages (the
MCP conformance runner and reference server). npm fetches both once, from the registry that it is set to.

`,
  kubernetes: `Needs Go 1.21 or later: that of the PATH, or one that is fetched from the Go module proxy (Linux). etcd, kube-apiserver, kube-controller-manager and kubectl are
built once from the Go module proxy: six minutes on two idle cores, ten on busy ones, with 5 GB of disk meanwhile and 0.3 GB after.

`,
  clients: `Needs the MCP clients and frameworks of test/interop/clients/package.json, which are installed once (npm ci, 330 MB), and
a Node 24: this one, or that of the npm package "node". Runs the examples of examples/clients and the isolation suite with
each of them.

`,
};

/** @param {string} [suite] undefined: of all */
function usage(suite) {
  const commands = (suite === undefined ? Object.keys(SUITES) : [suite]).map(
    (name) => `npm run interop:${name}`,
  );
  return `Usage: ${commands.join(' [-- arguments of vitest]\n       ')} [-- arguments of vitest]

Runs the tests of test/interop/${suite ?? 'SUITE'} against a real server, which is started on loopback and stopped at the end.
${suite === undefined ? '\n' : SUITES[suite]}  ONBEHALF_INTEROP=required      a server that cannot be had is a failure; without, the tests are skipped

What is downloaded is kept in ~/.cache/onbehalf (or $XDG_CACHE_HOME/onbehalf): remove it to have it fetched anew.
Exit codes: 0 nothing failed, 1 something failed, 2 the command line is wrong.
`;
}

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
  const known = suite !== undefined && Object.hasOwn(SUITES, suite);
  if ([suite, ...args].some((argument) => argument === '--help' || argument === '-h')) {
    process.stdout.write(usage(known ? suite : undefined));
  } else if (known) {
    await run(suite, args);
  } else {
    const wrong = suite === undefined ? 'name the suite' : `no suite ${JSON.stringify(suite)}`;
    process.stderr.write(`${wrong}; there are ${Object.keys(SUITES).join(', ')}\n\n${usage()}`);
    process.exitCode = 2;
  }
}
