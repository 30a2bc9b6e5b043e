import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type CarefulStore, createCarefulStore } from '../../src/broker/careful-store.ts';
import type { Lease, SharedStore } from '../../src/broker/shared-store.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';

const TIMEOUT = 250;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A careful store over one whose methods may be replaced, and what was told of it. */
function createCareful(methods: Partial<SharedStore> = {}) {
  const told: string[] = [];
  const store: SharedStore = { ...createMemorySharedStore(), ...methods };
  const careful = createCarefulStore(store, {
    timeoutMs: TIMEOUT,
    now: Date.now,
    onChange: ({ state }) => told.push(state),
  });
  return { careful, store, told };
}

const never = (): Promise<never> => new Promise(() => {});
const failing = (): Promise<never> => Promise.reject(new Error('the store is down'));
const WAYS: readonly (keyof CarefulStore)[] = ['get', 'set', 'delete', 'lease'];

async function use(careful: CarefulStore, way: keyof CarefulStore): Promise<unknown> {
  if (way === 'set') return careful.set('key', 'value', 1_000);
  if (way === 'delete') return careful.delete('key', () => true);
  return way === 'lease' ? careful.lease('key', 1_000) : careful.get('key');
}

test('what the store gives is passed on, also that it has nothing', async () => {
  const { careful, store, told } = createCareful();
  expect(await careful.get('key')).toEqual({ failed: false, value: undefined });
  await careful.set('key', 'value', 1_000);
  expect(await careful.get('key')).toEqual({ failed: false, value: 'value' });
  await careful.delete('key', (value) => value === 'another');
  expect(await store.get('key')).toBe('value');
  await careful.delete('key', (value) => value === 'value');
  expect(await store.get('key')).toBeUndefined();
  const lease = await careful.lease('key', 1_000);
  expect(lease).toMatchObject({ failed: false, value: { release: expect.any(Function) } });
  expect(await careful.lease('key', 1_000)).toEqual({ failed: false, value: undefined });
  expect(careful.state).toBe('up');
  expect(told).toEqual([]);
});

