import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCarefulStore } from '../../src/broker/careful-store.ts';
import type { KeptToken } from '../../src/broker/memory-store.ts';
import { createReplicas, type Replicas, type SharedOrder } from '../../src/broker/replicas.ts';
import type { Lease, SharedStore } from '../../src/broker/shared-store.ts';
import { readSharedToken, writeSharedToken } from '../../src/broker/shared-token.ts';
import { issuedToken } from '../../src/core/issued-token.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import { thrownBy } from '../support/failure.ts';
import { isWaiting, settled, until } from './support.ts';

const LEASE = 120;
const KEY = 'key';

const token = (name: string, usableUntil = Date.now() + 60_000): KeptToken => {
  const facts = { issuedTokenType: 'urn:x', expiresInMs: undefined, scope: undefined };
  return { token: issuedToken(name, facts), usableUntil, refreshAt: usableUntil };
};

/** Replicas on one store, and the exchanges that they make. */
function start(methods: Partial<SharedStore> = {}, memory = createMemorySharedStore()) {
  const store: SharedStore = { ...memory, ...methods };
  const making: { readonly who: number; finish(kept?: KeptToken): void; fail(error: Error): void }[] = [];
  let hold = false;
  let made = 0;
  const join = (): Replicas => {
    const careful = createCarefulStore(store, { timeoutMs: 30, now: Date.now, onChange: () => {} });
    return createReplicas(careful, { leaseMs: LEASE, now: Date.now });
  };
  const order = (who: number, more: Partial<SharedOrder> = {}): SharedOrder => ({
    key: KEY,
    accepts: () => true,
    signal: new AbortController().signal,
    make: () => {
      made += 1;
      const name = `made-by-${who}`;
      if (!hold) return Promise.resolve(token(name));
      return new Promise((resolve, reject) => {
        making.push({ who, finish: (kept = token(name)) => resolve(kept), fail: reject });
      });
    },
    ...more,
  });
  return {
    memory,
    join,
    order,
    making,
    hold: () => {
      hold = true;
    },
    get made() {
      return made;
    },
  };
}

test.each([2, 4, 8])('of %i replicas that want a token at once, one makes it for all', async (count) => {
  let refused = 0;
  const memory = createMemorySharedStore();
  const lease: SharedStore['lease'] = async (key, ttlMs) => {
    const given = await memory.lease(key, ttlMs);
    if (!given) refused += 1;
    return given;
  };
  const world = start({ lease }, memory);
  world.hold();
  const wanted = Array.from({ length: count }, (_, who) => world.join().obtain(world.order(who)));
  await until(() => refused >= count - 1);
  expect(world.making).toHaveLength(1);
  world.making[0]?.finish();
  const got = await Promise.all(wanted);
  expect(new Set(got.map(({ kept }) => kept.token.accessToken))).toEqual(
    new Set([`made-by-${world.making[0]?.who}`]),
  );
  expect(got.filter(({ shared }) => !shared)).toHaveLength(1);
  expect(world.made).toBe(1);
});

test('who comes later gets what is there, for as long as it is usable', async () => {
  const world = start();
  await world.join().obtain(world.order(0));
  expect(await world.join().obtain(world.order(1))).toMatchObject({ shared: true });
  await world.memory.set(KEY, writeSharedToken(token('over', Date.now() - 1)), 60_000);
  const third = await world.join().obtain(world.order(2));
  expect([third.shared, third.kept.token.accessToken]).toEqual([false, 'made-by-2']);
});

test('what is there is taken without a lease', async () => {
  const world = start({ lease: () => Promise.reject(new Error('no lease was needed')) });
  await world.memory.set(KEY, writeSharedToken(token('made-by-another')), 60_000);
  const got = await world.join().obtain(world.order(0));
  expect([got.shared, got.kept.token.accessToken]).toEqual([true, 'made-by-another']);
});

test('a token is kept in the store for as long as it is usable, before the lease is given back', async () => {
  const steps: string[] = [];
  const memory = createMemorySharedStore();
  const world = start({
    set: async (key, value, ttlMs) => {
      steps.push(`set ${key} ${readSharedToken(value)?.token.accessToken} ${Math.round(ttlMs / 1000)}`);
    },
    lease: async (key, ttlMs) => {
      const lease = await memory.lease(key, ttlMs);
      steps.push(`lease ${key} ${ttlMs}`);
      return (
        lease && {
          release: async () => {
            steps.push('release');
          },
        }
      );
    },
  });
  await world.join().obtain(world.order(0));
  await settled();
  expect(steps).toEqual([`lease ${KEY} ${LEASE}`, `set ${KEY} made-by-0 60`, 'release']);
});

