import { afterEach, describe, expect, test, vi } from 'vitest';
import type { KeptToken } from '../../src/broker/memory-store.ts';
import { createRefreshAhead } from '../../src/broker/refresh-ahead.ts';
import { issuedToken } from '../../src/core/issued-token.ts';
import { createClock } from '../support/clock.ts';
import { seconds } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { LIFETIME, SECOND, startRefreshing, USABLE } from './refresh-world.ts';
import { settled, WHOLE } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('a token that is in steady use', () => {
  test('is there without a wait for ten of its lifetimes, at about one exchange each', async () => {
    const { clock, sts, broker, begin } = startRefreshing();
    const run = begin();
    await broker.token(run, 'calendar');
    const used = new Set<string>();
    for (let time = 0; time < 10 * LIFETIME; time += 2 * SECOND) {
      clock.advance(2 * SECOND);
      const kept = broker.peek(run, 'calendar');
      expect(kept, `nothing is there after ${time} ms`).toBeDefined();
      expect(kept?.claims?.exp).toBeGreaterThan(clock.now());
      expect(await broker.token(run, 'calendar')).toBe(kept);
      used.add(kept?.accessToken ?? '');
      await settled();
    }
    // Each is used for 70 to 80 percent of its usable time.
    expect(sts.asked.length).toBeGreaterThanOrEqual(10);
    expect(sts.asked.length).toBeLessThanOrEqual(1 + Math.ceil((10 * LIFETIME) / (0.7 * USABLE)));
    expect(used.size).toBe(sts.asked.length - (sts.issued.at(-1) === [...used].at(-1) ? 0 : 1));
    expect(broker.stats()).toMatchObject({
      refreshes: sts.asked.length - 1,
      exchanges: sts.asked.length,
      entries: 1,
      joined: 0,
    });
  });

  test('is used as it is while the STS takes its time, however many use it, and the STS is asked once', async () => {
    const { clock, sts, broker, begin, events } = startRefreshing();
    const run = begin();
    const first = await broker.token(run, 'calendar');
    sts.answer('hold');
    clock.advance(250 * SECOND);
    for (let time = 0; time < 30; time += 1) {
      clock.advance(SECOND);
      expect(await Promise.all([1, 2, 3].map(() => broker.token(run, 'calendar')))).toEqual([
        first,
        first,
        first,
      ]);
    }
    await settled();
    expect(sts.asked).toHaveLength(2);
    sts.waiting[0]?.grant();
    await settled();
    const second = broker.peek(run, 'calendar');
    expect(second?.accessToken).toBe(sts.issued[1]);
    expect(events.map(({ reason, outcome }) => [reason, outcome])).toEqual([
      ['demand', 'issued'],
      ['refresh', 'issued'],
    ]);
  });

  test('is not made anew in the first 70 percent of its usable time, and always in the last 20', async () => {
    for (let time = 0; time < 20; time += 1) {
      const { clock, sts, broker, begin } = startRefreshing();
      const run = begin();
      await broker.token(run, 'calendar');
      clock.advance(0.7 * USABLE - 1);
      broker.peek(run, 'calendar');
      await settled();
      expect(sts.asked).toHaveLength(1);
      clock.advance(0.1 * USABLE + 1);
      broker.peek(run, 'calendar');
      await settled();
      expect(sts.asked).toHaveLength(2);
    }
  });

  test('is not made anew at the same time as those that were made with it', async () => {
    const { clock, sts, broker, begin } = startRefreshing();
    const run = begin();
    const targets = Array.from({ length: 40 }, (_, index) => `server-${index}`);
    await Promise.all(targets.map((target) => broker.token(run, target)));
    clock.advance(0.75 * USABLE);
    for (const target of targets) broker.peek(run, target);
    await settled();
    // Half of them, more or less: the odds against are one in a thousand million.
    expect(sts.asked.length - 40).toBeGreaterThan(1);
    expect(sts.asked.length - 40).toBeLessThan(39);
  });
});

