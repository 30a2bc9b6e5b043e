import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import {
  createReflector,
  type Reflector,
  type ReflectorOptions,
} from '../../../src/kubernetes/client/reflector.ts';
import { RESOURCES } from '../../../src/kubernetes/client/resources.ts';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { createSimulatedTime, type SimulatedTime, settle } from '../../support/simulated-time.ts';
import { broken, busy, createFakeApi, expired, type FakeApi, forbidden } from './fake-api.ts';

interface Kept {
  readonly version: number;
  readonly text: string;
}

const keep = ({ metadata, data }: KubeObject): Kept => ({
  version: Number(metadata.resourceVersion),
  text: (data as { text: string }).text,
});

interface Started {
  readonly api: FakeApi;
  readonly time: SimulatedTime;
  readonly reflector: Reflector<Kept>;
  /** What `onChange` was told: `place before -> after`. */
  readonly told: string[];
  readonly errors: unknown[];
  /** What one has who knows only what `onChange` was told. */
  readonly replayed: ReadonlyMap<string, Kept>;
  readonly stop: () => void;
  readonly done: Promise<void>;
}

const BACKOFF = { firstMs: 100, mostMs: 1_000 };

function start(
  first: Readonly<Record<string, string>> = {},
  options: Partial<ReflectorOptions<Kept>> = {},
): Started {
  const time = createSimulatedTime();
  const api = createFakeApi(time);
  for (const [key, text] of Object.entries(first)) api.put(key, text);
  const told: string[] = [];
  const errors: unknown[] = [];
  const replayed = new Map<string, Kept>();
  const reflector: Reflector<Kept> = createReflector({
    ...{ client: api.client, resource: RESOURCES.ConfigMap, time, keep, backoff: BACKOFF },
    onError: (error) => errors.push(error),
    onChange({ namespace, name }, before, after) {
      const key = `${namespace}/${name}`;
      told.push(`${key} ${before?.text ?? '-'} -> ${after?.text ?? '-'}`);
      expect(replayed.get(key)).toBe(before);
      expect(reflector.get(namespace, name)).toBe(after);
      if (before && after) expect(after.version).toBeGreaterThan(before.version);
      if (after) replayed.set(key, after);
      else replayed.delete(key);
    },
    ...options,
  });
  const stop = new AbortController();
  const done = reflector.run(stop.signal);
  onTestFinished(() => stop.abort());
  return { api, time, reflector, told, errors, replayed, stop: () => stop.abort(), done };
}

const texts = ({ reflector }: Started): readonly string[] =>
  reflector
    .list()
    .map(({ text }) => text)
    .sort();

