import { vi } from 'vitest';
import { resolveTarget } from '../../src/core/target.ts';
import { createLeftOpen } from './left-open.ts';
import { overhear } from './overheard.ts';
import { createPlaces } from './places.ts';
import type { FaultResult, FaultRow } from './row.ts';
import { until } from './until.ts';
import { intruders, showing } from './witness.ts';
import { type Staged, stage } from './world.ts';

/**
 * Plays a row with real servers and judges what came of it.
 *
 * @param patienceMs - how long what was opened may take to be closed
 */
export async function runRow(row: FaultRow, patienceMs?: number): Promise<FaultResult> {
  // The clock stands still unless the row lets time pass; timers are real.
  vi.useFakeTimers({ toFake: ['Date'] });
  const overheard = overhear();
  const leftOpen = createLeftOpen();
  try {
    const played = await leftOpen.watch(() => play(row, patienceMs));
    const open = await until(leftOpen.open, ({ length }) => length === 0, patienceMs);
    const leaks = [...played.leaks, ...showing({ 'the console': overheard.said }, played.secrets)];
    if (overheard.unhandled.length > 0) leaks.push('a rejection was not handled');
    return judge(row, { ...played, leaks: [...leaks, ...open.map((type) => `left open: ${type}`)] });
  } finally {
    leftOpen.stop();
    overheard.stop();
    vi.useRealTimers();
  }
}

interface Played {
  readonly outcomes: readonly string[];
  readonly sts: number;
  readonly mcp: number;
  readonly leaks: readonly string[];
  readonly secrets: Iterable<string>;
}

async function play(row: FaultRow, patienceMs: number | undefined): Promise<Played> {
  const places = await createPlaces();
  try {
    const world = await stage(row, places);
    try {
      await world.play();
    } catch (error) {
      world.note(`the row itself failed: ${String(error)}`);
    }
    return await look(world, patienceMs);
  } finally {
    await places.close();
  }
}

async function look({ places, ...world }: Staged, patienceMs: number | undefined): Promise<Played> {
  // Before the servers are closed: whoever asked must have let go by himself.
  const unfinished = await until(places.unfinished, (count) => count === 0, patienceMs);
  const { mcp, elsewhere, issued } = places;
  const secrets = new Set([...places.secrets, ...issued]);
  const { audiences, resources } = resolveTarget(world.target);
  const welcome = { sub: 'alice', audiences: [...audiences, ...resources], issued, secrets: places.secrets };
  const leaks = [
    ...showing(await world.evidence(), secrets),
    ...intruders(mcp.received, welcome),
    ...elsewhere.received.map(() => 'another server saw a request'),
    ...(unfinished > 0 ? [`left open: ${unfinished} answers`] : []),
  ];
  return { outcomes: world.outcomes, sts: world.exchanges(), mcp: mcp.received.length, leaks, secrets };
}

function judge(row: FaultRow, played: Played): FaultResult {
  const expected = told([row.outcome].flat());
  const got = told(played.outcomes);
  const { sts, mcp, leaks } = played;
  return {
    ...{ fault: row.fault, expected, got, leaks },
    sts: { expected: row.sts, got: sts },
    mcp: { expected: row.mcp, got: mcp },
    ok: got === expected && sts === row.sts && mcp === row.mcp && leaks.length === 0,
  };
}

/** Outcomes in a line, equal neighbours counted. */
function told(outcomes: readonly string[]): string {
  const runs: { readonly outcome: string; times: number }[] = [];
  for (const outcome of outcomes) {
    const last = runs.at(-1);
    if (last?.outcome === outcome) last.times += 1;
    else runs.push({ outcome, times: 1 });
  }
  return runs.map(({ outcome, times }) => (times === 1 ? outcome : `${outcome} x${times}`)).join(' > ');
}
