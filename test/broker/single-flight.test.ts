import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { createSingleFlight } from '../../src/broker/single-flight.ts';
import { OnbehalfError } from '../../src/core/errors.ts';
import { thrownBy } from '../support/failure.ts';

afterEach(() => {
  vi.useRealTimers();
});

interface Work {
  readonly signal: AbortSignal;
  readonly resolve: (value: string) => void;
  readonly reject: (error: Error) => void;
}

/** Work that ends when it is told to. */
function createWork() {
  const started: Work[] = [];
  const work = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => {
      started.push({ signal, resolve, reject });
    });
  return { started, work };
}

const REASON = new Error('the user has left');
const LIFE = 60_000;

test('all who ask while it is under way share one result', async () => {
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  const waiting = Array.from({ length: 50 }, () => flights.run('key', work));
  expect(flights.has('key')).toBe(true);
  expect(started).toHaveLength(1);
  started[0]?.resolve('token');
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['token']));
  expect(flights.has('key')).toBe(false);
});

test('all who ask while it is under way share one failure, and the next one tries anew', async () => {
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  const waiting = Array.from({ length: 5 }, () => thrownBy(flights.run('key', work)));
  started[0]?.reject(REASON);
  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 5 }, () => REASON));
  expect(flights.has('key')).toBe(false);
  const next = flights.run('key', work);
  expect(started).toHaveLength(2);
  started[1]?.resolve('token');
  expect(await next).toBe('token');
});

test('who asks when it has ended starts anew', async () => {
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  const first = flights.run('key', work);
  started[0]?.resolve('one');
  expect(await first).toBe('one');
  const second = flights.run('key', work);
  started[1]?.resolve('two');
  expect(await second).toBe('two');
});

test('one who leaves goes at once and with a reason of its own; the others stay', async () => {
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  const controller = new AbortController();
  const leaving = thrownBy(flights.run('key', work, controller.signal));
  const staying = flights.run('key', work, new AbortController().signal);
  controller.abort(REASON);
  expect(await leaving).toBe(REASON);
  expect(started[0]?.signal.aborted).toBe(false);
  started[0]?.resolve('token');
  expect(await staying).toBe('token');
  expect(started).toHaveLength(1);
});

test('when all have left the work is told, and who comes then starts anew', async () => {
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  const controllers = [new AbortController(), new AbortController()];
  const leaving = controllers.map(({ signal }) => thrownBy(flights.run('key', work, signal)));
  for (const controller of controllers) controller.abort(REASON);
  expect(await Promise.all(leaving)).toEqual([REASON, REASON]);
  expect(started[0]?.signal.aborted).toBe(true);

  const newcomer = flights.run('key', work);
  expect(started).toHaveLength(2);
  // The old one ends late: it must not take the new flight with it.
  started[0]?.reject(new Error('aborted'));
  await setImmediate();
  expect(flights.has('key')).toBe(true);
  const joined = flights.run('key', work);
  expect(started).toHaveLength(2);
  started[1]?.resolve('token');
  expect(await Promise.all([newcomer, joined])).toEqual(['token', 'token']);
});

test('work that ended well is not told to stop', async () => {
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  const waiting = flights.run('key', work, new AbortController().signal);
  started[0]?.resolve('token');
  await waiting;
  expect(started[0]?.signal.aborted).toBe(false);
});

test('who has left already starts nothing', async () => {
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  expect(await thrownBy(flights.run('key', work, AbortSignal.abort(REASON)))).toBe(REASON);
  expect(started).toEqual([]);
  expect(flights.has('key')).toBe(false);
});

test('nobody joins what has hung for its whole life; who has joined stays, and it goes with the last of them', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  const controller = new AbortController();
  const first = flights.run('key', work);
  vi.advanceTimersByTime(LIFE - 1);
  const second = thrownBy(flights.run('key', work, controller.signal));
  expect(started).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(flights.has('key')).toBe(false);
  const third = flights.run('key', work);
  expect(started).toHaveLength(2);
  expect(started.map(({ signal }) => signal.aborted)).toEqual([false, false]);
  controller.abort(REASON);
  expect(await second).toBe(REASON);
  expect(started[0]?.signal.aborted).toBe(false);
  // It ends late, and takes the one that is under way now from nobody.
  started[0]?.resolve('late');
  expect(await first).toBe('late');
  expect(flights.has('key')).toBe(true);
  started[1]?.resolve('token');
  expect(await third).toBe('token');
  expect(vi.getTimerCount()).toBe(0);
});