describe('a token is not made anew', () => {
  test('when nobody uses it', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
    const { sts, broker, begin } = startRefreshing({ now: Date.now }, { now: Date.now });
    const run = begin();
    await broker.token(run, 'calendar');
    const read = broker.reader(run, 'calendar');
    for (let time = 0; time < 11; time += 1) {
      vi.advanceTimersByTime(30 * SECOND);
      read();
      await settled();
    }
    expect(read()).toBeUndefined();
    expect(sts.asked).toHaveLength(1);
    expect(broker.stats().entries).toBe(0);
  });

  test('when the subject’s own end is what limits it', async () => {
    const { clock, sts, broker, begin } = startRefreshing();
    const run = begin('session', 200);
    await broker.token(run, 'calendar');
    for (let time = 0; time < 189; time += 1) {
      clock.advance(SECOND);
      expect(broker.peek(run, 'calendar')).toBeDefined();
      await settled();
    }
    expect(sts.asked).toHaveLength(1);
  });

  test('when it is switched off', async () => {
    const { clock, sts, broker, begin } = startRefreshing({ refreshAhead: false });
    const run = begin();
    await broker.token(run, 'calendar');
    clock.advance(USABLE - 1);
    expect(broker.peek(run, 'calendar')).toBeDefined();
    await settled();
    expect(sts.asked).toHaveLength(1);
  });

  test('over and over, when the STS ends all of them at the same time', async () => {
    const end = seconds(WHOLE + LIFETIME);
    const { clock, sts, broker, begin } = startRefreshing();
    // Such as the end of the user's session at the provider.
    sts.answer((held) => held.grant({ claims: { exp: end }, response: { expires_in: undefined } }));
    const run = begin();
    await broker.token(run, 'calendar');
    do {
      clock.advance(SECOND / 4);
      await settled();
    } while (broker.peek(run, 'calendar'));
    expect(clock.now()).toBeGreaterThanOrEqual(WHOLE + USABLE);
    expect(sts.asked.length).toBeLessThanOrEqual(3);
  });
});

test('only so many are made ahead at once, for one user and in all; the others wait for a use after that', async () => {
  const { clock, sts, broker } = startRefreshing();
  const exp = seconds(WHOLE) + 1e6;
  const users = Array.from({ length: 10 }, (_, index) => `user-${index}`);
  const targets = Array.from({ length: 10 }, (_, index) => `server-${index}`);
  const runs = users.map((sub) => broker.begin({ subjectToken: subjectJwt(sub, { exp }) }));
  const uses = runs.flatMap((run) => targets.map((target) => ({ run, target })));
  await Promise.all(uses.map(({ run, target }) => broker.token(run, target)));
  sts.answer('hold');
  clock.advance(280 * SECOND);
  for (const { run, target } of [...uses, ...uses]) expect(broker.peek(run, target)).toBeDefined();
  await settled();
  const perUser = new Map<string | null, number>();
  for (const { form } of sts.waiting) {
    const user = form.get('subject_token');
    perUser.set(user, (perUser.get(user) ?? 0) + 1);
  }
  expect(sts.waiting).toHaveLength(64);
  expect([...perUser.values()]).toEqual(Array(8).fill(8));
  for (const held of [...sts.waiting]) held.grant();
  await settled();
  for (const { run, target } of uses) broker.peek(run, target);
  await settled();
  // Two of each of the first eight, and eight of each of the last two.
  expect(sts.waiting).toHaveLength(32);
});

test('one user whose exchanges hang does not keep others from having theirs made ahead', async () => {
  const { clock, sts, broker } = startRefreshing();
  const exp = seconds(WHOLE) + 1e6;
  const [alice, mallory] = ['alice', 'mallory'].map((sub) =>
    broker.begin({ subjectToken: subjectJwt(sub, { exp }) }),
  );
  if (!alice || !mallory) throw new Error('unreachable');
  const targets = Array.from({ length: 100 }, (_, index) => `server-${index}`);
  await Promise.all(targets.map((target) => broker.token(mallory, target)));
  await broker.token(alice, 'calendar');
  sts.answer('hold');
  clock.advance(280 * SECOND);
  for (const target of targets) broker.peek(mallory, target);
  broker.peek(alice, 'calendar');
  await settled();
  expect(sts.waiting.map(({ form }) => form.get('audience'))).toContain('calendar');
});

