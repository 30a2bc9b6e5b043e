// The demo's command line: `npm run demo`.
import { parseArgs } from 'node:util';

const USAGE = `Usage: npm run demo -- [--serve | --json] [--verbose]

Plays six runs of an agent, served over A2A, that calls tools on MCP servers for its users, and shows which
tokens were exchanged and what each server saw. Exits with 1 if anything is not as promised.

  --serve    then leave everything running, and print commands to try
  --json     print one JSON document on stdout, and nothing else there
  --verbose  every log level of the agent framework, on stderr
  --help     show this text
`;

const OPTIONS = {
  serve: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  // For tests only: writes every token of the demo to this file, to be searched for elsewhere.
  'tokens-file': { type: 'string' },
} as const;

export type Flags = ReturnType<typeof parse>['values'];

function parse(args: string[]) {
  return parseArgs({ args, options: OPTIONS });
}

/** Runs the command and gives its exit code. */
async function main(args: string[]): Promise<number> {
  let flags: Flags;
  try {
    flags = parse(args).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (flags.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (flags.serve && flags.json) {
    process.stderr.write(`--serve is for people and --json for programs: leave one out\n\n${USAGE}`);
    return 2;
  }
  const stopped = stopOnSignals();
  try {
    // The agent framework takes a second to load, which asking for help need not.
    const { play } = await import('./play.ts');
    return await play(flags, stopped);
  } catch (error) {
    if (stopped.aborted) return stopped.reason as number;
    throw error;
  }
}

/** The first signal stops the demo in good order, with the exit code as reason; a second one kills it. */
function stopOnSignals(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(130));
  process.once('SIGTERM', () => controller.abort(143));
  return controller.signal;
}

process.exitCode = await main(process.argv.slice(2));