test('what has hung for its whole life is told to stop when the last who joined it has left', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const flights = createSingleFlight<string>(LIFE);
  const { started, work } = createWork();
  const controllers = [new AbortController(), new AbortController()];
  const leaving = controllers.map(({ signal }) => thrownBy(flights.run('key', work, signal)));
  vi.advanceTimersByTime(LIFE);
  const newcomer = flights.run('key', work);
  controllers[0]?.abort(REASON);
  expect(await leaving[0]).toBe(REASON);
  expect(started[0]?.signal.aborted).toBe(false);
  controllers[1]?.abort(REASON);
  expect(await leaving[1]).toBe(REASON);
  expect(started.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  started[1]?.resolve('token');
  expect(await newcomer).toBe('token');
});

test('the reason of one who leaves is not told to the work, it may be anything; a deadline of ours is', async () => {
  for (const [reason, told] of [
    [new OnbehalfError('sts_error', 'denied elsewhere', { failure: 'denied' }), false],
    [new OnbehalfError('deadline_exceeded', 'too late', { failure: 'unavailable' }), true],
  ] as const) {
    const flights = createSingleFlight<string>(LIFE);
    const { started, work } = createWork();
    const controller = new AbortController();
    const leaving = thrownBy(flights.run('key', work, controller.signal));
    controller.abort(reason);
    expect(await leaving).toBe(reason);
    expect(started[0]?.signal.aborted).toBe(true);
    expect(started[0]?.signal.reason === reason).toBe(told);
  }
});

test('work that throws before it begins is a failure like any other, and leaves no timer behind', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const flights = createSingleFlight<string>(LIFE);
  const failing = (): Promise<string> => {
    throw REASON;
  };
  expect(await thrownBy(flights.run('key', failing))).toBe(REASON);
  expect(flights.has('key')).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

type Step =
  | { readonly kind: 'join'; readonly key: string }
  | { readonly kind: 'leave'; readonly who: number }
  | { readonly kind: 'end'; readonly key: string; readonly ok: boolean };

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('join' as const), key: fc.constantFrom('a', 'b') }),
    fc.record({ kind: fc.constant('leave' as const), who: fc.nat({ max: 12 }) }),
    fc.record({ kind: fc.constant('end' as const), key: fc.constantFrom('a', 'b'), ok: fc.boolean() }),
  ),
  { maxLength: 30 },
) satisfies fc.Arbitrary<Step[]>;

test('in any order of joining, leaving and ending, each waiter gets its own reason or the outcome of its flight', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (order) => {
      const flights = createSingleFlight<string>(LIFE);
      const works = new Map<string, { name: string; work: Work }>();
      const waiters: {
        controller: AbortController;
        outcome: Promise<string>;
        expected?: string;
        flight: string;
      }[] = [];
      let serial = 0;
      const settle = (flight: string, expected: string): void => {
        for (const one of waiters) if (one.flight === flight) one.expected ??= expected;
      };
      for (const step of order) {
        if (step.kind === 'join') {
          const controller = new AbortController();
          const running = flights.run(
            step.key,
            (signal) =>
              new Promise((resolve, reject) => {
                serial += 1;
                works.set(step.key, { name: `${step.key}${serial}`, work: { signal, resolve, reject } });
              }),
            controller.signal,
          );
          const outcome = running.catch((error: Error) => error.message);
          waiters.push({ controller, outcome, flight: works.get(step.key)?.name ?? '' });
        } else if (step.kind === 'leave') {
          const one = waiters[step.who];
          one?.controller.abort(new Error('left'));
          if (one) one.expected ??= 'left';
        } else {
          const under = works.get(step.key);
          if (under === undefined) continue;
          works.delete(step.key);
          const text = `${step.ok ? 'ok' : 'failed'} ${under.name}`;
          if (step.ok) under.work.resolve(text);
          else under.work.reject(new Error(text));
          settle(under.name, text);
        }
        await setImmediate();
        for (const [key, { name, work }] of works) {
          const alive = waiters.some(({ flight, expected }) => flight === name && expected === undefined);
          expect(work.signal.aborted).toBe(!alive);
          expect(flights.has(key)).toBe(alive);
          if (!alive) works.delete(key);
        }
      }
      for (const { expected, outcome } of waiters) {
        if (expected !== undefined) expect(await outcome).toBe(expected);
      }
    }),
    { numRuns: 200 },
  );
});
