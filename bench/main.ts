// The command line of the benches.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { budgetsOf, printReport, ratiosOf } from './adk-report.ts';

const USAGE = `Usage: npm run bench -- adk [--json] [--check]

  adk      ADK's own MCPToolset and ours, side by side (takes about a minute)

  --json   print one JSON document on stdout instead of tables
  --check  exit 1 if a budget is not met
  --help   show this text
`;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

async function main(args: string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (positionals.length !== 1 || positionals[0] !== 'adk') {
    process.stderr.write(`name the bench to run\n\n${USAGE}`);
    return 2;
  }

  // The agent framework takes a second to load, which asking for help need not.
  const { benchAdk } = await import('./adk.ts');
  const rows = await benchAdk((line) => process.stderr.write(`${line}\n`));
  const budgets = budgetsOf(rows);
  if (values.json) {
    const machine = { node: process.version, cpus: cpus().length, model: cpus()[0]?.model };
    process.stdout.write(`${JSON.stringify({ machine, rows, ratios: ratiosOf(rows), budgets })}\n`);
  } else {
    printReport(rows, (line) => process.stdout.write(`${line}\n`));
  }
  return values.check && budgets.some(({ met }) => !met) ? 1 : 0;
}

function parse(args: string[]) {
  return parseArgs({ args, options: OPTIONS, allowPositionals: true });
}

process.exitCode = await main(process.argv.slice(2));
