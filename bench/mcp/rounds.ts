// Contenders that take turns, and how long each took: the load of a machine changes more between rounds than within one.
import { median } from '../stats.ts';

/** One call, and what of it is timed. */
export type Call = () => Promise<unknown>;

/** Medians of one call, over the rounds. */
export interface Times {
  /** Microseconds. */
  readonly wall: number;
  /** CPU time of this process, in microseconds: not what the server takes, and steadier where others use the machine. */
  readonly cpu: number;
}

export interface Rounds<Name extends string> {
  readonly times: Readonly<Record<Name, Times>>;
  /** The median over the rounds of the ratio that two contenders had in the same round. */
  ratio(a: Name, b: Name): Times;
  /** Likewise the difference, in microseconds. */
  difference(a: Name, b: Name): Times;
}

export interface RoundsOptions {
  readonly rounds: number;
  /** Turns of each contender in a round; the median of them counts. */
  readonly turns: number;
  /** Calls of a turn, one after the other, timed together. More than one where a call takes microseconds. */
  readonly calls: number;
}

/** Measures contenders against each other. As many rounds again, up to 10, warm up. */
export async function inRounds<Name extends string>(
  contenders: Readonly<Record<Name, Call>>,
  { rounds, turns, calls }: RoundsOptions,
): Promise<Rounds<Name>> {
  const names = Object.keys(contenders) as Name[];
  const measured = new Map<Name, Times[]>(names.map((name) => [name, []]));
  const warmUp = Math.min(rounds, 10);
  for (let round = -warmUp; round < rounds; round += 1) {
    const samples = new Map<Name, Times[]>(names.map((name) => [name, []]));
    for (let turn = 0; turn < turns; turn += 1) {
      // What one leaves behind is paid by the next, so each is now before and now after each other one.
      const order = turn % 2 === 0 ? names : names.toReversed();
      for (const name of order) samples.get(name)?.push(await timed(contenders[name], calls));
    }
    if (round < 0) continue;
    for (const name of names) measured.get(name)?.push(medians(samples.get(name) ?? []));
  }
  const compare = (a: Name, b: Name, by: (a: number, b: number) => number): Times => {
    const others = measured.get(b) ?? [];
    const pairs = (measured.get(a) ?? []).map((one, round) => [one, others[round] as Times] as const);
    return medians(
      pairs.map(([one, other]) => ({ wall: by(one.wall, other.wall), cpu: by(one.cpu, other.cpu) })),
    );
  };
  return {
    times: Object.fromEntries([...measured].map(([name, all]) => [name, medians(all)])) as Record<
      Name,
      Times
    >,
    ratio: (a, b) => compare(a, b, (one, other) => one / other),
    difference: (a, b) => compare(a, b, (one, other) => one - other),
  };
}

async function timed(call: Call, calls: number): Promise<Times> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let index = 0; index < calls; index += 1) await call();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wall: (wall * 1000) / calls, cpu: (user + system) / calls };
}

const medians = (all: readonly Times[]): Times => ({
  wall: median(all.map(({ wall }) => wall)),
  cpu: median(all.map(({ cpu }) => cpu)),
});
