import { afterEach, describe, expect, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import { closedAtEnd } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { SECOND, startRefreshing, USABLE } from './refresh-world.ts';
import { createStsDouble, isWaiting, settled, WHOLE } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('when the run ends', () => {
  test('what is being made ahead is given up, and nothing is kept', async () => {
    const { clock, sts, broker, begin, events } = startRefreshing();
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
    const { clock, sts, broker, begin } = startRefreshing();
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
    const { clock, sts, broker } = startRefreshing();
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
    const { clock, sts, broker } = startRefreshing({ retention: 'subject' });
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
      const { clock, sts, broker, begin } = startRefreshing({ retention });
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
  const { clock, sts, broker, begin } = startRefreshing({ retention: 'subject' });
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
    const { clock, sts, broker, begin, events } = startRefreshing({ refusalTtlMs: 0 });
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
    const { clock, sts, broker, begin } = startRefreshing();
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
    const { clock, sts, broker, begin } = startRefreshing();
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
    const { clock, sts, broker, begin, events } = startRefreshing({ deadlineMs: 4_000 });
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
    const { clock, sts, broker, begin, events } = startRefreshing();
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
    const { clock, sts, broker, begin } = startRefreshing();
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
    const { clock, sts, broker } = startRefreshing();
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
