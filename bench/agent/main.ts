// The agent bench: runs over HTTP at our agent server and at ADK's own, with two MCP servers each.
import { startChild } from '../child.ts';
import { type Finding, ms, times } from '../findings.ts';
import { median, quantile } from '../stats.ts';
import { AGENT, SERVERS, type WorldFacts } from './facts.ts';
import { type Load, load, type Subject } from './load.ts';
import { startOurs } from './ours.ts';

const USERS = 16;
const CROWD = 256;
const CROWD_RUNS = 4;
/** Rounds of each, alternately, so that neither has the quieter machine. */
const ROUNDS = 3;
const ROUND_MS = 5_000;
const THROUGHPUT = 2;
const START_MS = 2_500;

export async function benchAgent(progress: (line: string) => void): Promise<Finding[]> {
  const world = startChild(new URL('./world-process.js', import.meta.url));
  const peer = startChild(new URL('./stock-process.js', import.meta.url));
  const facts = await world.ask<WorldFacts>({ op: 'facts' });
  const mint = (subs: readonly string[], audience: string): Promise<string[]> =>
    world.ask({ op: 'mint', subs, audience });
  const tokens = await mint(
    Array.from({ length: CROWD }, (_, index) => `user-${index}`),
    AGENT,
  );
  const starts: number[] = [];
  for (let n = 0; n < 2; n++) {
    const { readyMs, close } = await startOurs(facts);
    starts.push(readyMs);
    await close();
  }
  const ours = await startOurs(facts);
  starts.push(ours.readyMs);
  try {
    const own = await Promise.all(SERVERS.map((name) => mint(['user-0'], name)));
    const url = await peer.ask<string>({ op: 'start', servers: facts.servers, tokens: own.flat() });
    const some = tokens.slice(0, USERS);
    const pair = await compare({ url: ours.url, tokens: some }, { url, tokens: some }, progress);
    progress(`agent: ${CROWD} users at once, ${CROWD_RUNS} runs each`);
    await world.ask({ op: 'calls' });
    const crowd = await load({ url: ours.url, tokens }, { runs: CROWD_RUNS });
    const calls = await world.ask<{ calls: number; failed: number }>({ op: 'calls' });
    const bytes = ours.memory();
    const stockCrowd = await load({ url, tokens }, { runs: 1 });
    return [...findingsOf(pair), ...crowdFindings({ crowd, calls, bytes, stockCrowd }), startFinding(starts)];
  } finally {
    await ours.close();
    await Promise.all([world.close(), peer.close()]);
  }
}

interface Pair {
  readonly ours: readonly Load[];
  readonly stock: readonly Load[];
}

async function compare(ours: Subject, stock: Subject, progress: (line: string) => void): Promise<Pair> {
  progress(`agent: ${USERS} users, ${ROUNDS} rounds of ${ROUND_MS / 1000} s for each`);
  const found: { ours: Load[]; stock: Load[] } = { ours: [], stock: [] };
  // Once before: what is compiled and connected at first use is not measured.
  await load(ours, { runs: 5 });
  await load(stock, { runs: 5 });
  for (let round = 0; round < ROUNDS; round++) {
    found.ours.push(await load(ours, { ms: ROUND_MS }));
    found.stock.push(await load(stock, { ms: ROUND_MS }));
  }
  return found;
}

function findingsOf({ ours, stock }: Pair): Finding[] {
  const [own, peer] = [median(ours.map(perSecond)), median(stock.map(perSecond))];
  const spreadOf = (loads: readonly Load[]): string => {
    const all = loads.flatMap(({ completed }) => completed);
    return `p50 ${ms(quantile(all, 0.5))}, p99 ${ms(quantile(all, 0.99))}`;
  };
  return [
    {
      what: `runs per second, ${USERS} users, two MCP servers, exchanges included`,
      ours: `${own.toFixed(1)} (${times(own / peer)}), ${spreadOf(ours)}, ${failures(ours)}`,
      peer: `ADK's toA2a with stock toolsets and no exchange: ${peer.toFixed(1)}, ${spreadOf(stock)}, ${failures(stock)}`,
      budget: `>= ${THROUGHPUT}x`,
      // A peer that answers nothing is no peer.
      met: peer > 0 ? own >= THROUGHPUT * peer && failedOf(ours) === 0 : undefined,
    },
  ];
}

interface Crowd {
  readonly crowd: Load;
  readonly calls: { readonly calls: number; readonly failed: number };
  readonly bytes: number;
  readonly stockCrowd: Load;
}

function crowdFindings({ crowd, calls, bytes, stockCrowd }: Crowd): Finding[] {
  const all = CROWD * CROWD_RUNS;
  return [
    {
      what: `failed runs of ${all} with ${CROWD} users at once`,
      ours: `${failures([crowd])}; ${calls.calls} tool calls at the servers, ${calls.failed} refused`,
      peer: `ADK's toA2a, of ${CROWD}: ${failures([stockCrowd])}`,
      budget: '0',
      met: crowd.completed.length === all && calls.calls === all * SERVERS.length && calls.failed === 0,
    },
    {
      what: `resident memory after that`,
      ours: `${Math.round(bytes / 2 ** 20)} MB`,
      ...{ peer: '', budget: '', met: undefined },
    },
  ];
}

function startFinding(starts: readonly number[]): Finding {
  const value = median(starts);
  return {
    what: 'from the start of the process until it is ready, median of three',
    ours: ms(value),
    ...{ peer: '', budget: `<= ${START_MS} ms`, met: value <= START_MS },
  };
}

const perSecond = ({ completed, elapsedMs }: Load): number => completed.length / (elapsedMs / 1000);

const failedOf = (loads: readonly Load[]): number =>
  loads.reduce((sum, { failed }) => sum + Object.values(failed).reduce((all, count) => all + count, 0), 0);

function failures(loads: readonly Load[]): string {
  const kinds = new Map<string, number>();
  for (const { failed } of loads) {
    for (const [what, count] of Object.entries(failed)) kinds.set(what, (kinds.get(what) ?? 0) + count);
  }
  if (kinds.size === 0) return '0 failed';
  return `${failedOf(loads)} failed (${[...kinds].map(([what, count]) => `${count} ${what}`).join(', ')})`;
}
