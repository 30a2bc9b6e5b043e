import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type LeaderOptions, runAsLeader } from '../../../src/kubernetes/leader/run-as-leader.ts';
import type { Time } from '../../../src/kubernetes/time.ts';
import { createSimulatedTime, type SimulatedTime, settle } from '../../support/simulated-time.ts';
import { createFakeLease, type FakeLease, type Way } from './fake-lease.ts';

const QUICK: Way = { there: 5, back: 5 };
const LOST: Way = { there: 0, back: 0, lost: 'request' };

/** One that wants to lead. */
interface Candidate {
  /** Leads and has not been told to stop. */
  leads(): boolean;
  /** Does what leaders do, told to stop or not. */
  works(): boolean;
  /** How often it began to lead. */
  terms(): number;
  /** Lets the work end. */
  finish(error?: Error): Promise<void>;
  stop(): void;
  /** How its requests go from now on. */
  ways(next: Way | (() => Way)): void;
  readonly told: string[];
  readonly errors: unknown[];
  readonly done: Promise<void>;
  isDone(): boolean;
}

interface Place {
  readonly lease: FakeLease;
  readonly time: Time;
  readonly name: string;
  /** How long the work goes on after it was told to stop; `undefined`: until `finish`. */
  readonly drainMs?: number | undefined;
  readonly onBegin?: (() => void) | undefined;
}

function start(
  { lease, time, name, drainMs, onBegin }: Place,
  options: Partial<LeaderOptions> = {},
): Candidate {
  const stop = new AbortController();
  const told: string[] = [];
  const errors: unknown[] = [];
  let way: () => Way = () => QUICK;
  let signal: AbortSignal | undefined;
  let works = false;
  let terms = 0;
  let isDone = false;
  let finish = (_error?: Error): void => {};
  const done = runAsLeader(
    {
      client: lease.client(() => way()),
      ...{ namespace: 'system', name: 'controller', identity: name, time },
      onLeader: (identity, self) => told.push(self ? 'me' : identity.split('_')[0] || 'nobody'),
      onError: (error) => errors.push(error),
      onLeading: (leading) => {
        onBegin?.();
        signal = leading;
        works = true;
        terms += 1;
        return new Promise<void>((resolve, reject) => {
          finish = (error) => {
            works = false;
            if (error) reject(error);
            else resolve();
          };
          leading.addEventListener('abort', () => {
            if (drainMs !== undefined) time.after(drainMs, () => finish());
          });
        });
      },
      ...options,
    },
    stop.signal,
  );
  done.then(
    () => {
      isDone = true;
    },
    () => {
      isDone = true;
    },
  );
  onTestFinished(() => stop.abort());
  return {
    leads: () => works && signal?.aborted === false,
    works: () => works,
    terms: () => terms,
    async finish(error) {
      finish(error);
      await settle();
    },
    stop: () => stop.abort(),
    ways(next) {
      way = typeof next === 'function' ? next : () => next;
    },
    ...{ told, errors, done, isDone: () => isDone },
  };
}

interface Cluster {
  readonly time: SimulatedTime;
  readonly lease: FakeLease;
}

function cluster(): Cluster {
  const time = createSimulatedTime();
  return { time, lease: createFakeLease(time) };
}

describe('One that is alone', () => {
  test('leads at once, and renews the lease for as long as it does', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a', drainMs: 0 });
    await time.advance(100);
    expect(a.leads()).toBe(true);
    expect(lease.spec()).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 0 });
    expect(lease.spec()?.holderIdentity).toMatch(/^a_[0-9a-f]{8}$/);
    expect(lease.spec()?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    await time.advance(120_000);
    expect(a.leads()).toBe(true);
    expect(a.told).toEqual(['me']);
    expect(lease.writes()).toBeGreaterThan(50);
    expect(lease.writes()).toBeLessThan(65);
  });

  test('gives the lease back at the end, when its work has ended and not before', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' });
    await time.advance(100);
    a.stop();
    await time.advance(60_000);
    expect([a.leads(), a.works(), a.isDone()]).toEqual([false, true, false]);
    expect(lease.spec()?.holderIdentity).toMatch(/^a_/);
    await a.finish();
    await time.advance(100);
    await a.done;
    expect(lease.spec()?.holderIdentity).toBe('');
    expect(time.timers()).toBe(0);
    expect(a.errors).toEqual([]);
  });

  test('whose work ends by itself gives the lease back and ends, too', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' });
    await time.advance(100);
    await a.finish();
    await time.advance(100);
    await a.done;
    expect(lease.spec()?.holderIdentity).toBe('');
  });

  test('whose work fails gives the lease back and fails with it', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' });
    await time.advance(100);
    await a.finish(new Error('no more'));
    await time.advance(100);
    await expect(a.done).rejects.toThrow('no more');
    expect(lease.spec()?.holderIdentity).toBe('');
  });

  test('that is stopped while it asks does not begin, and leaves no lease behind', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' });
    await time.advance(7);
    a.stop();
    await time.advance(100);
    await a.done;
    expect(a.terms()).toBe(0);
    expect(lease.spec()?.holderIdentity ?? '').toBe('');
  });

  test('takes over a lease that it holds without knowing it', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' });
    let requests = 0;
    a.ways(() => {
      requests += 1;
      return requests === 1 ? { ...QUICK, lost: 'answer' } : QUICK;
    });
    await time.advance(20);
    expect(lease.spec()?.holderIdentity).toMatch(/^a_/);
    expect(a.leads()).toBe(false);
    await time.advance(7_000);
    expect(a.leads()).toBe(true);
    expect(lease.spec()?.leaseTransitions).toBe(0);
  });

  test('counts its time from before it asked, not from the answer', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a', drainMs: 0 });
    let requests = 0;
    a.ways(() => {
      requests += 1;
      return requests === 1 ? QUICK : requests === 2 ? { there: 10, back: 3_000 } : LOST;
    });
    await time.advance(3_100);
    expect(a.leads()).toBe(true);
    await time.advance(6_850);
    expect(a.leads()).toBe(true);
    await time.advance(70);
    expect(a.leads()).toBe(false);
  });

  test('keeps leading when its lease is deleted or edited by somebody', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' });
    await time.advance(100);
    lease.remove();
    await time.advance(5_000);
    expect(lease.spec()?.holderIdentity).toMatch(/^a_/);
    for (let times = 0; times < 2_000; times++) {
      await time.advance(7);
      if (times % 40 === 0) lease.touch();
    }
    expect(a.terms()).toBe(1);
    expect(a.leads()).toBe(true);
  });
});