describe('a replica that', () => {
  test('fails to make it tells so, and the next one tries at once', async () => {
    const world = start();
    world.hold();
    const [one, two] = [0, 1].map((who) => world.join().obtain(world.order(who)));
    await until(() => world.making.length === 1);
    world.making[0]?.fail(new Error('denied'));
    expect(await thrownBy(one as Promise<unknown>)).toEqual(new Error('denied'));
    await until(() => world.making.length === 2);
    world.making[1]?.finish();
    expect((await two)?.kept.token.accessToken).toBe('made-by-1');
  });

  test('died with the lease is followed by one when that is over, not by all', async () => {
    const world = start();
    const before = Date.now();
    // Nobody gives it back.
    await world.memory.lease(KEY, LEASE);
    const got = await Promise.all(
      [0, 1, 2, 3, 4].map((who) => {
        const order = world.order(who);
        // It takes a while.
        const make = async (): Promise<KeptToken> => {
          await delay(40);
          return order.make();
        };
        return world.join().obtain({ ...order, make });
      }),
    );
    expect(Date.now() - before).toBeGreaterThanOrEqual(LEASE - 5);
    expect(world.made).toBe(1);
    expect(got.filter(({ shared }) => shared)).toHaveLength(4);
  });

  test('holds the lease for ever keeps nobody from a token, and holds nobody up a second time', async () => {
    const world = start({ lease: async () => undefined });
    const replica = world.join();
    const before = Date.now();
    const got = await replica.obtain(world.order(0));
    expect(got).toMatchObject({ shared: false });
    const between = Date.now();
    expect(between - before).toBeLessThan(4 * LEASE + 400);
    await replica.obtain(world.order(1, { key: 'another key' }));
    expect(Date.now() - between).toBeLessThan(LEASE / 2);
  });

  test('waits leaves when it is told to, and takes nothing with it', async () => {
    const world = start();
    world.hold();
    const reason = new Error('the user has left');
    const controller = new AbortController();
    const leader = world.join().obtain(world.order(0));
    await until(() => world.making.length === 1);
    const leaving = thrownBy(world.join().obtain(world.order(1, { signal: controller.signal })));
    const staying = world.join().obtain(world.order(2));
    await settled();
    controller.abort(reason);
    expect(await leaving).toBe(reason);
    world.making[0]?.finish();
    expect([(await leader).shared, (await staying).shared]).toEqual([false, true]);
    expect(world.made).toBe(1);
  });

  test('makes it and is given up on frees the lease at once', async () => {
    const world = start();
    world.hold();
    const leader = thrownBy(world.join().obtain(world.order(0)));
    await until(() => world.making.length === 1);
    world.making[0]?.fail(new Error('aborted'));
    await leader;
    await settled();
    expect(await world.memory.lease(KEY, LEASE)).toBeDefined();
  });

  test('finds the token when it has the lease makes none', async () => {
    const memory = createMemorySharedStore();
    const world = start(
      {
        lease: async (key, ttlMs) => {
          // Another one has finished between the look and the lease.
          await memory.set(KEY, writeSharedToken(token('made-by-another')), 60_000);
          return memory.lease(key, ttlMs);
        },
      },
      memory,
    );
    const got = await world.join().obtain(world.order(0));
    expect([got.shared, got.kept.token.accessToken]).toEqual([true, 'made-by-another']);
    expect(world.made).toBe(0);
  });
});

