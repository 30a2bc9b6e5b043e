import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SharedStore } from '../../src/broker/shared-store.ts';

/** Two replicas' ways to one store, and the store's time. */
export interface StoreUnderTest {
  readonly one: SharedStore;
  readonly two: SharedStore;
  /** Resolves when that many milliseconds have passed for the store. */
  pass(ms: number): Promise<void>;
  close?(): Promise<void>;
}

const LONG = 60_000;
const SHORT = 20;
const OVER = 40;
const always = (): boolean => true;

/** What every shared store does, whatever it is made of. The broker relies on all of it. */
export function describeSharedStore(name: string, setup: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let under: StoreUnderTest;
    beforeAll(async () => {
      under = await setup();
    });
    afterAll(async () => under?.close?.());

    describeValues(() => under);
    describeDelete(() => under);
    describeLease(() => under);
  });
}

function describeValues(under: () => StoreUnderTest): void {
  test('a value that one replica keeps is there for both', async () => {
    const { one, two } = under();
    const key = randomUUID();
    await one.set(key, 'value', LONG);
    expect([await one.get(key), await two.get(key)]).toEqual(['value', 'value']);
  });

  test('a key that was never set has no value', async () => {
    expect(await under().one.get(randomUUID())).toBeUndefined();
  });

  test('any text comes back as it was', async () => {
    const { one, two } = under();
    const property = fc.asyncProperty(fc.string({ unit: 'binary' }), async (value) => {
      const key = randomUUID();
      await one.set(key, value, LONG);
      expect(await two.get(key)).toBe(value);
    });
    await fc.assert(property, { numRuns: 50 });
    const key = randomUUID();
    await one.set(key, 'long '.repeat(50_000), LONG);
    expect(await two.get(key)).toBe('long '.repeat(50_000));
  });

  test('keys that are nearly alike have values of their own', async () => {
    const { one, two } = under();
    const key = randomUUID();
    const alike = [key, `${key} `, `${key}:lease`, `${key}*`, `{${key}}`, `${key}\u0000`, key.toUpperCase()];
    for (const each of alike) await one.set(each, `value of ${each}`, LONG);
    for (const each of alike) expect(await two.get(each)).toBe(`value of ${each}`);
  });

  test('the replica that wrote last is the one whose value is there', async () => {
    const { one, two } = under();
    const key = randomUUID();
    await one.set(key, 'first', LONG);
    await one.set(key, 'second', LONG);
    expect([await one.get(key), await two.get(key)]).toEqual(['second', 'second']);
  });

  test('a value is gone when its time is over, for both, and not earlier', async () => {
    const { one, two, pass } = under();
    const [short, long] = [randomUUID(), randomUUID()];
    await one.set(short, 'value', SHORT);
    await one.set(long, 'value', LONG);
    await pass(OVER);
    expect([await one.get(short), await two.get(short)]).toEqual([undefined, undefined]);
    expect([await one.get(long), await two.get(long)]).toEqual(['value', 'value']);
  });

  test('the time of a value is that of the last writing', async () => {
    const { one, two, pass } = under();
    const [longer, shorter] = [randomUUID(), randomUUID()];
    await one.set(longer, 'first', SHORT);
    await one.set(longer, 'second', LONG);
    await one.set(shorter, 'first', LONG);
    await one.set(shorter, 'second', SHORT);
    await pass(OVER);
    expect([await two.get(longer), await two.get(shorter)]).toEqual(['second', undefined]);
  });

  test.each([0, -1, Number.NaN])('nothing is kept for %s milliseconds', async (ttlMs) => {
    const { one, two } = under();
    const key = randomUUID();
    await one.set(key, 'value', ttlMs);
    expect([await one.get(key), await two.get(key)]).toEqual([undefined, undefined]);
  });

  test('part of a millisecond is no mistake', async () => {
    const { one, two } = under();
    const key = randomUUID();
    await one.set(key, 'value', 59_999.5);
    expect(await two.get(key)).toBe('value');
    expect(await one.lease(key, 59_999.5)).toBeDefined();
  });
}

