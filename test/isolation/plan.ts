// What happens in a run of the suite: who calls what, in which order, and which call meets which event.
import { createRandom } from './random.ts';

/** What a server does to the first request of a call. */
export type Mishap =
  /** 401 `invalid_token` to a good token, from now on. */
  | { readonly kind: 'rejected' }
  /** The same for the tokens of the next so many calls at the server, this one first. */
  | { readonly kind: 'storm'; readonly calls: number }
  /** A redirect, to another server or to another path of the same one. */
  | {
      readonly kind: 'redirected';
      readonly status: 301 | 302 | 307 | 308;
      readonly to: 'thief' | 'elsewhere';
    }
  /** The server forgets every session, then looks at the request. With `cut` all its connections are dropped instead. */
  | { readonly kind: 'restarted'; readonly cut: boolean }
  /** The call is carried out, and then the connection dropped, or an error answered. */
  | { readonly kind: 'lost'; readonly by: 'cut' | 503 };

/** One call of one user. */
export interface PlannedCall {
  /** Names user and number, and goes along as argument of the tool. */
  readonly marker: string;
  readonly sub: string;
  /** Name of the server. */
  readonly server: string;
  readonly mishap: Mishap | undefined;
}

export interface Plan {
  /** In the order in which they are begun. */
  readonly calls: readonly PlannedCall[];
  readonly users: readonly string[];
  /** Whom the STS gives nothing. */
  readonly denied: string;
  /** Whose subject token expires when half of the calls have been begun. */
  readonly expiring: string;
}

export interface PlanOptions {
  readonly seed: number;
  readonly users: number;
  /** Names of the servers. */
  readonly servers: readonly string[];
  /** How many calls each user makes at each server. */
  readonly callsPerServer: number;
}

/** Draws a plan. The same seed and sizes make the same plan. */
export function drawPlan({ seed, users: count, servers, callsPerServer }: PlanOptions): Plan {
  const random = createRandom(seed);
  const users = Array.from({ length: count }, (_, index) => `user${index}`);
  const [denied, expiring] = random.shuffled(users) as [string, string];
  const order = random.shuffled(
    users
      .flatMap((sub) =>
        Array.from({ length: callsPerServer }, () => servers.map((server) => ({ sub, server }))),
      )
      .flat(),
  );
  const total = order.length;
  // Those two users' calls must fail or work for one reason only.
  const candidates = [...order.keys()].filter(
    (index) => ![denied, expiring].includes(order[index]?.sub ?? ''),
  );
  const mishaps = new Map<number, Mishap>();
  const drawn = random.shuffled(candidates);
  for (const mishap of mishapsFor(total)) {
    const index = drawn.pop();
    if (index !== undefined) mishaps.set(index, mishap);
  }
  const calls = order.map((call, index) => ({
    ...call,
    marker: `${call.sub}/${index}`,
    mishap: mishaps.get(index),
  }));
  return { calls, users, denied, expiring };
}

const STATUSES = [307, 302, 308, 301] as const;

/** Some of each kind, more where there are more calls. */
function* mishapsFor(calls: number): Generator<Mishap> {
  const share = (every: number, least: number): number => Math.max(least, Math.round(calls / every));
  for (let left = share(25, 4); left > 0; left--) yield { kind: 'rejected' };
  for (let left = share(400, 1); left > 0; left--) yield { kind: 'storm', calls: 12 };
  for (let left = share(50, 8); left > 0; left--) {
    yield { kind: 'redirected', status: STATUSES[left % 4] ?? 307, to: left % 8 < 4 ? 'thief' : 'elsewhere' };
  }
  for (let left = share(600, 6); left > 0; left--) yield { kind: 'restarted', cut: left % 2 === 0 };
  for (let left = share(100, 4); left > 0; left--) yield { kind: 'lost', by: left % 2 ? 'cut' : 503 };
}
