// ADK's own MCPToolset and ours, side by side in one run, on the same server, model and script.
import { setLogger } from '@google/adk';
import {
  bareClient,
  type Contender,
  createBenchBroker,
  ours,
  type RunResult,
  stock,
  type User,
} from './contenders.ts';
import type { CallTimes } from './measuring-plugins.ts';
import { type Requests, type Servers, startServers } from './servers.ts';
import { addTally, median, type Spread, spread, total } from './stats.ts';

/** `cold`: the first run of a new process. `warm`: the same user's next run. `run`: tokens dropped at the run's end. */
export type Name = 'stock' | 'ours cold' | 'ours warm' | 'ours run' | 'bare client';

export interface Row {
  scenario: string;
  contender: Name;
  runs: number;
  failed: number;
  /** What failed runs said, and how often. */
  failures: Record<string, number>;
  /** HTTP requests of all measured runs together, by kind. */
  requests: Requests;
  requestsPerRun: number;
  /** In ms: around a tool call with all plugin callbacks, inside the tool's runAsync, and a whole run. */
  toolCall: Spread;
  insideTool: Spread;
  run: Spread;
  /** Medians of each round, to be compared with those that other contenders had in the same round. */
  rounds: { toolCall: number; insideTool: number }[];
}

interface Scenario {
  name: string;
  rounds: number;
  users: number;
  message: (user: number) => string;
}

const SCENARIOS: readonly Scenario[] = [
  { name: '1 call', rounds: 12, users: 1, message: () => '1 calls' },
  { name: '3 calls', rounds: 12, users: 1, message: () => '3 calls' },
  { name: '10 calls', rounds: 20, users: 1, message: () => '10 calls' },
  { name: '4 at once', rounds: 12, users: 1, message: () => '4 at once' },
  { name: '32 users', rounds: 2, users: 32, message: (user) => `${1 + (user % 3)} calls` },
  { name: '256 users', rounds: 1, users: 256, message: (user) => `${1 + (user % 3)} calls` },
];
// Both processes get visibly faster for some seconds, until their code is compiled.
const WARM_UP: Scenario = { name: 'warm-up', rounds: 20, users: 1, message: () => '10 calls' };

interface Samples {
  results: RunResult[];
  calls: CallTimes[][];
  requests: Requests;
}

/** Runs every scenario; `progress` hears what is being measured. */
export async function benchAdk(progress: (line: string) => void): Promise<Row[]> {
  // Logging is no part of what is compared, and stock logs each of its failures.
  setLogger(null);
  const servers = await startServers();
  try {
    const rows: Row[] = [];
    for (const scenario of [WARM_UP, ...SCENARIOS]) {
      progress(`${scenario.name} ...`);
      const measured = await measure(servers, scenario);
      if (scenario !== WARM_UP) rows.push(...measured);
    }
    return rows;
  } finally {
    await servers.close();
  }
}

async function measure(servers: Servers, scenario: Scenario): Promise<Row[]> {
  const subs = Array.from({ length: scenario.users }, (_, index) => `user-${index}`);
  const subjectTokens = await servers.mint(subs);
  const users = subs.map((sub, index): User => ({ sub, subjectToken: subjectTokens[index] ?? '' }));
  // The one static token of the contenders that know no users is made for the server before anything is timed.
  const [bearer = ''] = await servers.mint(['user-0'], servers.audience);
  const [actorToken = ''] = await servers.mint([servers.agent], servers.issuer);
  const samples = new Map<Name, Samples>();

  async function record(name: Name, contender: Contender): Promise<void> {
    const all = samples.get(name) ?? { results: [], calls: [], requests: {} };
    samples.set(name, all);
    await servers.takeRequests();
    const results = await Promise.all(
      users.map((user, index) => contender.run(user, scenario.message(index))),
    );
    addTally(all.requests, await servers.takeRequests());
    all.results.push(...results);
    all.calls.push(contender.takeCalls());
  }

  // Within a round the contenders take turns, so that a noisy moment of the machine hits all alike.
  for (let round = 0; round < scenario.rounds; round += 1) {
    await withContender(stock(servers, bearer), (contender) => record('stock', contender));
    await servers.closeSessions();
    await withContender(
      ours(servers, createBenchBroker(servers, actorToken, 'subject')),
      async (contender) => {
        await record('ours cold', contender);
        await record('ours warm', contender);
      },
    );
    await withContender(ours(servers, createBenchBroker(servers, actorToken, 'run')), (contender) =>
      record('ours run', contender),
    );
    if (scenario.users === 1) {
      await withContender(await bareClient(servers, bearer), (contender) => record('bare client', contender));
    }
    await servers.closeSessions();
  }
  return [...samples].map(([name, all]) => toRow(scenario.name, name, all));
}

async function withContender(
  contender: Contender,
  use: (contender: Contender) => Promise<void>,
): Promise<void> {
  try {
    await use(contender);
  } finally {
    await contender.close();
  }
}

function toRow(scenario: string, contender: Name, { results, calls, requests }: Samples): Row {
  const failures: Record<string, number> = {};
  for (const { failure } of results) {
    if (failure !== undefined) addTally(failures, { [failure]: 1 });
  }
  const totals = calls.map((round) => round.map((call) => call.total));
  const insides = calls.map((round) => round.flatMap((call) => call.inside ?? []));
  return {
    scenario,
    contender,
    runs: results.length,
    failed: total(failures),
    failures,
    requests,
    requestsPerRun: total(requests) / results.length,
    toolCall: spread(totals.flat()),
    insideTool: spread(insides.flat()),
    run: spread(results.map((result) => result.ms)),
    rounds: calls.map((_, round) => ({
      toolCall: median(totals[round] ?? []),
      insideTool: median(insides[round] ?? []),
    })),
  };
}
