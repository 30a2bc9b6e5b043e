import { EventEmitter } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Delegation } from '../../src/broker/delegation.ts';
import { currentDelegation, iterateAs, runAs } from '../../src/context/carrier.ts';
import { thrownBy } from '../support/failure.ts';

const delegation = (id: string): Delegation => ({
  id,
  group: id,
  endsAt: 0,
  subject: { sub: id, iss: undefined, digest: id, expiresAt: undefined },
});
const [ALICE, BOB] = [delegation('alice'), delegation('bob')];
const current = (): string | undefined => currentDelegation()?.id;

test('outside of any run there is no delegation', () => {
  expect(currentDelegation()).toBeUndefined();
});

test('inside it is the very one, and outside it is what it was before', () => {
  const outcome = runAs(ALICE, () => {
    expect(currentDelegation()).toBe(ALICE);
    expect(runAs(BOB, current)).toBe('bob');
    return current();
  });
  expect(outcome).toBe('alice');
  expect(current()).toBeUndefined();
});

test.each([
  ['no delegation', undefined, () => {}, 'needs a delegation'],
  ['null', null, () => {}, 'needs a delegation'],
  ['an id', 'alice', () => {}, 'needs a delegation'],
  ['no function', ALICE, undefined, 'needs a function'],
  ['a promise of the work', ALICE, Promise.resolve(), 'needs a function'],
])('to be given %s is a mistake, and nothing is run', async (_, given, fn, message) => {
  const work = typeof fn === 'function' ? vi.fn(fn) : fn;
  const error = await thrownBy(() => runAs(given as Delegation, work as () => void));
  expect(error).toBeInstanceOf(TypeError);
  expect(String(error)).toContain(message);
  if (typeof work === 'function') expect(work).not.toHaveBeenCalled();
});

test('it is restored after a failure, too', async () => {
  const error = new Error('failed');
  const fail = (): never => {
    throw error;
  };
  expect(await thrownBy(() => runAs(ALICE, fail))).toBe(error);
  expect(current()).toBeUndefined();
  expect(await thrownBy(runAs(ALICE, async () => fail()))).toBe(error);
  expect(current()).toBeUndefined();
});

test('it is carried over awaits, timers, promises and callbacks', async () => {
  const seen = await runAs(ALICE, async () => {
    const all = [current()];
    await setImmediate();
    all.push(current());
    all.push(await new Promise((resolve) => void setTimeout(() => resolve(current()), 0)));
    all.push(await new Promise((resolve) => process.nextTick(() => resolve(current()))));
    queueMicrotask(() => all.push(current()));
    await Promise.resolve();
    return all;
  });
  expect(seen).toEqual(Array.from({ length: 5 }, () => 'alice'));
  expect(current()).toBeUndefined();
});

test('work that was begun under one delegation keeps it while another one runs', async () => {
  const gate = new EventEmitter();
  const opened = new Promise((resolve) => gate.once('open', resolve));
  const waiting = runAs(ALICE, async () => {
    await opened;
    return current();
  });
  runAs(BOB, () => gate.emit('open'));
  expect(await waiting).toBe('alice');
});

/** A run: nested runs, each of which waits for some turns. */
interface Plan {
  readonly who: string;
  readonly turns: number;
  readonly inner: readonly Plan[];
}

const plans = fc.letrec<{ plan: Plan }>((tie) => ({
  plan: fc.record({
    who: fc.constantFrom('alice', 'bob', 'carol'),
    turns: fc.nat({ max: 3 }),
    inner: fc.oneof({ depthSize: 'small' }, fc.constant([]), fc.array(tie('plan'), { maxLength: 2 })),
  }),
})).plan;

test('concurrent and nested runs never see each other', async () => {
  const walk = ({ who, turns, inner }: Plan): Promise<void> =>
    runAs(delegation(who), async () => {
      for (let turn = 0; turn < turns; turn += 1) {
        expect(current()).toBe(who);
        await (turn % 2 === 0 ? Promise.resolve() : setImmediate());
      }
      await Promise.all(inner.map(walk));
      expect(current()).toBe(who);
    });
  await fc.assert(
    fc.asyncProperty(fc.array(plans, { maxLength: 4 }), async (all) => {
      await Promise.all(all.map(walk));
      expect(current()).toBeUndefined();
    }),
    { numRuns: 60 },
  );
});

/** Says before and after each step who is current, and in `finally` as well. */
async function* watched(seen: (string | undefined)[], steps = 3): AsyncGenerator<number, void, undefined> {
  try {
    for (let step = 0; step < steps; step += 1) {
      seen.push(current());
      await setImmediate();
      seen.push(current());
      yield step;
    }
  } finally {
    await setImmediate();
    seen.push(current());
  }
}

async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of iterable) {
    expect(current()).toBeUndefined();
    all.push(one);
  }
  return all;
}