describe('A reflector', () => {
  test('shows nothing before it has all, then all at once', async () => {
    const started = start({ 'x/a': '1', 'x/b': '2', 'y/c': '3' });
    const { reflector, time, told } = started;
    let isSynced = false;
    void reflector.synced.then(() => {
      isSynced = true;
    });
    await time.advance(12);
    expect([texts(started), told, isSynced]).toEqual([[], [], false]);
    await time.advance(10);
    expect(texts(started)).toEqual(['1', '2', '3']);
    expect(told).toEqual(['x/a - -> 1', 'x/b - -> 2', 'y/c - -> 3']);
    expect(isSynced).toBe(true);
    expect(reflector.list('x')).toHaveLength(2);
    expect(reflector.get('y', 'c')).toEqual({ version: 4, text: '3' });
    expect(reflector.get('x', 'c')).toBeUndefined();
  });

  test('follows what is made, changed and deleted', async () => {
    const started = start({ 'x/a': '1' });
    const { api, time, told } = started;
    await time.advance(50);
    api.put('x/b', '2');
    api.put('x/a', '3');
    api.remove('x/b');
    await time.advance(50);
    expect(told.slice(1)).toEqual(['x/b - -> 2', 'x/a 1 -> 3', 'x/b 2 -> -']);
    expect(texts(started)).toEqual(['3']);
  });

  test('keeps of an object what it is told to, and what it is not told to keep is not there', async () => {
    const started = start(
      { 'x/a': 'kept', 'x/b': 'not' },
      { keep: (object) => (keep(object).text === 'not' ? undefined : keep(object)) },
    );
    const { api, time, told } = started;
    await time.advance(50);
    expect(texts(started)).toEqual(['kept']);
    api.put('x/a', 'not');
    api.put('x/b', 'kept');
    await time.advance(50);
    expect(told).toEqual(['x/a - -> kept', 'x/a kept -> -', 'x/b - -> kept']);
  });

  test('lives on when what it calls throws, and tells that', async () => {
    const started = start(
      { 'x/a': 'bad', 'x/b': '1' },
      {
        keep: (object) => {
          if (keep(object).text === 'bad') throw new Error('cannot keep it');
          return keep(object);
        },
        onChange: () => {
          throw new Error('does not like it');
        },
      },
    );
    const { api, time, errors } = started;
    await time.advance(50);
    api.put('x/a', '2');
    await time.advance(50);
    expect(texts(started)).toEqual(['1', '2']);
    expect(errors.map(String)).toEqual([
      'Error: cannot keep it',
      'Error: does not like it',
      'Error: does not like it',
    ]);
  });

  test('lives on when whoever hears of failures throws', async () => {
    const started = start(
      {},
      {
        onError: () => {
          throw new Error('of the listener');
        },
      },
    );
    await started.time.advance(50);
    started.api.endWatches('break');
    started.api.put('x/a', '1');
    started.api.compact();
    await started.time.advance(1_000);
    expect(texts(started)).toEqual(['1']);
    expect(started.api.lists()).toBe(2);
  });

  test('ends when it is told to, with no timer left, and does not leave those waiting who wait for all', async () => {
    const { api, reflector, time, stop, done } = start();
    api.failLists(1, broken());
    await time.advance(20);
    stop();
    await done;
    await expect(reflector.synced).rejects.toThrow();
    // That nobody waits for this one must not be an unhandled rejection.
    const unheard = start();
    unheard.stop();
    await unheard.done;
    const later = start({ 'x/a': '1' });
    await later.time.advance(50);
    later.stop();
    await later.done;
    await later.reflector.synced;
    expect(later.time.timers()).toBe(0);
    expect(texts(later)).toEqual(['1']);
  });
});

describe('A watch that breaks or ends', () => {
  test('goes on from the last change it told, without a list', async () => {
    const started = start({ 'x/a': '1' });
    const { api, time, told } = started;
    await time.advance(50);
    api.put('x/a', '2');
    await time.advance(50);
    for (const how of ['break', 'end'] as const) {
      api.endWatches(how);
      api.put('x/b', how);
      await time.advance(200);
    }
    expect(told).toEqual(['x/a - -> 1', 'x/a 1 -> 2', 'x/b - -> break', 'x/b break -> end']);
    expect([api.lists(), api.watches(), api.from()]).toEqual([1, 3, '4']);
  });

  test('goes on from the last bookmark', async () => {
    const { api, time, told } = start({ 'x/a': '1' });
    await time.advance(50);
    api.elsewhere();
    api.bookmark();
    await time.advance(50);
    api.endWatches('end');
    await time.advance(1_000);
    expect([api.lists(), api.watches(), api.from()]).toEqual([1, 2, '3']);
    expect(told).toHaveLength(1);
  });

  test('that is too far behind is begun anew, told only what differs', async () => {
    const started = start({ 'x/a': '1', 'x/b': '2', 'x/c': '3' });
    const { api, time, told } = started;
    await time.advance(50);
    api.endWatches('break');
    api.put('x/b', '4');
    api.remove('x/c');
    api.put('x/d', '5');
    api.compact();
    await time.advance(500);
    expect(told.slice(3)).toEqual(['x/b 2 -> 4', 'x/d - -> 5', 'x/c 3 -> -']);
    expect(api.lists()).toBe(2);
  });

  test('that is too far behind costs no wait, unless that happens again and again', async () => {
    const { api, time } = start({ 'x/a': '1' });
    await time.advance(6_000);
    api.failWatches(3, expired());
    api.compact();
    await time.advance(16);
    expect([api.lists(), api.watches()]).toEqual([2, 2]);
    await time.advance(20);
    expect([api.lists(), api.watches()]).toEqual([2, 2]);
    await time.advance(2_000);
    expect([api.lists(), api.watches()]).toEqual([5, 5]);
  });

  test('again and again is begun later and later, and soon again once it has lasted', async () => {
    const { api, time, errors } = start();
    api.failWatches(20, broken());
    await time.advance(10_000);
    expect(api.watches()).toBeGreaterThanOrEqual(12);
    expect(api.watches()).toBeLessThanOrEqual(24);
    api.failWatches(0, broken());
    await time.advance(30_000);
    const before = api.watches();
    api.endWatches('break');
    await time.advance(120);
    expect(api.watches()).toBe(before + 1);
    expect(errors).toHaveLength(21);
    expect(api.lists()).toBe(1);
  });

  test('at once, as if all were well, is not begun at once again and again', async () => {
    const { api, time } = start();
    await time.advance(50);
    for (let times = 0; times < 200; times++) {
      api.endWatches('end');
      await time.advance(10);
    }
    expect(api.watches()).toBeLessThan(12);
  });

  test('is begun when the API server says, if it says so', async () => {
    const { api, time } = start();
    api.failWatches(1, busy(7_000));
    await time.advance(6_990);
    expect(api.watches()).toBe(1);
    await time.advance(200);
    expect([api.watches(), api.lists()]).toEqual([2, 1]);
  });

  test('soon after it has told something is begun soon, whatever failed before', async () => {
    const { api, time } = start({ 'x/a': '1' });
    api.failWatches(8, broken());
    while (api.watches() < 9) await time.advance(100);
    await time.advance(50);
    for (const how of ['end', 'break'] as const) {
      api.put('x/a', how);
      await time.advance(10);
      api.endWatches(how);
      await time.advance(110);
    }
    expect(api.watches()).toBe(11);
  });

  test('because the API server is behind what was seen, as after a restore, is begun anew', async () => {
    const { api, time } = start();
    api.failWatches(1, new KubeError('too large', { code: 504, reason: 'Expired' }));
    await time.advance(1_000);
    expect(api.lists()).toBe(2);
  });

  test('because the API server fails goes on where it was', async () => {
    const { api, time } = start();
    api.failWatches(1, new KubeError('no etcd', { code: 500, reason: 'InternalError' }));
    await time.advance(1_000);
    expect([api.watches(), api.lists()]).toEqual([2, 1]);
  });

  test('because the right to it is gone shows what was known, and all again when it is back', async () => {
    const started = start({ 'x/a': '1' });
    const { api, time, errors } = started;
    await time.advance(50);
    api.failWatches(1, forbidden());
    api.failLists(3, forbidden());
    api.endWatches('break');
    await time.advance(300);
    expect(texts(started)).toEqual(['1']);
    api.remove('x/a');
    api.put('x/b', '2');
    await time.advance(5_000);
    expect(texts(started)).toEqual(['2']);
    expect(errors).toHaveLength(5);
  });
});

