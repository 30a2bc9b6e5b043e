// The agent bench: runs over HTTP at our agent server and at ADK's own, with two MCP servers each.
import { startChild } from '../child.ts';
import { type Finding, ms, times } from '../findings.ts';
import { median, quantile } from '../stats.ts';
import { AGENT, SERVERS, type StockUrls, type WorldFacts } from './facts.ts';
import { benchFlat, mb } from './flat.ts';
import { type Load, load, type Subject } from './load.ts';
import type { Memory } from './memory-probe.ts';
import { type Ours, startOurs } from './ours.ts';

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
  /** A fresh one, for as long as it is used. */
  const withOurs = async <T>(use: (ours: Ours) => Promise<T>): Promise<T> => {
    const ours = await startOurs(facts);
    starts.push(ours.readyMs);
    return use(ours).finally(() => ours.close());
  };
  const calls = (): Promise<Calls> => world.ask({ op: 'calls' });
  try {
    const own = await Promise.all(SERVERS.map((name) => mint(['user-0'], name)));
    const stock = await peer.ask<StockUrls>({ op: 'start', servers: facts.servers, tokens: own.flat() });
    const some = tokens.slice(0, USERS);
    const pair = await withOurs(({ url }) => compare({ url, tokens: some }, stock, progress));
    const crowd = await withOurs(async (ours) => {
      const before = await ours.memory();
      progress(`agent: ${CROWD} users at once, ${CROWD_RUNS} runs each`);
      await calls();
      const done = await load({ url: ours.url, tokens }, { runs: CROWD_RUNS });
      return { done, calls: await calls(), before, after: await ours.memory() };
    });
    const stockCrowd = await load({ url: stock.perRun, tokens }, { runs: 1 });
    const flat = await withOurs((ours) => benchFlat(ours, tokens, { progress, forget: calls }));
    return [...findingsOf(pair), ...crowdFindings({ ...crowd, stockCrowd }), ...flat, startFinding(starts)];
  } finally {
    await Promise.all([world.close(), peer.close()]);
  }
}

interface Trio {
  readonly ours: readonly Load[];
  /** With an agent and toolsets for each run: what is compared with. */
  readonly stock: readonly Load[];
  readonly asDocumented: Load;
}

async function compare(ours: Subject, urls: StockUrls, progress: (line: string) => void): Promise<Trio> {
  progress(`agent: ${USERS} users, ${ROUNDS} rounds of ${ROUND_MS / 1000} s for each`);
  const { tokens } = ours;
  const stock = { url: urls.perRun, tokens };
  const found: { ours: Load[]; stock: Load[] } = { ours: [], stock: [] };
  // Once before: what is compiled and connected at first use is not measured.
  await load(ours, { runs: 5 });
  await load(stock, { runs: 5 });
  for (let round = 0; round < ROUNDS; round++) {
    found.ours.push(await load(ours, { ms: ROUND_MS }));
    found.stock.push(await load(stock, { ms: ROUND_MS }));
  }
  return { ...found, asDocumented: await load({ url: urls.asDocumented, tokens }, { ms: ROUND_MS }) };
}

function findingsOf({ ours, stock, asDocumented }: Trio): Finding[] {
  const own = median(ours.map(perSecond));
  // Whichever is better: where few of its runs fail, one agent for everybody is the faster of the two.
  const peer = Math.max(median(stock.map(perSecond)), perSecond(asDocumented));
  const spreadOf = (loads: readonly Load[]): string => {
    const all = loads.flatMap(({ completed }) => completed);
    const [p50, p99] = [quantile(all, 0.5), quantile(all, 0.99)];
    return `${median(loads.map(perSecond)).toFixed(1)}, p50 ${ms(p50)}, p99 ${ms(p99)}, ${failures(loads)}`;
  };
  const ended = failedOf([asDocumented]) + asDocumented.completed.length;
  return [
    {
      what: `runs per second, ${USERS} users, two MCP servers, exchanges included`,
      ours: `${times(own / peer)}: ${spreadOf(ours)}`,
      peer:
        `ADK's toA2a with stock toolsets and no exchange, an agent for each run: ${spreadOf(stock)}; ` +
        `one agent for all, whose runs close each other's sessions: ${spreadOf([asDocumented])}, ` +
        `${((ended / asDocumented.elapsedMs) * 1000).toFixed(1)} with those`,
      budget: `>= ${THROUGHPUT}x`,
      // A peer that answers nothing is no peer.
      met: peer > 0 ? own >= THROUGHPUT * peer && failedOf(ours) === 0 : undefined,
    },
  ];
}

interface Calls {
  readonly calls: number;
  readonly failed: number;
}

interface Crowd {
  readonly done: Load;
  readonly calls: Calls;
  readonly before: Memory;
  readonly after: Memory;
  readonly stockCrowd: Load;
}

function crowdFindings({ done, calls, before, after, stockCrowd }: Crowd): Finding[] {
  const all = CROWD * CROWD_RUNS;
  return [
    {
      what: `failed runs of ${all} with ${CROWD} users at once`,
      ours: `${failures([done])}; ${calls.calls} tool calls at the servers, ${calls.failed} refused`,
      peer: `ADK's toA2a, an agent for each run, of ${CROWD}: ${failures([stockCrowd])}`,
      budget: '0',
      met: done.completed.length === all && calls.calls === all * SERVERS.length && calls.failed === 0,
    },
    {
      what: 'resident memory after that',
      ours:
        `${mb(after.resident)} MB, ${mb(after.atRest)} MB once garbage is collected; ` +
        `${mb(after.heap)} MB of that are heap, and ${mb(before.heap)} MB were before the first run`,
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
