// Runs the isolation suite on one client. Nothing of vitest in here, so that any program can do it.
import { type Delegation, runAs } from '../../src/index.ts';
import type { ClientUnderTest, RunningClient } from './client-under-test.ts';
import { count, type IsolationCounts } from './counts.ts';
import { type Outcome, outcomeOfError, outcomeOfText } from './outcome.ts';
import { drawPlan, type Plan, type PlannedCall } from './plan.ts';
import { SERVER_NAMES, startWorld, type World } from './world.ts';

export interface IsolationOptions {
  /** Default: that of ISOLATION_SEED, else one by chance. */
  readonly seed?: number | undefined;
  /** Default: 100. */
  readonly users?: number | undefined;
  /** How many calls each user makes at each of the four servers. Default: 20. */
  readonly callsPerServer?: number | undefined;
  /** How many calls are under way at once. Default: 48. */
  readonly atOnce?: number | undefined;
  /** Told of each user. Only for clients that are broken on purpose: no other may see a subject token. */
  readonly onUser?: ((delegation: Delegation, subjectToken: string) => void) | undefined;
}

/** A call that was made. */
export interface MadeCall extends PlannedCall {
  readonly outcome: Outcome;
  /** Begun when the subject token of its user had expired. */
  readonly late: boolean;
  /** Under way when it expired: sent or not, both are right. */
  readonly overtaken: boolean;
  /** Whether it was under way when its server dropped all connections. */
  readonly cut: boolean;
  /** Whether it was begun just after that, and so may have been sent on one that was dying, or have joined an opening that was. */
  readonly justCut: boolean;
}

/** How long after its server dropped a connection a busy client may not have noticed, in milliseconds. */
const UNNOTICED_MS = 2_000;

/** Runs the suite and counts. What it counted is judged by `judge()`. */
export async function runIsolation(
  client: ClientUnderTest,
  options: IsolationOptions = {},
): Promise<IsolationCounts> {
  const { callsPerServer = 20, atOnce = 48 } = options;
  const seed = options.seed ?? seedOfEnvironment();
  const plan = drawPlan({ seed, users: options.users ?? 100, servers: SERVER_NAMES, callsPerServer });
  const cuts: { server: string; at: number }[] = [];
  const world = await startWorld(plan, (server) => cuts.push({ server, at: performance.now() }));
  try {
    const startedAt = performance.now();
    // Before there is any user.
    const running = await client.start({ broker: world.broker, servers: world.servers });
    const begun = await world.beginAll();
    for (const { delegation, subjectToken } of begun.values()) options.onUser?.(delegation, subjectToken);
    const users = new Map([...begun].map(([sub, { delegation }]) => [sub, delegation]));
    const made = await makeCalls({ running, users, plan, world, cuts, atOnce });
    for (const delegation of users.values()) world.broker.end(delegation);
    await running.close();
    const ms = Math.round(performance.now() - startedAt);
    return count({ client: client.name, seed, plan, world, made, ms });
  } finally {
    await world.close();
  }
}

interface Work {
  readonly running: RunningClient;
  readonly users: ReadonlyMap<string, Delegation>;
  readonly plan: Plan;
  readonly world: World;
  /** When which server dropped its connections. */
  readonly cuts: readonly { readonly server: string; readonly at: number }[];
  readonly atOnce: number;
}

/** Makes the calls in the plan's order, so many at once. */
async function makeCalls({ running, users, plan, world, cuts, atOnce }: Work): Promise<MadeCall[]> {
  const made: MadeCall[] = [];
  const half = Math.floor(plan.calls.length / 2);
  const next = plan.calls.entries();
  let expiredAt = Number.POSITIVE_INFINITY;

  const make = async (index: number, call: PlannedCall): Promise<MadeCall> => {
    const from = performance.now();
    const user = users.get(call.sub) as Delegation;
    // As a queue does it: every other call is begun where another user's code runs.
    const elsewhere = users.get(plan.users[index % plan.users.length] ?? '') as Delegation;
    const begin = (): Promise<Outcome> => outcomeOf(running, user, call);
    const outcome = await (index % 2 ? runAs(elsewhere, begin) : begin());
    const to = performance.now();
    const cutIn = (earliest: number, latest: number): boolean =>
      cuts.some(({ server, at }) => server === call.server && at > earliest && at < latest);
    const expiring = call.sub === plan.expiring;
    return {
      ...{ ...call, outcome, cut: cutIn(from, to), justCut: cutIn(from - UNNOTICED_MS, from) },
      overtaken: expiring && index < half && to > expiredAt,
      late: expiring && index >= half,
    };
  };

  const work = async (): Promise<void> => {
    for (const [index, call] of next) {
      if (index === half) {
        world.expire();
        expiredAt = performance.now();
      }
      made.push(await make(index, call));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return made;
}

async function outcomeOf(client: RunningClient, user: Delegation, call: PlannedCall): Promise<Outcome> {
  const { server, marker } = call;
  try {
    return outcomeOfText(await client.call(user, server, `who_at_${server}`, { marker }));
  } catch (error) {
    return outcomeOfError(error);
  }
}

function seedOfEnvironment(): number {
  const given = process.env.ISOLATION_SEED;
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}
