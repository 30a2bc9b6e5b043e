import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  createWorkQueue,
  type Handled,
  type WorkQueue,
  type WorkQueueOptions,
} from '../../../src/kubernetes/queue/work-queue.ts';
import { createSimulatedTime, type SimulatedTime, settle } from '../../support/simulated-time.ts';

/** A handling that ends when the test says so. */
interface Handling {
  readonly key: string;
  readonly at: number;
  readonly signal: AbortSignal;
  end(handled?: Handled): Promise<void>;
  fail(error?: Error): Promise<void>;
}

interface Started {
  readonly queue: WorkQueue;
  readonly time: SimulatedTime;
  /** All that have begun, in order. */
  readonly begun: readonly Handling[];
  readonly keys: () => readonly string[];
  /** The handling that began last. */
  readonly last: () => Handling;
  readonly stop: () => void;
  readonly done: Promise<void>;
}

function start(options: Partial<WorkQueueOptions> = {}): Started {
  const time = createSimulatedTime();
  const begun: Handling[] = [];
  const stop = new AbortController();
  const queue = createWorkQueue({
    time,
    concurrency: 1,
    handle: (key, signal) =>
      new Promise((resolve, reject) => {
        begun.push({
          key,
          signal,
          at: time.now(),
          end: (handled) => {
            resolve(handled);
            return settle();
          },
          fail: (error = new Error('it failed')) => {
            reject(error);
            return settle();
          },
        });
      }),
    ...options,
  });
  const done = queue.run(stop.signal);
  onTestFinished(() => stop.abort());
  const last = (): Handling => begun.at(-1) as Handling;
  return {
    queue,
    time,
    begun,
    last,
    keys: () => begun.map(({ key }) => key),
    stop: () => stop.abort(),
    done,
  };
}

describe('A key', () => {
  test('that waits already is handled once for all adds', async () => {
    const { queue, keys, last } = start();
    for (const key of ['a', 'b', 'a', 'b']) queue.add(key);
    await settle();
    await last().end();
    await last().end();
    expect(keys()).toEqual(['a', 'b']);
    expect(queue.sizes()).toEqual({ waiting: 0, active: 0, delayed: 0, failing: 0 });
  });

  test('that is added while it is handled is handled once more, after that', async () => {
    const { queue, keys, last } = start({ concurrency: 3 });
    queue.add('a');
    await settle();
    queue.add('a');
    queue.add('a');
    await settle();
    expect(keys()).toEqual(['a']);
    await last().end();
    expect(keys()).toEqual(['a', 'a']);
    await last().end();
    expect(keys()).toEqual(['a', 'a']);
  });

  test('that changes all the time does not keep the others waiting', async () => {
    const { queue, keys, last } = start();
    queue.add('busy');
    await settle();
    for (const key of ['a', 'b']) queue.add(key);
    for (let times = 0; times < 6; times++) {
      queue.add('busy');
      await last().end();
    }
    expect(keys().slice(0, 5)).toEqual(['busy', 'a', 'b', 'busy', 'busy']);
  });

  test('that was added before the queue runs is handled when it runs', async () => {
    const handled: string[] = [];
    const queue = createWorkQueue({
      handle: async (key) => {
        handled.push(key);
        return undefined;
      },
    });
    queue.add('a');
    await settle();
    expect(handled).toEqual([]);
    const stop = new AbortController();
    const done = queue.run(stop.signal);
    await settle();
    expect(handled).toEqual(['a']);
    stop.abort();
    await done;
  });
});

test('As many keys are handled at the same time as it says, and no more', async () => {
  const { queue, begun, keys } = start({ concurrency: 2 });
  for (const key of ['a', 'b', 'c']) queue.add(key);
  await settle();
  expect(keys()).toEqual(['a', 'b']);
  expect(queue.sizes()).toMatchObject({ active: 2, waiting: 1 });
  await begun[1]?.end();
  expect(keys()).toEqual(['a', 'b', 'c']);
});

test('Handlers that never wait let timers and sockets come in between', async () => {
  let turns = 0;
  const handled = new Promise<number>((resolve) => {
    let count = 0;
    const queue = createWorkQueue({
      concurrency: 1,
      handle: async () => {
        count += 1;
        if (count === 50) resolve(turns);
        return undefined;
      },
    });
    for (let index = 0; index < 50; index++) queue.add(`key-${index}`);
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    void queue.run(stop.signal);
  });
  const turn = (): void => {
    turns += 1;
    if (turns < 1000) setImmediate(turn);
  };
  turn();
  expect(await handled).toBeGreaterThan(40);
});

