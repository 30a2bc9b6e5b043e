// @ts-check
/**
 * `npm run test:faults`: plays the fault matrix and prints it as a table, or with `--json` as one JSON document.
 *
 * The rows are those of `npm test`; vitest runs them, since Node 20 runs no TypeScript.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** @typedef {import('./row.ts').FaultResult} FaultResult */

const USAGE = `Usage: npm run test:faults [-- --json]

Plays each fault that an STS, an MCP server, a store or a caller can have, and compares what came of it with what should:

  fault             what goes wrong
  outcome expected  what the caller should get: a token, a tool response, or the code of an error
  got               what the caller got
  STS requests      how many there were, and how many there should have been
  MCP requests      the same at the MCP servers
  leaks             tokens and secrets seen where they must not be; the rows' leaks are listed below the table
  ok                yes: all of it is as expected

  --json  print one JSON document: { rows, asExpected, notAsExpected, broken }
  --help  show this text

Exit codes: 0 all rows are as expected, 1 one is not or was not run to its end, 2 the command line is wrong.
`;

const options = parsed();
/** @type {FaultResult[]} */
const rows = [];
/** @type {string[]} */
const broken = [];

/** @type {import('vitest/node').Reporter} */
const collector = {
  onTestRunEnd(modules, unhandled) {
    for (const error of unhandled) broken.push(String(error.message));
    for (const module of modules) {
      for (const error of module.errors()) broken.push(String(error.message));
      for (const test of module.children.allTests()) {
        const { fault } = test.meta();
        if (fault) rows.push(fault);
        else if (test.result().state !== 'passed') {
          broken.push(`${test.fullName}: ${test.result().errors?.[0]?.message}`);
        }
      }
    }
  },
};

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
// Loaded when it is needed: it takes longer than to say what is wrong with the command line.
const { startVitest } = await import('vitest/node');
const vitest = await startVitest('test', ['test/faults/faults.test.ts'], {
  ...{ root, watch: false, reporters: [collector] },
});
await vitest.close();

const asExpected = rows.filter(({ ok }) => ok).length;
const failed = rows.length - asExpected;
if (options.json) console.log(JSON.stringify({ rows, asExpected, notAsExpected: failed, broken }, null, 2));
else print();
process.exitCode = failed === 0 && broken.length === 0 && rows.length > 0 ? 0 : 1;

/** @returns {{ json?: boolean | undefined }} */
function parsed() {
  const forms = /** @type {const} */ ({ json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } });
  try {
    const { values } = parseArgs({ options: forms });
    if (!values.help) return values;
    process.stdout.write(USAGE);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${/** @type {Error} */ (error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

function print() {
  const head = ['#', 'fault', 'outcome expected', 'got', 'STS requests', 'MCP requests', 'leaks', 'ok'];
  const lines = [head, ...rows.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => String(line[column]).length)));
  for (const line of lines) {
    console.log(
      line
        .map((cell, column) => cell.padEnd(Number(widths[column])))
        .join(' | ')
        .trimEnd(),
    );
  }
  for (const { fault, leaks } of rows) for (const leak of leaks) console.log(`${fault}: ${leak}`);
  for (const line of broken) console.log(`not run to its end: ${line}`);
  console.log(`\n${rows.length} rows, ${asExpected} as expected, ${failed} not`);
}

/**
 * @param {FaultResult} row
 * @param {number} index
 */
function cells({ fault, expected, got, sts, mcp, leaks, ok }, index) {
  const outcome = got === expected ? 'as expected' : got;
  return [index + 1, fault, expected, outcome, count(sts), count(mcp), leaks.length, ok ? 'yes' : 'NO'].map(
    String,
  );
}

/** @param {FaultResult['sts']} counted */
function count({ expected, got }) {
  return got === expected ? `${got}` : `${got}, not ${expected}`;
}