describe('a store that', () => {
  /** Rejections that nobody handles would end the process of whoever uses this package. */
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', onUnhandled);
    onTestFinished(() => void process.off('unhandledRejection', onUnhandled));
  });

  const broken: readonly [string, () => Promise<never>][] = [
    ['fails', failing],
    [
      'throws at once',
      () => {
        throw new Error('the store is broken');
      },
    ],
    ['never answers', never],
  ];
  const cases = broken.flatMap(([what, method]) => WAYS.map((way) => [what, way, method] as const));

  test.each(cases)('%s is down, and nothing is thrown (%s)', async (what, way, method) => {
    const { careful, told } = createCareful({ get: method, set: method, delete: method, lease: method });
    const used = use(careful, way);
    await vi.advanceTimersByTimeAsync(TIMEOUT);
    expect(await used).toEqual(way === 'get' || way === 'lease' ? { failed: true } : undefined);
    expect(careful.state).toBe('down');
    expect(told).toEqual(['down']);
    // Whatever was left running has its time.
    await vi.advanceTimersByTimeAsync(10 * TIMEOUT);
    vi.useRealTimers();
    await setImmediate();
    expect(unhandled, `${what}: a rejection that nobody handled`).toEqual([]);
  });

  test('gives no promise ends no process', async () => {
    const none = (() => undefined) as unknown as () => Promise<never>;
    const { careful } = createCareful({ get: none, set: none, delete: none, lease: none });
    await Promise.all(WAYS.map((way) => use(careful, way)));
    await vi.advanceTimersByTimeAsync(10 * TIMEOUT);
    vi.useRealTimers();
    await setImmediate();
    expect(unhandled).toEqual([]);
  });

  test('answers within its time is up, one millisecond later it is down', async () => {
    for (const [late, state] of [
      [TIMEOUT - 1, 'up'],
      [TIMEOUT + 1, 'down'],
    ] as const) {
      const { careful } = createCareful({
        get: () => new Promise((resolve) => setTimeout(resolve, late, 'value')),
      });
      const asked = careful.get('key');
      await vi.advanceTimersByTimeAsync(TIMEOUT + 1);
      expect(await asked).toEqual(state === 'up' ? { failed: false, value: 'value' } : { failed: true });
      expect(careful.state).toBe(state);
    }
  });

  test('answers leaves no timer behind', async () => {
    const { careful } = createCareful();
    for (const way of WAYS) await use(careful, way);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a store that is down', () => {
  test('rests longer each time it fails again, at most thirty seconds, and is told once', async () => {
    const asked: number[] = [];
    const start = Date.now();
    const { careful, told } = createCareful({
      get: () => {
        asked.push(Date.now() - start);
        return failing();
      },
    });
    while (Date.now() - start < 130_000) {
      await careful.get('key');
      await vi.advanceTimersByTimeAsync(100);
    }
    const rests = asked.slice(1).map((time, index) => time - (asked[index] ?? 0));
    expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(told).toEqual(['down']);
  });

  test('is not waited for by any of those who ask meanwhile', async () => {
    let calls = 0;
    const { careful } = createCareful({
      get: () => {
        calls += 1;
        return never();
      },
    });
    const first = careful.get('key');
    await vi.advanceTimersByTimeAsync(TIMEOUT);
    expect(await first).toEqual({ failed: true });
    // No time passes here, so these are answered at once or never.
    expect(await Promise.all(WAYS.map((way) => use(careful, way)))).toEqual([
      { failed: true },
      undefined,
      undefined,
      { failed: true },
    ]);
    expect(calls).toBe(1);
  });

  test('rests once for all who failed together', async () => {
    const { careful, told } = createCareful({ get: failing });
    await Promise.all(Array.from({ length: 20 }, () => careful.get('key')));
    await vi.advanceTimersByTimeAsync(999);
    expect(await careful.lease('key', 1_000)).toEqual({ failed: true });
    await vi.advanceTimersByTimeAsync(1);
    expect(await careful.lease('key', 1_000)).toMatchObject({ failed: false });
    expect(told).toEqual(['down', 'up']);
  });

  test('is up again with the first answer, and the next rest is a short one', async () => {
    let fail = true;
    const { careful, told } = createCareful({ get: async () => (fail ? failing() : 'value') });
    await careful.get('key');
    await vi.advanceTimersByTimeAsync(1_000);
    await careful.get('key');
    await vi.advanceTimersByTimeAsync(2_000);
    fail = false;
    expect(await careful.get('key')).toEqual({ failed: false, value: 'value' });
    fail = true;
    await careful.get('key');
    await vi.advanceTimersByTimeAsync(1_000);
    fail = false;
    expect(await careful.get('key')).toEqual({ failed: false, value: 'value' });
    expect(told).toEqual(['down', 'up', 'down', 'up']);
  });

  test('is not called up by an answer to what was asked before it went down', async () => {
    const answers: ((value: string) => void)[] = [];
    const { careful, told } = createCareful({
      get: (key) => (key === 'bad' ? failing() : new Promise((resolve) => answers.push(resolve))),
    });
    const slow = careful.get('slow');
    await careful.get('bad');
    answers[0]?.('value');
    expect(await slow).toEqual({ failed: false, value: 'value' });
    // It is left alone, so it is down.
    expect(await careful.lease('key', 1_000)).toEqual({ failed: true });
    expect([careful.state, told]).toEqual(['down', ['down']]);
  });
});

describe('a lease that comes too late', () => {
  const late = (lease: () => Lease | undefined) =>
    createCareful({
      lease: () => new Promise((resolve) => setTimeout(() => resolve(lease()), 2 * TIMEOUT)),
    });

  test('is given back, since nobody knows of it', async () => {
    let released = 0;
    const { careful } = late(() => ({
      release: async () => {
        released += 1;
      },
    }));
    const asked = careful.lease('key', 5_000);
    await vi.advanceTimersByTimeAsync(TIMEOUT);
    expect(await asked).toEqual({ failed: true });
    expect(released).toBe(0);
    await vi.advanceTimersByTimeAsync(TIMEOUT);
    expect(released).toBe(1);
  });

  test.each<[string, () => Lease | undefined]>([
    ['is none', () => undefined],
    ['cannot be given back', () => ({ release: failing })],
    [
      'throws when it is given back',
      () => ({
        release: () => {
          throw new Error('not today');
        },
      }),
    ],
  ])('that %s ends no process', async (_what, lease) => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    onTestFinished(() => void process.off('unhandledRejection', onUnhandled));
    const { careful } = late(lease);
    const asked = careful.lease('key', 5_000);
    await vi.advanceTimersByTimeAsync(2 * TIMEOUT);
    expect(await asked).toEqual({ failed: true });
    vi.useRealTimers();
    await setImmediate();
    expect(unhandled).toEqual([]);
  });

  test('is kept by whoever got it in time', async () => {
    let released = 0;
    const lease: Lease = {
      release: async () => {
        released += 1;
      },
    };
    const { careful } = createCareful({ lease: async () => lease });
    expect(await careful.lease('key', 5_000)).toEqual({ failed: false, value: lease });
    await vi.advanceTimersByTimeAsync(10 * TIMEOUT);
    expect(released).toBe(0);
  });
});