function describeDelete(under: () => StoreUnderTest): void {
  test('a value that matches is deleted for both', async () => {
    const { one, two } = under();
    const key = randomUUID();
    await one.set(key, 'value', LONG);
    await two.delete(key, (value) => value === 'value');
    expect([await one.get(key), await two.get(key)]).toEqual([undefined, undefined]);
  });

  test('a value that does not match stays', async () => {
    const { one, two } = under();
    const key = randomUUID();
    await one.set(key, 'value', LONG);
    await two.delete(key, (value) => value !== 'value');
    expect(await one.get(key)).toBe('value');
  });

  test('where there is no value, nothing is asked to match, and nothing fails', async () => {
    const asked: string[] = [];
    await under().one.delete(randomUUID(), (value) => asked.push(value) > 0);
    expect(asked).toEqual([]);
  });

  test('another value that is written while one is being deleted stays', async () => {
    const { one, two } = under();
    const key = randomUUID();
    await one.set(key, 'value', LONG);
    let writing: Promise<void> | undefined;
    await two.delete(key, () => {
      writing = one.set(key, 'another', LONG);
      return true;
    });
    await writing;
    // Deleted first or written first: either way it is what was written that is there.
    expect(await two.get(key)).toBe('another');
  });

  test('a deletion takes one key alone', async () => {
    const { one, two } = under();
    const [key, another] = [randomUUID(), randomUUID()];
    await one.set(key, 'value', LONG);
    await one.set(another, 'value', LONG);
    await one.delete(key, always);
    expect([await two.get(key), await two.get(another)]).toEqual([undefined, 'value']);
  });
}

function describeLease(under: () => StoreUnderTest): void {
  test('of many who ask for a lease at once, one has it', async () => {
    const { one, two } = under();
    const key = randomUUID();
    const asked = Array.from({ length: 40 }, (_, index) => (index % 2 ? one : two).lease(key, LONG));
    expect((await Promise.all(asked)).filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  test('whoever holds a lease keeps everybody out, itself too, until it is released', async () => {
    const { one, two } = under();
    const key = randomUUID();
    const lease = await one.lease(key, LONG);
    expect([await one.lease(key, LONG), await two.lease(key, LONG)]).toEqual([undefined, undefined]);
    await lease?.release();
    expect(await two.lease(key, LONG)).toBeDefined();
  });

  test('a lease that nobody releases is over when its time is', async () => {
    const { one, two, pass } = under();
    const key = randomUUID();
    expect(await one.lease(key, SHORT)).toBeDefined();
    await pass(OVER);
    expect(await two.lease(key, LONG)).toBeDefined();
  });

  test('a release that comes too late leaves the next one’s lease alone', async () => {
    const { one, two, pass } = under();
    const key = randomUUID();
    const late = await one.lease(key, SHORT);
    await pass(OVER);
    expect(await two.lease(key, LONG)).toBeDefined();
    await late?.release();
    expect(await one.lease(key, LONG)).toBeUndefined();
  });

  test('releasing twice does nothing more than once', async () => {
    const { one, two } = under();
    const key = randomUUID();
    const lease = await one.lease(key, LONG);
    await lease?.release();
    expect(await two.lease(key, LONG)).toBeDefined();
    await lease?.release();
    expect(await one.lease(key, LONG)).toBeUndefined();
  });

  test('a lease of one key is none of another', async () => {
    const { one, two } = under();
    const [key, another] = [randomUUID(), randomUUID()];
    expect(await one.lease(key, LONG)).toBeDefined();
    expect(await two.lease(another, LONG)).toBeDefined();
  });

  test('a lease and a value of one key do not meet', async () => {
    const { one, two } = under();
    const key = randomUUID();
    const lease = await one.lease(key, LONG);
    expect(await two.get(key)).toBeUndefined();
    await one.set(key, 'value', LONG);
    await two.delete(key, always);
    expect(await two.lease(key, LONG)).toBeUndefined();
    await one.set(key, 'value', LONG);
    await lease?.release();
    expect(await two.get(key)).toBe('value');
  });

  test.each([0, -1, Number.NaN])(
    'nobody gets a lease for %s milliseconds, and it bars nobody',
    async (ttlMs) => {
      const { one, two } = under();
      const key = randomUUID();
      expect(await one.lease(key, ttlMs)).toBeUndefined();
      expect(await two.lease(key, LONG)).toBeDefined();
    },
  );
}