describe('what is made ahead', () => {
  const kept = (refreshAt: number, usableUntil = 100_000): KeptToken => ({
    token: issuedToken('one', {
      issuedTokenType: '',
      expiresInMs: undefined,
      scope: undefined,
    }),
    usableUntil,
    refreshAt,
  });
  const work = () => {
    const signals: AbortSignal[] = [];
    const settle: { resolve: (next: KeptToken) => void; reject: (error: Error) => void }[] = [];
    const make = (signal: AbortSignal): Promise<KeptToken> => {
      signals.push(signal);
      return new Promise((resolve, reject) => settle.push({ resolve, reject }));
    };
    return { signals, settle, make };
  };

  test('begins when it is time, once, and anew for the token that was made', async () => {
    const clock = createClock(0);
    const refreshAhead = createRefreshAhead(10, clock.now);
    const { signals, settle, make } = work();
    const one = kept(70_000);
    clock.advance(69_999);
    refreshAhead.consider('key', { kept: one, owner: 'alice' }, make);
    expect(signals).toHaveLength(0);
    clock.advance(1);
    refreshAhead.consider('key', { kept: one, owner: 'alice' }, make);
    refreshAhead.consider('key', { kept: one, owner: 'alice' }, make);
    expect(signals).toHaveLength(1);
    settle[0]?.resolve(kept(270_000, 300_000));
    await settled();
    refreshAhead.consider('key', { kept: one, owner: 'alice' }, make);
    expect(signals).toHaveLength(1);
    refreshAhead.consider('key', { kept: kept(70_000), owner: 'alice' }, make);
    expect(signals).toHaveLength(2);
  });

  test('is the last one when it lasts no longer than the one before, and not when it does', async () => {
    for (const [usableUntil, refreshAt] of [
      [100_000, Number.POSITIVE_INFINITY],
      [101_000, Number.POSITIVE_INFINITY],
      [170_000, 150_000],
    ] as const) {
      const clock = createClock(70_000);
      const { settle, make } = work();
      createRefreshAhead(10, clock.now).consider('key', { kept: kept(70_000), owner: 'alice' }, make);
      const next = kept(150_000, usableUntil);
      settle[0]?.resolve(next);
      await settled();
      expect(next.refreshAt).toBe(refreshAt);
    }
  });

  test('is tried again after a quarter of what is left, at the earliest after a second', async () => {
    const clock = createClock(60_000);
    const refreshAhead = createRefreshAhead(10, clock.now);
    const { signals, settle, make } = work();
    const one = kept(0);
    const fail = async (): Promise<void> => {
      settle.at(-1)?.reject(new Error('not now'));
      await settled();
    };
    refreshAhead.consider('key', { kept: one, owner: 'alice' }, make);
    await fail();
    expect(one.refreshAt).toBe(70_000);
    clock.advance(38_000);
    refreshAhead.consider('key', { kept: one, owner: 'alice' }, make);
    expect(signals).toHaveLength(2);
    await fail();
    expect(one.refreshAt).toBe(99_000);
  });

  test('is under way once for a key, whichever token is there meanwhile', async () => {
    const refreshAhead = createRefreshAhead(10, createClock(0).now);
    const { signals, settle, make } = work();
    refreshAhead.consider('key', { kept: kept(0), owner: 'alice' }, make);
    refreshAhead.consider('key', { kept: kept(0), owner: 'alice' }, make);
    expect(signals).toHaveLength(1);
    settle[0]?.resolve(kept(0));
    await settled();
    refreshAhead.consider('key', { kept: kept(0), owner: 'alice' }, make);
    expect(signals).toHaveLength(2);
  });

  test('is given up for one key, or for all', async () => {
    const clock = createClock(0);
    const refreshAhead = createRefreshAhead(10, clock.now);
    const { signals, make } = work();
    for (const key of ['a', 'b', 'c']) refreshAhead.consider(key, { kept: kept(0), owner: 'alice' }, make);
    refreshAhead.cancel('b');
    refreshAhead.cancel('nobody');
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true, false]);
    refreshAhead.cancelAll();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
  });

  test('that throws before it begins is a failure like any other', async () => {
    const clock = createClock(0);
    const refreshAhead = createRefreshAhead(1, clock.now);
    const bad = (): never => {
      throw new Error('not at all');
    };
    expect(() => refreshAhead.consider('key', { kept: kept(0), owner: 'alice' }, bad)).not.toThrow();
    await settled();
    const { signals, make } = work();
    // Its place is free again.
    refreshAhead.consider('another key', { kept: kept(0), owner: 'alice' }, make);
    expect(signals).toHaveLength(1);
  });
});