describe('a store that', () => {
  const failing = (): Promise<never> => Promise.reject(new Error('down'));
  const never = (): Promise<never> => new Promise(() => {});

  test.each<[string, Partial<SharedStore>]>([
    ['cannot be read', { get: failing }],
    ['cannot be written', { set: failing }],
    ['gives no leases', { lease: failing }],
    ['fails altogether', { get: failing, set: failing, lease: failing, delete: failing }],
    ['never answers', { get: never, set: never, lease: never, delete: never }],
    ['answers reading only', { lease: never }],
  ])('%s keeps nobody from a token, nor for long', async (_what, methods) => {
    const world = start(methods);
    const before = Date.now();
    const got = await Promise.all([0, 1].map((who) => world.join().obtain(world.order(who))));
    for (const [who, { kept }] of got.entries()) {
      expect(['made-by-0', `made-by-${who}`]).toContain(kept.token.accessToken);
    }
    expect(Date.now() - before).toBeLessThan(300);
    await world.join().forget(KEY, 'made-by-0');
  });

  test('cannot take a lease back does no harm to the token', async () => {
    for (const release of [
      failing,
      (): never => {
        throw new Error('at once');
      },
      (() => undefined) as unknown as Lease['release'],
    ]) {
      const world = start({ lease: async () => ({ release }) });
      expect((await world.join().obtain(world.order(0))).kept.token.accessToken).toBe('made-by-0');
    }
  });

  test('holds a value that is not accepted, or is none, gets another in its place', async () => {
    for (const value of ['garbage', '{}', writeSharedToken(token('of-another'))]) {
      const world = start();
      await world.memory.set(KEY, value, 60_000);
      const accepts = (kept: KeptToken): boolean => kept.token.accessToken !== 'of-another';
      const got = await world.join().obtain(world.order(0, { accepts }));
      expect(got.kept.token.accessToken).toBe('made-by-0');
      expect(readSharedToken((await world.memory.get(KEY)) ?? '')?.token.accessToken).toBe('made-by-0');
    }
  });
});

test('a token is forgotten if it is still the one that is there', async () => {
  const world = start();
  const replica = world.join();
  await replica.obtain(world.order(0));
  await replica.forget(KEY, 'another');
  expect(await world.memory.get(KEY)).toBeDefined();
  await replica.forget('another key', 'made-by-0');
  expect(await world.memory.get(KEY)).toBeDefined();
  await replica.forget(KEY, 'made-by-0');
  expect(await world.memory.get(KEY)).toBeUndefined();
  await world.memory.set(KEY, 'garbage', 60_000);
  await replica.forget(KEY, 'made-by-0');
  expect(await world.memory.get(KEY)).toBe('garbage');
});

test('what waits for another replica waits for nothing else', async () => {
  const world = start();
  world.hold();
  const replica = world.join();
  const first = replica.obtain(world.order(0));
  await until(() => world.making.length === 1);
  const other = replica.obtain(world.order(1, { key: 'another key' }));
  await until(() => world.making.length === 2);
  world.making[1]?.finish();
  expect((await other).shared).toBe(false);
  expect(await isWaiting(first)).toBe(true);
  world.making[0]?.finish();
  await first;
});

test('in whatever order the store answers, replicas make one token and all get that', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 5 }), async (scheduler, count) => {
      const memory = createMemorySharedStore();
      const slowly =
        <A extends unknown[], T>(what: string, call: (...args: A) => Promise<T>) =>
        (...args: A): Promise<T> =>
          scheduler.schedule(Promise.resolve(), what).then(() => call(...args));
      const world = start();
      let making = 0;
      let most = 0;
      const careful = (): Replicas => {
        const store = {
          ...{ get: slowly('get', memory.get), set: slowly('set', memory.set) },
          ...{ lease: slowly('lease', memory.lease), delete: memory.delete },
        };
        // Here the scheduler says what is slow, so nothing is too slow.
        const unhurried = createCarefulStore(store, { timeoutMs: 10_000, now: Date.now, onChange: () => {} });
        return createReplicas(unhurried, { leaseMs: 10_000, now: Date.now });
      };
      const got = Promise.all(
        Array.from({ length: count }, (_, who) =>
          careful().obtain(
            world.order(who, {
              make: async () => {
                making += 1;
                most = Math.max(most, making);
                await scheduler.schedule(Promise.resolve(), 'exchange');
                making -= 1;
                return token(`made-by-${who}`);
              },
            }),
          ),
        ),
      );
      const all = await scheduler.waitFor(got);
      expect(most).toBe(1);
      expect(new Set(all.map(({ kept }) => kept.token.accessToken)).size).toBe(1);
      expect(all.filter(({ shared }) => !shared)).toHaveLength(1);
    }),
    { numRuns: 25 },
  );
});
