// The command line of the benches.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

const USAGE = `Usage: npm run bench -- NAME [--json] [--check] [--frameworks]

  adk      ADK's own MCPToolset and ours, side by side (takes about a minute)
  agent    the agent server over HTTP, against ADK's own toA2a; its memory over 20,000 runs (five minutes)
  broker   the broker alone: look-ups, memory, exchanges, against google-auth-library and oauth4webapi (a minute)
  kubernetes
           the controller with a thousand agents on a real API server, which is built first (3 minutes; the first time 10 more)
  mcp      the delegated fetch, the session pool and the toolset against bare clients; a thousand users (90 seconds)

  --json   print one JSON document on stdout instead of tables
  --check  exit 1 if a budget is not met
  --frameworks
           mcp: also ai-sdk, langchain, openai-agents and mastra, with and without Onbehalf; fetches a Node 24 and 330 MB of
           packages, once
  --help   show this text
`;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  frameworks: { type: 'boolean', default: false },
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
  const [name] = positionals;
  const bench = name !== undefined && Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (positionals.length !== 1 || !bench) {
    process.stderr.write(`${wrongName(positionals)}\n\n${USAGE}`);
    return 2;
  }
  const outcome = await bench((line) => process.stderr.write(`${line}\n`), values);
  if (values.json) {
    const machine = { node: process.version, cpus: cpus().length, model: cpus()[0]?.model };
    process.stdout.write(`${JSON.stringify({ machine, ...outcome.json })}\n`);
  } else {
    outcome.print((line) => process.stdout.write(`${line}\n`));
  }
  return values.check && !outcome.met ? 1 : 0;
}

/** What a bench came to. */
interface Outcome {
  readonly json: object;
  readonly print: (to: (line: string) => void) => void;
  /** Whether every budget is met. */
  readonly met: boolean;
}

type Bench = (
  progress: (line: string) => void,
  options: { readonly frameworks: boolean },
) => Promise<Outcome>;

/** Loaded when asked for: the agent framework takes a second to load, which asking for help need not. */
const BENCHES: Readonly<Record<string, Bench>> = {
  async adk(progress) {
    const { benchAdk } = await import('./adk.ts');
    const { budgetsOf, printReport, ratiosOf } = await import('./adk-report.ts');
    const rows = await benchAdk(progress);
    const budgets = budgetsOf(rows);
    return {
      json: { rows, ratios: ratiosOf(rows), budgets },
      print: (to) => printReport(rows, to),
      met: budgets.every(({ met }) => met),
    };
  },
  async agent(progress) {
    const { benchAgent } = await import('./agent/main.ts');
    const { printFindings } = await import('./findings.ts');
    const findings = await benchAgent(progress);
    return {
      json: { findings },
      print: (to) => printFindings(findings, to),
      met: findings.every(({ met }) => met !== false),
    };
  },
  async broker(progress) {
    const { benchBroker } = await import('./broker/main.ts');
    const { printFindings } = await import('./findings.ts');
    const findings = await benchBroker(progress);
    return {
      json: { findings },
      print: (to) => printFindings(findings, to),
      met: findings.every(({ met }) => met !== false),
    };
  },
  async kubernetes(progress) {
    const { benchKubernetes } = await import('./kubernetes/main.ts');
    const { printFindings } = await import('./findings.ts');
    const findings = await benchKubernetes(progress);
    return {
      json: { findings },
      print: (to) => printFindings(findings, to),
      met: findings.every(({ met }) => met !== false),
    };
  },
  async mcp(progress, options) {
    const { benchMcp } = await import('./mcp/main.ts');
    const { printFindings } = await import('./findings.ts');
    const findings = await benchMcp(progress, options);
    return {
      json: { findings },
      print: (to) => printFindings(findings, to),
      met: findings.every(({ met }) => met !== false),
    };
  },
};

function wrongName([name, ...others]: readonly string[]): string {
  if (others.length > 0) return 'one bench at a time';
  const there = `there are ${Object.keys(BENCHES).join(', ')}`;
  return name === undefined ? `name the bench; ${there}` : `no bench ${JSON.stringify(name)}; ${there}`;
}

function parse(args: string[]) {
  return parseArgs({ args, options: OPTIONS, allowPositionals: true });
}

process.exitCode = await main(process.argv.slice(2));