test('A list that breaks off is not shown, not even a part of it', async () => {
  const started = start({ 'x/a': '1', 'x/b': '2', 'x/c': '3' });
  started.api.failLists(2, broken());
  await started.time.advance(20);
  expect(started.api.lists()).toBe(1);
  expect(texts(started)).toEqual([]);
  await started.time.advance(1_000);
  expect(texts(started)).toEqual(['1', '2', '3']);
});

const KEYS = ['x/a', 'x/b', 'y/a', 'y/b', 'y/c'];
const anyError = fc.constantFrom(broken(), busy(), busy(300), expired(), forbidden());
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), key: fc.constantFrom(...KEYS) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), key: fc.constantFrom(...KEYS) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('compact' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('bookmark' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('end' as const), how: fc.constantFrom('end', 'break') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('failLists' as const), error: anyError }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('failWatches' as const), error: anyError }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(8_000) }) },
);

test('Whatever happens in whatever order, it comes to show what the server has, and tells each change once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const started = start({ 'x/a': 'first' });
      const { api, time, replayed, reflector, errors, stop, done } = started;
      for (const [index, one] of steps.entries()) {
        if (one.do === 'put') api.put(one.key, String(index));
        else if (one.do === 'remove') api.remove(one.key);
        else if (one.do === 'compact') api.compact();
        else if (one.do === 'bookmark') api.bookmark();
        else if (one.do === 'end') api.endWatches(one.how as 'end' | 'break');
        else if (one.do === 'failLists') api.failLists(1, one.error);
        else if (one.do === 'failWatches') api.failWatches(1, one.error);
        else await time.advance(one.ms);
      }
      await time.advance(30_000);
      const shown = new Map([...replayed].map(([key, { text }]) => [key, text]));
      expect(shown).toEqual(api.state());
      expect(new Set(reflector.list())).toEqual(new Set(replayed.values()));
      // What an expectation in onChange throws is told as a failure.
      expect(errors.filter((error) => !(error instanceof Error && error.name === 'KubeError'))).toEqual([]);
      stop();
      await done;
      await settle();
    }),
    { numRuns: 200 },
  );
}, 60_000);