test('an iteration runs under its delegation at each step, the consumer does not', async () => {
  const seen: (string | undefined)[] = [];
  expect(await collect(iterateAs(ALICE, () => watched(seen)))).toEqual([0, 1, 2]);
  expect(seen).toEqual(Array.from({ length: 7 }, () => 'alice'));
});

test('an iteration that is consumed under another delegation keeps its own', async () => {
  const seen: (string | undefined)[] = [];
  const iteration = runAs(BOB, () => iterateAs(ALICE, () => watched(seen)));
  await runAs(BOB, async () => {
    for await (const _ of iteration) expect(current()).toBe('bob');
  });
  expect(new Set(seen)).toEqual(new Set(['alice']));
});

test('two iterations that take turns never mix', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 14 }), async (turns) => {
      const seen: [(string | undefined)[], (string | undefined)[]] = [[], []];
      const iterations = [
        iterateAs(ALICE, () => watched(seen[0], 5)),
        iterateAs(BOB, () => watched(seen[1], 5)),
      ] as const;
      await Promise.all(turns.map((turn) => iterations[turn ? 0 : 1].next()));
      await Promise.all(iterations.map((one) => one.return()));
      expect(seen[0].every((who) => who === 'alice')).toBe(true);
      expect(seen[1].every((who) => who === 'bob')).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('what makes the iteration runs under the delegation, and not before the first step', async () => {
  const made: (string | undefined)[] = [];
  const iteration = iterateAs(ALICE, () => {
    made.push(current());
    return watched([]);
  });
  expect(made).toEqual([]);
  await iteration.next();
  expect(made).toEqual(['alice']);
  await iteration.return();
});

test('breaking off closes the iteration under the delegation', async () => {
  const seen: (string | undefined)[] = [];
  for await (const step of iterateAs(ALICE, () => watched(seen))) if (step === 1) break;
  expect(seen).toEqual(Array.from({ length: 5 }, () => 'alice'));
});

test('a consumer that fails closes the iteration under the delegation', async () => {
  const seen: (string | undefined)[] = [];
  const error = new Error('the consumer failed');
  const consume = async (): Promise<void> => {
    for await (const _ of iterateAs(ALICE, () => watched(seen))) throw error;
  };
  expect(await thrownBy(consume())).toBe(error);
  expect(seen).toEqual(['alice', 'alice', 'alice']);
});

test('an error that is thrown into the iteration closes it, and comes back', async () => {
  const seen: (string | undefined)[] = [];
  const iteration = iterateAs(ALICE, () => watched(seen));
  await iteration.next();
  const error = new Error('thrown in');
  expect(await thrownBy(iteration.throw(error))).toBe(error);
  expect(seen).toEqual(['alice', 'alice', 'alice']);
  expect(await iteration.next()).toEqual({ done: true, value: undefined });
});

test('a failure of the iteration is thrown as it is, and nothing is closed twice', async () => {
  const error = new Error('the run failed');
  let closed = 0;
  const failing: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(error),
      return: async () => {
        closed += 1;
        return { done: true, value: undefined };
      },
    }),
  };
  expect(await thrownBy(collect(iterateAs(ALICE, () => failing)))).toBe(error);
  expect(
    await thrownBy(
      collect(
        iterateAs(ALICE, () => {
          throw error;
        }),
      ),
    ),
  ).toBe(error);
  expect(closed).toBe(0);
});

test('an iteration that has ended, well or not, is not closed once more', async () => {
  const error = new Error('the run failed');
  for (const last of [async () => ({ done: true as const, value: undefined }), () => Promise.reject(error)]) {
    let [steps, closed] = [0, 0];
    const twoSteps: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          steps += 1;
          return steps <= 2 ? { done: false, value: steps } : last();
        },
        return: async () => {
          closed += 1;
          return { done: true, value: undefined };
        },
      }),
    };
    await collect(iterateAs(ALICE, () => twoSteps)).catch((thrown: unknown) => expect(thrown).toBe(error));
    expect([steps, closed]).toEqual([3, 0]);
  }
});

test('an iteration without a way to close it can be broken off, too', async () => {
  const endless: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false, value: 1 }) }),
  };
  for await (const _ of iterateAs(ALICE, () => endless)) break;
  expect(current()).toBeUndefined();
});

test('one that is closed before its first step never begins', async () => {
  let made = false;
  const iteration = iterateAs(ALICE, () => {
    made = true;
    return watched([]);
  });
  await iteration.return();
  expect(made).toBe(false);
});

test('no file of the package enters a context for good', () => {
  const root = new URL('../../src/', import.meta.url);
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  expect(files.length).toBeGreaterThan(20);
  const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const guilty = files.filter((name) =>
    withoutComments(readFileSync(new URL(name, root), 'utf8')).includes('enterWith'),
  );
  expect(guilty).toEqual([]);
});