describe('Of two', () => {
  test('the second waits, also for very long, and leads at once when the first has ended', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a', drainMs: 300 });
    await time.advance(100);
    const b = start({ lease, time, name: 'b' });
    await time.advance(200_000);
    expect([a.leads(), b.terms()]).toEqual([true, 0]);
    expect(b.told).toEqual(['a']);
    a.stop();
    await time.advance(290);
    expect(b.terms()).toBe(0);
    await time.advance(2_600);
    expect(b.leads()).toBe(true);
    expect(lease.spec()?.leaseTransitions).toBe(1);
    expect(b.told.at(-1)).toBe('me');
  });

  test('the second takes over when the first has died, after its lease', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' });
    await time.advance(100);
    const b = start({ lease, time, name: 'b' });
    await time.advance(4_000);
    a.ways(LOST);
    await time.advance(12_000);
    expect(b.terms()).toBe(0);
    await time.advance(8_000);
    expect(b.leads()).toBe(true);
  });

  test('a leader that cannot renew stops before the other begins, and waits when it is back', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time: time.at(0.91), name: 'a', drainMs: 1_000 });
    await time.advance(100);
    const b = start({ lease, time: time.at(1.09), name: 'b' });
    await time.advance(10_000);
    a.ways(LOST);
    let gap = 0;
    while (b.terms() === 0) {
      await time.advance(50);
      if (!a.leads()) gap += 50;
    }
    expect(gap).toBeGreaterThan(1_000);
    expect(a.errors.length).toBeGreaterThan(1);
    a.ways(QUICK);
    await time.advance(100_000);
    expect([a.leads(), a.terms(), b.leads()]).toEqual([false, 1, true]);
  });

  test('a leader whose lease was taken stops as soon as it sees that', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a', drainMs: 0 });
    await time.advance(100);
    // Somebody who heeds no rules.
    lease.remove();
    const b = start({ lease, time, name: 'b' });
    await time.advance(20);
    expect(b.leads()).toBe(true);
    await time.advance(2_100);
    expect([a.leads(), b.leads()]).toEqual([false, true]);
  });

  test('a leader whose lease was taken does not give back what is not its own', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a', drainMs: 0 });
    await time.advance(100);
    lease.remove();
    const b = start({ lease, time, name: 'b' });
    await time.advance(20);
    a.stop();
    await time.advance(100);
    await a.done;
    expect(lease.spec()?.holderIdentity).toMatch(/^b_/);
    expect(b.leads()).toBe(true);
  });

  test('the one that waits does not take the place of a lease that was deleted, where somebody may still lead', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' });
    await time.advance(100);
    const b = start({ lease, time, name: 'b' });
    await time.advance(4_000);
    a.ways(LOST);
    lease.remove();
    await time.advance(13_000);
    expect(b.terms()).toBe(0);
    await time.advance(8_000);
    expect(b.leads()).toBe(true);
  });

  test('that have the same name only one leads', async () => {
    const { time, lease } = cluster();
    const both = ['a', 'a'].map((name) => start({ lease, time, name }));
    await time.advance(60_000);
    expect(both.filter((one) => one.leads())).toHaveLength(1);
    expect(both.map((one) => one.terms())).toContain(0);
  });

  test('a clock that is wrong by hours changes nothing, and what the lease says of its length counts', async () => {
    const { time, lease } = cluster();
    const a = start({ lease, time, name: 'a' }, { leaseDurationMs: 60_000, renewMs: 40_000 });
    await time.advance(100);
    const b = start({ lease, time, name: 'b' });
    await time.advance(4_000);
    a.ways(LOST);
    await time.advance(50_000);
    expect(b.terms()).toBe(0);
    await time.advance(20_000);
    expect(b.leads()).toBe(true);
  });
});