describe('After a failure', () => {
  test('the key is handled again, each time after longer, up to a limit', async () => {
    const told: number[] = [];
    const { queue, time, begun, last } = start({
      backoff: { firstMs: 100, mostMs: 1_000 },
      onError: (_key, _error, _failures, againAfterMs) => told.push(againAfterMs),
    });
    queue.add('a');
    await settle();
    for (let times = 0; times < 7; times++) {
      await last().fail();
      expect(queue.sizes()).toMatchObject({ delayed: 1, failing: 1 });
      await time.advance(1_000);
    }
    expect(begun).toHaveLength(8);
    for (const [index, wait] of told.entries()) {
      const longest = Math.min(1_000, 100 * 2 ** index);
      expect(wait).toBeGreaterThanOrEqual(longest / 2);
      expect(wait).toBeLessThanOrEqual(longest);
      expect((begun[index + 1]?.at ?? 0) - 1_000 * index).toBeCloseTo(wait, 6);
    }
  });

  test('a success makes the next wait a short one again', async () => {
    const told: number[] = [];
    const { queue, time, last } = start({ onError: (_key, _error, failures) => told.push(failures) });
    queue.add('a');
    await settle();
    await last().fail();
    await time.advance(100);
    await last().fail();
    await time.advance(200);
    await last().end();
    expect(queue.sizes().failing).toBe(0);
    queue.add('a');
    await settle();
    await last().fail();
    expect(told).toEqual([1, 2, 1]);
  });

  test('a change is handled at once, and the wait is over with it', async () => {
    const { queue, time, begun, last } = start({ backoff: { firstMs: 10_000, mostMs: 10_000 } });
    queue.add('a');
    await settle();
    await last().fail();
    queue.add('a');
    await settle();
    expect(begun).toHaveLength(2);
    await last().end();
    await time.advance(60_000);
    expect(begun).toHaveLength(2);
    expect(time.timers()).toBe(0);
  });

  test('the other keys are handled as if nothing were', async () => {
    const { queue, keys, last } = start();
    queue.add('bad');
    await settle();
    await last().fail();
    queue.add('good');
    await settle();
    expect(keys()).toEqual(['bad', 'good']);
  });

  test('a listener that throws does no harm', async () => {
    const { queue, time, begun, last } = start({
      onError: () => {
        throw new Error('of the listener');
      },
    });
    queue.add('a');
    await settle();
    await last().fail();
    await time.advance(100);
    expect(begun).toHaveLength(2);
  });
});

describe('A key that is to be handled later', () => {
  test('is handled then, and not before', async () => {
    const { queue, time, begun } = start();
    queue.addAfter('a', 5_000);
    await time.advance(4_999);
    expect(begun).toHaveLength(0);
    expect(queue.sizes()).toMatchObject({ delayed: 1, waiting: 0 });
    await time.advance(1);
    expect(begun).toHaveLength(1);
  });

  test('is handled at the earlier of two times, once', async () => {
    const { queue, time, begun, last } = start();
    queue.addAfter('a', 5_000);
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 9_000);
    await time.advance(1_000);
    expect(begun).toHaveLength(1);
    await last().end();
    await time.advance(20_000);
    expect(begun).toHaveLength(1);
  });

  test('can be asked for by its handler', async () => {
    const { queue, time, begun, last } = start();
    queue.add('a');
    await settle();
    await last().end({ againAfterMs: 3_000 });
    await time.advance(2_999);
    expect(begun).toHaveLength(1);
    await time.advance(1);
    expect(begun).toHaveLength(2);
  });

  test('while it is being handled is handled again then', async () => {
    const { queue, time, begun, last } = start();
    queue.add('a');
    await settle();
    queue.addAfter('a', 1_000);
    await last().end();
    expect(begun).toHaveLength(1);
    await time.advance(1_000);
    expect(begun).toHaveLength(2);
  });
});

