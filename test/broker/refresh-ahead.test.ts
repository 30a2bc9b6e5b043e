import { afterEach, describe, expect, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { KeptToken } from '../../src/broker/memory-store.ts';
import type { ExchangeEvent } from '../../src/broker/observer.ts';
import { createRefreshAhead } from '../../src/broker/refresh-ahead.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { issuedToken } from '../../src/core/issued-token.ts';
import { closedAtEnd } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { createStsDouble, isWaiting, type StsDoubleOptions, settled, WHOLE } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

const SECOND = 1_000;
const LIFETIME = 300_000;
/** Less the margin. */
const USABLE = 290_000;

function start(options: Partial<BrokerOptions> = {}, double: StsDoubleOptions = {}) {
  const clock = createClock(WHOLE);
  const events: ExchangeEvent[] = [];
  const sts = createStsDouble({ now: clock.now, lifetimeMs: LIFETIME, ...double });
  const broker = closedAtEnd(
    createBroker({
      tokenService: sts.service,
      now: clock.now,
      maxRunMs: 1e9,
      observer: { exchange: (event) => void events.push(event) },
      ...options,
    }),
  );
  const begin = (session?: string, expiresIn = 1e6) => {
    const exp = seconds(clock.now()) + expiresIn;
    return broker.begin({ subjectToken: subjectJwt('alice', { exp }), session });
  };
  return { clock, sts, broker, events, begin };
}

describe('a token that is in steady use', () => {
  test('is there without a wait for ten of its lifetimes, at about one exchange each', async () => {
    const { clock, sts, broker, begin } = start();
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
    const { clock, sts, broker, begin, events } = start();
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
      const { clock, sts, broker, begin } = start();
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
    const { clock, sts, broker, begin } = start();
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
    const { sts, broker, begin } = start({ now: Date.now }, { now: Date.now });
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
    const { clock, sts, broker, begin } = start();
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
    const { clock, sts, broker, begin } = start({ refreshAhead: false });
    const run = begin();
    await broker.token(run, 'calendar');
    clock.advance(USABLE - 1);
    expect(broker.peek(run, 'calendar')).toBeDefined();
    await settled();
    expect(sts.asked).toHaveLength(1);
  });

  test('over and over, when the STS ends all of them at the same time', async () => {
    const end = seconds(WHOLE + LIFETIME);
    const { clock, sts, broker, begin } = start();
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

describe('when the run ends', () => {
  test('what is being made ahead is given up, and nothing is kept', async () => {
    const { clock, sts, broker, begin, events } = start();
    const run = begin('session');
    await broker.token(run, 'calendar');
    sts.answer('hold');
    clock.advance(280 * SECOND);
    broker.peek(run, 'calendar');
    await sts.arrived(2);
    broker.end(run);
    await settled();
    expect(sts.waiting).toEqual([]);
    expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0, refreshes: 0 });
    expect(events[1]).toMatchObject({ reason: 'refresh', outcome: 'aborted' });
  });

  test('an answer that comes at that very moment is not kept', async () => {
    const { clock, sts, broker, begin } = start();
    const run = begin('session');
    await broker.token(run, 'calendar');
    sts.answer('hold');
    clock.advance(280 * SECOND);
    broker.peek(run, 'calendar');
    await sts.arrived(2);
    sts.waiting[0]?.grant();
    broker.end(run);
    await settled();
    expect(broker.stats().entries).toBe(0);
    expect(broker.peek(begin('session'), 'calendar')).toBeUndefined();
  });

  test('it goes on while another run of the group does', async () => {
    const { clock, sts, broker } = start();
    const subjectToken = subjectJwt('alice', { exp: seconds(WHOLE) + 1e6 });
    const [one, two] = [1, 2].map(() => broker.begin({ subjectToken, session: 'session' }));
    if (!one || !two) throw new Error('unreachable');
    await broker.token(one, 'calendar');
    sts.answer('hold');
    clock.advance(280 * SECOND);
    broker.peek(one, 'calendar');
    await sts.arrived(2);
    broker.end(one);
    await settled();
    expect(sts.waiting).toHaveLength(1);
    sts.waiting[0]?.grant();
    await settled();
    expect(broker.peek(two, 'calendar')?.accessToken).toBe(sts.issued[1]);
  });

  test('it goes on under subject retention, and serves the next run', async () => {
    const { clock, sts, broker } = start({ retention: 'subject' });
    const subjectToken = subjectJwt('alice', { exp: seconds(WHOLE) + 1e6 });
    const run = broker.begin({ subjectToken });
    await broker.token(run, 'calendar');
    sts.answer('hold');
    clock.advance(280 * SECOND);
    broker.peek(run, 'calendar');
    await sts.arrived(2);
    broker.end(run);
    sts.waiting[0]?.grant();
    await settled();
    expect(broker.peek(broker.begin({ subjectToken }), 'calendar')?.accessToken).toBe(sts.issued[1]);
  });

  test.each(['run', 'subject'] as const)(
    'or the broker is closed, under %s retention, it is given up',
    async (retention) => {
      const { clock, sts, broker, begin } = start({ retention });
      const run = begin('session');
      await broker.token(run, 'calendar');
      sts.answer('hold');
      clock.advance(280 * SECOND);
      broker.peek(run, 'calendar');
      await sts.arrived(2);
      broker.close();
      await settled();
      expect(sts.waiting).toEqual([]);
      expect(broker.stats().entries).toBe(0);
    },
  );
});

test('a broker that is closed gives up what was begun for a run that has ended since', async () => {
  const { clock, sts, broker, begin } = start({ retention: 'subject' });
  const run = begin();
  await broker.token(run, 'calendar');
  sts.answer('hold');
  clock.advance(280 * SECOND);
  broker.peek(run, 'calendar');
  await sts.arrived(2);
  broker.end(run);
  await settled();
  expect(sts.waiting).toHaveLength(1);
  broker.close();
  await settled();
  expect(sts.waiting).toEqual([]);
});

describe('when it fails', () => {
  test('the old token is used until its end, and it is tried again, not too often', async () => {
    const { clock, sts, broker, begin, events } = start({ refusalTtlMs: 0 });
    const run = begin();
    const first = await broker.token(run, 'calendar');
    sts.answer((held) => held.refuse('server_error', { status: 503 }));
    const tries: number[] = [];
    for (let time = 100; time < USABLE; time += 100) {
      clock.advance(100);
      const before = sts.asked.length;
      expect(await broker.token(run, 'calendar')).toBe(first);
      await settled();
      if (sts.asked.length > before) tries.push(time);
    }
    expect(tries.length).toBeGreaterThanOrEqual(3);
    expect(tries.length).toBeLessThanOrEqual(20);
    const pauses = tries.slice(1).map((time, index) => time - (tries[index] ?? 0));
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(1_000);
    expect(new Set(events.slice(1).map(({ reason, outcome }) => `${reason} ${outcome}`))).toEqual(
      new Set(['refresh failed']),
    );
    expect(broker.stats().refreshes).toBe(0);
    // At the end somebody has to wait, and be told.
    clock.advance(100);
    expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('sts_error');
  });

  test('the next try that works ends the matter', async () => {
    const { clock, sts, broker, begin } = start();
    const run = begin();
    await broker.token(run, 'calendar');
    sts.answer((held) => held.drop());
    clock.advance(240 * SECOND);
    broker.peek(run, 'calendar');
    await settled();
    sts.answer('grant');
    clock.advance(20 * SECOND);
    broker.peek(run, 'calendar');
    await settled();
    expect(broker.peek(run, 'calendar')?.accessToken).toBe(sts.issued[1]);
    clock.advance(60 * SECOND);
    expect(broker.peek(run, 'calendar')?.accessToken).toBe(sts.issued[1]);
  });

  test('because the STS asks for time, it gets that time', async () => {
    const { clock, sts, broker, begin } = start();
    const run = begin();
    await broker.token(run, 'calendar');
    clock.advance(240 * SECOND);
    sts.answer((held) => held.refuse('slow_down', { status: 429, retryAfter: 30 }));
    broker.peek(run, 'calendar');
    await settled();
    expect(sts.asked).toHaveLength(2);
    for (let time = 0; time < 29; time += 1) {
      clock.advance(SECOND);
      broker.peek(run, 'calendar');
      await settled();
    }
    expect(sts.asked).toHaveLength(2);
    clock.advance(15 * SECOND);
    broker.peek(run, 'calendar');
    await settled();
    expect(sts.asked).toHaveLength(3);
  });

  test('because it hangs, it is given up at the deadline, and tried again', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
    const { clock, sts, broker, begin, events } = start({ deadlineMs: 4_000 });
    const run = begin();
    const first = await broker.token(run, 'calendar');
    sts.answer('hold');
    clock.advance(250 * SECOND);
    broker.peek(run, 'calendar');
    await sts.arrived(2);
    await vi.advanceTimersByTimeAsync(4_000);
    await settled();
    expect(sts.waiting).toEqual([]);
    expect(events[1]).toMatchObject({ reason: 'refresh', code: 'deadline_exceeded' });
    expect(broker.peek(run, 'calendar')).toBe(first);
    clock.advance(15 * SECOND);
    broker.peek(run, 'calendar');
    await sts.arrived(3);
  });

  test('with an actor that is not there, the old token is used as well', async () => {
    let fail = false;
    const clock = createClock(WHOLE);
    const actor = (): string => {
      if (fail) throw new Error('no actor today');
      return fakeJwt({ sub: 'agent', exp: seconds(clock.now()) + 200 });
    };
    const sts = createStsDouble({ now: clock.now });
    const broker = closedAtEnd(createBroker({ tokenService: sts.service, actor, now: clock.now }));
    const run = broker.begin({ subjectToken: subjectJwt('alice', { exp: seconds(WHOLE) + 1e6 }) });
    const first = await broker.token(run, 'calendar');
    fail = true;
    clock.advance(280 * SECOND);
    expect(await broker.token(run, 'calendar')).toBe(first);
    await settled();
    expect(await broker.token(run, 'calendar')).toBe(first);
    expect(sts.asked).toHaveLength(1);
  });
});

describe('who needs a token while one is being made ahead', () => {
  test('because the old one is over, waits for that one', async () => {
    const { clock, sts, broker, begin, events } = start();
    const run = begin();
    await broker.token(run, 'calendar');
    sts.answer('hold');
    clock.advance(280 * SECOND);
    broker.peek(run, 'calendar');
    await sts.arrived(2);
    clock.advance(20 * SECOND);
    const asking = [broker.token(run, 'calendar'), broker.token(run, 'calendar')];
    expect(await isWaiting(Promise.race(asking))).toBe(true);
    sts.waiting[0]?.grant();
    const [one, two] = await Promise.all(asking);
    expect(one).toBe(two);
    expect(sts.asked).toHaveLength(2);
    expect(events[1]).toMatchObject({ reason: 'refresh', outcome: 'issued' });
    expect(broker.stats()).toMatchObject({ joined: 2, exchanges: 2 });
  });

  test('because a server rejected the old one, gets that one', async () => {
    const { clock, sts, broker, begin } = start();
    const run = begin();
    const first = await broker.token(run, 'calendar');
    sts.answer('hold');
    clock.advance(280 * SECOND);
    broker.peek(run, 'calendar');
    await sts.arrived(2);
    broker.reject(run, 'calendar', first.accessToken);
    const asking = broker.token(run, 'calendar');
    sts.waiting[0]?.grant();
    expect((await asking).accessToken).toBe(sts.issued[1]);
    expect(sts.asked).toHaveLength(2);
  });

  test('and leaves, does not stop it; nor is it stopped for those who stay when its run ends', async () => {
    const { clock, sts, broker } = start();
    const subjectToken = subjectJwt('alice', { exp: seconds(WHOLE) + 1e6 });
    const run = broker.begin({ subjectToken });
    await broker.token(run, 'calendar');
    sts.answer('hold');
    clock.advance(280 * SECOND);
    broker.peek(run, 'calendar');
    await sts.arrived(2);
    clock.advance(20 * SECOND);
    const controller = new AbortController();
    const leaving = broker.token(run, 'calendar', { signal: controller.signal }).catch(() => 'left');
    await settled();
    controller.abort();
    expect(await leaving).toBe('left');
    expect(sts.waiting).toHaveLength(1);
    sts.waiting[0]?.grant();
    await settled();
    expect(broker.peek(run, 'calendar')?.accessToken).toBe(sts.issued[1]);
  });
});

test('only so many are made ahead at once, for one user and in all; the others wait for a use after that', async () => {
  const { clock, sts, broker } = start();
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
  const { clock, sts, broker } = start();
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
