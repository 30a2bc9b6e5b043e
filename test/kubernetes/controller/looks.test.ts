import { describe, expect, test } from 'vitest';
import type { ObjectKey } from '../../../src/kubernetes/compile/types.ts';
import { createLookPool } from '../../../src/kubernetes/controller/look-pool.ts';
import { createLooks, type Known, type Looked } from '../../../src/kubernetes/controller/looks.ts';
import { settle } from '../../support/simulated-time.ts';

const keyOf = (name: string, namespace = 'team'): ObjectKey => ({ kind: 'TokenService', namespace, name });

describe('the pool of looks', () => {
  /** Looks that end when they are told to. */
  const pool = () => {
    const made = createLookPool();
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    return {
      ...made,
      begun,
      look: (namespace: string, name: string): (() => void) =>
        made.add(namespace, () => {
          begun.push(`${namespace}/${name}`);
          return new Promise((resolve) => ends.set(`${namespace}/${name}`, resolve));
        }),
      end: async (place: string) => {
        ends.get(place)?.();
        await settle();
      },
    };
  };

  test('has four places, and two at most for one namespace', async () => {
    const { look, begun, sizes, end } = pool();
    for (const name of ['1', '2', '3']) look('evil', name);
    expect(begun).toEqual(['evil/1', 'evil/2']);
    for (const namespace of ['a', 'b', 'c']) look(namespace, '1');
    expect(begun.slice(2)).toEqual(['a/1', 'b/1']);
    expect(sizes()).toEqual({ waiting: 2, active: 4 });
    await end('a/1');
    expect(begun.slice(4)).toEqual(['c/1']);
    await end('evil/2');
    expect(begun.slice(5)).toEqual(['evil/3']);
    for (const place of begun) await end(place);
    expect(sizes()).toEqual({ waiting: 0, active: 0 });
  });

  test('gives the namespaces turns, however much one of them wants', async () => {
    const { look, begun, end } = pool();
    for (const namespace of ['x', 'y']) for (const name of ['1', '2', '3', '4', '5']) look(namespace, name);
    look('team', '1');
    expect(begun).toEqual(['x/1', 'x/2', 'y/1', 'y/2']);
    await end('x/1');
    await end('y/1');
    expect(begun).toContain('team/1');
  });

  test('forgets a look that is taken back before its turn', async () => {
    const { look, begun, sizes, end } = pool();
    look('a', '1');
    look('a', '2');
    look('a', '3')();
    expect(sizes()).toEqual({ waiting: 0, active: 2 });
    look('a', '4');
    await end('a/1');
    expect(begun).toEqual(['a/1', 'a/2', 'a/4']);
  });
});

describe('looks at what is outside', () => {
  const start = () => {
    let now = 0;
    const pool = createLookPool();
    const ended: string[] = [];
    const errors: string[] = [];
    const looks = createLooks<number>({
      ...{ pool, now: () => now },
      onEnd: (key) => void ended.push(key),
      onError: (error, place) => void errors.push(`${place}: ${error}`),
    });
    const leading = new AbortController();
    let count = 0;
    let ok = true;
    const find = (version = '1', key = keyOf('x')): Known<number> =>
      looks.find(key, { version, look: async () => ({ value: ++count, ok }), signal: leading.signal });
    return {
      ...{ pool, ended, errors, looks, leading, find },
      pass: (ms: number) => {
        now += ms;
      },
      goes: (well: boolean) => {
        ok = well;
      },
      /** The look that is due, and what is known then. */
      async looked(version?: string): Promise<Known<number>> {
        find(version);
        await settle();
        return find(version);
      },
    };
  };

  test('are never waited for: nothing is known at first, and their end is told', async () => {
    const { find, ended } = start();
    expect(find()).toEqual({ value: undefined, nextMs: undefined });
    expect(ended).toEqual([]);
    await settle();
    expect(ended).toEqual(['TokenService/team/x']);
    expect(find().value).toBe(1);
  });

  test('are not repeated before their time, and what was found is known while the next one is under way', async () => {
    const { looked, find, pass } = start();
    const { nextMs = 0 } = await looked();
    expect(nextMs).toBeGreaterThanOrEqual(270_000);
    expect(nextMs).toBeLessThanOrEqual(330_000);
    pass(200_000);
    expect(find()).toEqual({ value: 1, nextMs: nextMs - 200_000 });
    pass(nextMs - 200_000);
    expect(find()).toEqual({ value: 1, nextMs: undefined });
    await settle();
    expect(find().value).toBe(2);
  });

  test('that find something wrong are repeated sooner, but ever later, up to ten minutes, until all is well', async () => {
    const { looked, pass, goes } = start();
    goes(false);
    const waits: number[] = [];
    for (let each = 0; each < 9; each += 1) {
      const { nextMs = 0 } = await looked();
      waits.push(Math.round(nextMs / 1_000));
      pass(nextMs);
    }
    for (const [index, wait] of waits.entries()) {
      const wanted = Math.min(600, 15 * 2 ** index);
      expect(wait).toBeGreaterThanOrEqual(Math.floor(wanted * 0.9));
      expect(wait).toBeLessThanOrEqual(Math.ceil(wanted * 1.1));
    }
    goes(true);
    pass((await looked()).nextMs ?? 0);
    goes(false);
    expect((await looked()).nextMs).toBeLessThan(17_000);
  });

  test('are made at once when what is looked at is another, or was forgotten', async () => {
    const { looked, looks, find } = start();
    expect((await looked('1')).value).toBe(1);
    expect(find('2')).toEqual({ value: undefined, nextMs: undefined });
    expect((await looked('2')).value).toBe(2);
    looks.forget(keyOf('x'));
    expect((await looked('2')).value).toBe(3);
  });

  test('are given up when nobody needs them any more, whether they listen to that or not', async () => {
    const { looks, pool, leading, ended, find } = start();
    const signals: AbortSignal[] = [];
    const look = (signal: AbortSignal): Promise<Looked<number>> => {
      signals.push(signal);
      return new Promise(() => {});
    };
    for (const name of ['1', '2', '3', '4', '5']) {
      looks.find(keyOf(name), { version: '1', look, signal: leading.signal });
    }
    looks.forget(keyOf('1'));
    await settle();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, false]);
    leading.abort();
    await settle();
    expect(pool.sizes()).toEqual({ waiting: 0, active: 0 });
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(ended).toEqual([]);
    expect(find()).toMatchObject({ value: undefined });
    expect(pool.sizes()).toEqual({ waiting: 0, active: 0 });
    // Whoever leads again looks again.
    const again = new AbortController();
    looks.find(keyOf('2'), {
      version: '1',
      look: async () => ({ value: 7, ok: true }),
      signal: again.signal,
    });
    await settle();
    expect(ended).toEqual(['TokenService/team/2']);
  });

  test('that fail unexpectedly are told of, and made again later', async () => {
    const { looks, leading, errors, pass } = start();
    let fails = true;
    const find = (): Known<number> =>
      looks.find(keyOf('x'), {
        version: '1',
        look() {
          if (fails) throw new Error('broken');
          return Promise.resolve({ value: 1, ok: true });
        },
        signal: leading.signal,
      });
    find();
    await settle();
    expect(errors).toEqual(['look TokenService/team/x: Error: broken']);
    const { nextMs = 0 } = find();
    expect(nextMs).toBeGreaterThan(10_000);
    fails = false;
    pass(nextMs);
    find();
    await settle();
    expect(find().value).toBe(1);
  });
});