describe('At the end', () => {
  test('what runs is told and waited for; nothing new begins, no timer is left', async () => {
    const { queue, time, begun, keys, stop, done } = start({ concurrency: 2 });
    let isDone = false;
    void done.then(() => {
      isDone = true;
    });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.addAfter('d', 1_000);
    await settle();
    stop();
    expect(time.timers()).toBe(0);
    queue.add('e');
    queue.addAfter('f', 1_000);
    await time.advance(2_000);
    expect(begun[0]?.signal.aborted).toBe(true);
    await begun[0]?.fail();
    expect(isDone).toBe(false);
    await begun[1]?.end({ againAfterMs: 1_000 });
    await done;
    expect(keys()).toEqual(['a', 'b']);
    expect(time.timers()).toBe(0);
    expect(queue.sizes()).toEqual({ waiting: 0, active: 0, delayed: 0, failing: 0 });
  });

  test('what was about to begin does not begin', async () => {
    const { queue, begun, stop, done } = start();
    queue.add('a');
    stop();
    await done;
    expect(begun).toHaveLength(0);
  });

  test('a queue that has nothing to do ends at once', async () => {
    const { stop, done } = start();
    stop();
    await done;
    const queue = createWorkQueue({ handle: async () => undefined });
    await queue.run(AbortSignal.abort());
  });
});

const KEYS = ['a', 'b', 'c', 'd'];
const key = fc.constantFrom(...KEYS);
const command = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key }),
  fc.record({ do: fc.constant('addAfter' as const), key, ms: fc.nat(3_000) }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.nat(2_000) }),
  fc.record({
    do: fc.constant('end' as const),
    index: fc.nat(3),
    how: fc.constantFrom('done', 'fail', 'again'),
  }),
);

test('Whatever comes in whatever order, no key is lost, none is handled twice at once, and the first comes first', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { maxLength: 60 }),
      fc.integer({ min: 1, max: 3 }),
      async (all, concurrency) => {
        const time = createSimulatedTime();
        const active = new Map<string, (handled: Handled | Error) => void>();
        /** Keys that were added and have not begun, in order. */
        const line: string[] = [];
        /** Keys that must begin until then. */
        const due = new Map<string, number>();
        const again = new Set<string>();
        const handle = (one: string): Promise<Handled> => {
          expect(active.has(one), `two handlers of ${one}`).toBe(false);
          expect(active.size).toBeLessThan(concurrency);
          if (line.includes(one)) expect(line.shift(), 'the first in line').toBe(one);
          else
            expect(due.get(one) ?? Number.POSITIVE_INFINITY, `nobody wanted ${one}`).toBeLessThanOrEqual(
              time.now(),
            );
          due.delete(one);
          again.delete(one);
          return new Promise((resolve, reject) => {
            active.set(one, (handled) => {
              active.delete(one);
              if (again.delete(one)) line.push(one);
              if (handled instanceof Error) reject(handled);
              else resolve(handled);
            });
          });
        };
        const queue = createWorkQueue({
          ...{ handle, concurrency, time, backoff: { firstMs: 400, mostMs: 1_600 } },
          onError: (one, _error, failures, ms) => {
            expect(ms).toBeGreaterThanOrEqual(Math.min(1_600, 400 * 2 ** (failures - 1)) / 2);
            want(one, ms);
          },
        });
        const want = (one: string, ms: number): void => {
          due.set(one, Math.min(due.get(one) ?? Number.POSITIVE_INFINITY, time.now() + ms));
        };
        const stop = new AbortController();
        const done = queue.run(stop.signal);
        for (const step of all) {
          if (step.do === 'add') {
            if (active.has(step.key)) again.add(step.key);
            else if (!line.includes(step.key) && !isOverdue(step.key)) line.push(step.key);
            queue.add(step.key);
          } else if (step.do === 'addAfter') {
            want(step.key, step.ms);
            queue.addAfter(step.key, step.ms);
          } else if (step.do === 'advance') await time.advance(step.ms);
          else {
            const [one, end] = [...active][step.index] ?? [];
            if (one !== undefined && step.how === 'again') want(one, 700);
            end?.(
              step.how === 'fail'
                ? new Error('no')
                : step.how === 'again'
                  ? { againAfterMs: 700 }
                  : undefined,
            );
          }
          await settle();
        }
        // In the end all that was wanted has begun.
        for (let turns = 0; turns < 40; turns++) {
          for (const end of [...active.values()]) end(undefined);
          await time.advance(4_000);
        }
        expect(line).toEqual([]);
        expect([...due.keys()]).toEqual([]);
        expect(queue.sizes()).toEqual({ waiting: 0, active: 0, delayed: 0, failing: 0 });
        stop.abort();
        await done;

        /** Its time has come: it is in line already, somewhere. */
        function isOverdue(one: string): boolean {
          return (due.get(one) ?? Number.POSITIVE_INFINITY) <= time.now();
        }
      },
    ),
    { numRuns: 150 },
  );
}, 60_000);