test('One that lost the lease does not ask for it again before its work has ended', async () => {
  const { time, lease } = cluster();
  const a = start({ lease, time, name: 'a' });
  await time.advance(100);
  a.ways(LOST);
  await time.advance(15_000);
  expect([a.leads(), a.works()]).toEqual([false, true]);
  a.ways(QUICK);
  await time.advance(60_000);
  expect(a.terms()).toBe(1);
  await a.finish(new Error('told in vain'));
  await time.advance(20_000);
  expect([a.leads(), a.terms()]).toEqual([true, 2]);
  expect(a.errors.map(String)).toContain('Error: told in vain');
});

test('Work that throws the reason it was stopped for has not failed', async () => {
  const { time, lease } = cluster();
  const onLeading = (signal: AbortSignal): Promise<void> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const a = start({ lease, time, name: 'a' }, { onLeading });
  await time.advance(100);
  a.stop();
  await time.advance(100);
  await a.done;
  expect(a.errors).toEqual([]);
});

test('Listeners that throw do no harm', async () => {
  const { time, lease } = cluster();
  const bad = (): never => {
    throw new Error('of the listener');
  };
  const a = start({ lease, time, name: 'a' }, { onLeader: bad, onError: bad });
  await time.advance(3_000);
  a.ways(LOST);
  await time.advance(6_000);
  a.ways(QUICK);
  await time.advance(60_000);
  expect([a.leads(), a.terms()]).toEqual([true, 1]);
});

test.each([
  [{ renewMs: 13_000 }, '"renewMs" must be at most "leaseDurationMs" (15000) divided by 1.25'],
  [{ retryMs: 10_000 }, '"retryMs" must be less than "renewMs" (10000)'],
  [{ identity: '' }, '"identity" must be a non-empty string'],
] as const)('Options that cannot work are told: %j', async (wrong, message) => {
  const { time, lease } = cluster();
  await expect(start({ lease, time, name: 'a' }, wrong).done).rejects.toThrow(new TypeError(message));
});

const way = fc.record({
  there: fc.oneof({ weight: 4, arbitrary: fc.nat(200) }, fc.nat(20_000)),
  back: fc.oneof({ weight: 4, arbitrary: fc.nat(200) }, fc.nat(20_000)),
  lost: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    fc.constantFrom('request' as const, 'answer' as const),
  ),
});
const happening = fc.oneof(
  fc.record({
    do: fc.constant('ways' as const),
    who: fc.nat(2),
    ways: fc.array(way, { minLength: 1, maxLength: 8 }),
  }),
  fc.record({ do: fc.constant('apart' as const), who: fc.nat(2) }),
  fc.record({ do: fc.constant('together' as const), who: fc.nat(2) }),
  fc.record({ do: fc.constant('stop' as const), who: fc.nat(2) }),
  fc.record({ do: fc.constant('touch' as const), who: fc.nat(2) }),
  fc.record({ do: fc.constant('remove' as const), who: fc.nat(2) }),
);
const history = fc.array(fc.tuple(fc.nat(15_000), happening), { maxLength: 25 });
const rates = fc.tuple(...[0, 1, 2].map(() => fc.double({ min: 0.91, max: 1.09, noNaN: true })));

test('Never do two lead, however clocks drift and requests are lost or late; and in the end one does', async () => {
  await fc.assert(
    fc.asyncProperty(rates, history, async (speeds, happenings) => {
      const { time, lease } = cluster();
      const all: Candidate[] = [];
      for (const [index, rate] of speeds.entries()) {
        const onBegin = (): void => {
          expect(all.filter((one) => one.leads()).length, 'others that lead').toBe(0);
        };
        all.push(start({ lease, time: time.at(rate), name: `c${index}`, drainMs: 500, onBegin }));
      }
      // All have seen the lease once: else the first one to come could find it deleted by somebody.
      await time.advance(5_000);
      for (const [after, one] of happenings) {
        await time.advance(after);
        const who = all[one.who] as Candidate;
        if (one.do === 'ways') {
          let index = 0;
          who.ways(() => one.ways[index++ % one.ways.length] as Way);
        } else if (one.do === 'apart') who.ways(LOST);
        else if (one.do === 'together') who.ways(QUICK);
        else if (one.do === 'touch') lease.touch();
        else if (one.do === 'remove') lease.remove();
        // One stays to the end.
        else if (one.who > 0) who.stop();
      }
      for (const one of all) one.ways(QUICK);
      await time.advance(90_000);
      expect(all.filter((one) => one.leads())).toHaveLength(1);
      for (const one of all) one.stop();
      await time.advance(5_000);
      await Promise.all(all.map((one) => one.done));
      expect(time.timers()).toBe(0);
      expect(lease.spec()?.holderIdentity).toBe('');
    }),
    { numRuns: 60 },
  );
}, 120_000);
