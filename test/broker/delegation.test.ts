import { afterEach, expect, test, vi } from 'vitest';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { startBroker, startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { granting, subjectJwt } from '../support/sts.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('under run retention a run that ends leaves nothing, and the next one exchanges anew', async () => {
  const { broker, sts, begin } = await startBroker();
  const first = begin('alice', 'session');
  const token = await broker.token(first, 'calendar');
  await broker.token(first, 'files');
  broker.end(first);
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });

  const second = begin('alice', 'session');
  expect(broker.peek(second, 'calendar')).toBeUndefined();
  expect((await broker.token(second, 'calendar')).accessToken).not.toBe(token.accessToken);
  expect(sts.exchanges).toHaveLength(3);
});

test('runs of one session and subject that overlap share tokens, and the last one clears them', async () => {
  const { broker, sts, begin } = await startBroker();
  const [one, two] = [begin('alice', 'session'), begin('alice', 'session')];
  expect(one.group).toBe(two.group);
  expect(one.id).not.toBe(two.id);
  const token = await broker.token(one, 'calendar');
  expect(await broker.token(two, 'calendar')).toBe(token);
  broker.end(one);
  const three = begin('alice', 'session');
  expect(broker.peek(three, 'calendar')).toBe(token);
  broker.end(two);
  expect(broker.stats()).toMatchObject({ entries: 1, delegations: 1 });
  broker.end(three);
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
  expect(sts.exchanges).toHaveLength(1);
});

test('runs of another subject, another session or none share nothing', async () => {
  const { broker, sts, begin } = await startBroker();
  const runs = [
    begin('alice', 'session'),
    begin('bob', 'session'),
    begin('alice', 'other'),
    begin('alice'),
    begin('alice'),
  ];
  const tokens = await Promise.all(runs.map((run) => broker.token(run, 'calendar')));
  expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(5);
  expect(new Set(runs.map(({ group }) => group)).size).toBe(5);
  expect(tokens.map(({ claims }) => claims?.sub)).toEqual(['alice', 'bob', 'alice', 'alice', 'alice']);
  expect(sts.exchanges).toHaveLength(5);
  for (const run of runs.slice(0, 2)) broker.end(run);
  expect(broker.stats()).toMatchObject({ entries: 3, delegations: 3 });
});

test('runs that declare the same token as another type are another group', async () => {
  const { broker } = await startPlainBroker();
  const subjectToken = subjectJwt('alice');
  const one = broker.begin({ subjectToken, session: 'session' });
  const other = broker.begin({ subjectToken, session: 'session', subjectTokenType: TOKEN_TYPE.idToken });
  expect(other.group).not.toBe(one.group);
  await broker.token(one, 'calendar');
  broker.end(one);
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 1 });
});

test('ending a run twice ends it once', async () => {
  const { broker, begin } = await startBroker();
  const [one, two] = [begin('alice', 'session'), begin('alice', 'session')];
  await broker.token(one, 'calendar');
  broker.end(one);
  broker.end(one);
  broker.end(one);
  expect(broker.peek(two, 'calendar')).toBeDefined();
  expect(broker.stats()).toMatchObject({ entries: 1, delegations: 1 });
});

test('a run that has ended gets nothing, also while another one of its group goes on', async () => {
  const { broker, begin } = await startBroker();
  const [one, two] = [begin('alice', 'session'), begin('alice', 'session')];
  await broker.token(two, 'calendar');
  broker.end(one);
  const expected = { code: 'delegation_ended', failure: 'reauthentication_required' };
  expect(await failureOf(broker.token(one, 'calendar'))).toMatchObject(expected);
  expect(await failureOf(() => broker.peek(one, 'calendar'))).toMatchObject(expected);
  expect([broker.status(one), broker.status(two)]).toEqual(['ended', 'active']);
});

test('a run that ends while its exchange is under way gets no token and leaves nothing behind', async () => {
  const { broker, sts } = await startPlainBroker();
  const run = broker.begin({ subjectToken: subjectJwt('alice'), session: 'session' });
  sts.handle((request, response) => {
    broker.end(run);
    granting()(request, response);
  });
  expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('delegation_ended');
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
});

test('of two runs that wait for one exchange, the one that goes on gets the token', async () => {
  const { broker, sts } = await startPlainBroker();
  const subjectToken = subjectJwt('alice');
  const [one, two] = [0, 1].map(() => broker.begin({ subjectToken, session: 'session' }));
  if (!one || !two) throw new Error('unreachable');
  sts.handle((request, response) => {
    broker.end(one);
    granting()(request, response);
  });
  const [first, second] = await Promise.allSettled([
    broker.token(one, 'calendar'),
    broker.token(two, 'calendar'),
  ]);
  expect(first).toMatchObject({ status: 'rejected', reason: { code: 'delegation_ended' } });
  expect(second.status).toBe('fulfilled');
  expect(broker.peek(two, 'calendar')).toBeDefined();
  expect(sts.exchanges).toBe(1);
  broker.end(two);
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
});

test('a late answer for a run that has ended is not given to the next run of the session', async () => {
  const { broker, sts } = await startPlainBroker();
  const held: (() => void)[] = [];
  const grant = granting();
  sts.handle((request, response) => void held.push(() => grant(request, response)));
  const subjectToken = subjectJwt('alice');
  const first = broker.begin({ subjectToken, session: 'session' });
  const late = failureOf(broker.token(first, 'calendar'));
  await sts.arrived(1);
  broker.end(first);
  const second = broker.begin({ subjectToken, session: 'session' });
  held[0]?.();
  expect((await late).code).toBe('delegation_ended');
  expect(broker.peek(second, 'calendar')).toBeUndefined();
  expect(broker.stats().entries).toBe(0);
  sts.handle(grant);
  await broker.token(second, 'calendar');
  expect(sts.exchanges).toBe(2);
});

test('under subject retention the next run exchanges nothing, until the token is about to expire', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const { broker, sts, begin } = await startBroker(
    { retention: 'subject' },
    { sts: { accessTokenTtl: 120 }, expiresIn: 600 },
  );
  const first = begin('alice', 'one');
  const token = await broker.token(first, 'calendar');
  broker.end(first);
  expect(broker.stats()).toMatchObject({ entries: 1, delegations: 0 });

  vi.setSystemTime(Date.now() + 100_000);
  const second = begin('alice', 'two');
  expect(broker.peek(second, 'calendar')).toBe(token);
  expect(await broker.token(second, 'calendar')).toBe(token);
  expect(broker.peek(begin('bob', 'two'), 'calendar')).toBeUndefined();

  vi.setSystemTime(Date.now() + 20_000);
  expect(broker.peek(second, 'calendar')).toBeUndefined();
  expect((await broker.token(second, 'calendar')).accessToken).not.toBe(token.accessToken);
  expect(sts.exchanges).toHaveLength(2);
});

test('under subject retention another token of the same user is another subject', async () => {
  const { broker, sts } = await startPlainBroker({ retention: 'subject' });
  const [one, two] = [subjectJwt('alice'), subjectJwt('alice')];
  const first = await broker.token(broker.begin({ subjectToken: one }), 'calendar');
  const second = await broker.token(broker.begin({ subjectToken: two }), 'calendar');
  expect(second.accessToken).not.toBe(first.accessToken);
  expect(sts.exchanges).toBe(2);
});

test('under subject retention the answer for a run that has ended serves the next one', async () => {
  const { broker, sts } = await startPlainBroker({ retention: 'subject' });
  const subjectToken = subjectJwt('alice');
  const first = broker.begin({ subjectToken });
  sts.handle((request, response) => {
    broker.end(first);
    granting()(request, response);
  });
  expect((await failureOf(broker.token(first, 'calendar'))).code).toBe('delegation_ended');
  const second = broker.begin({ subjectToken });
  expect(broker.peek(second, 'calendar')).toBeDefined();
  expect(sts.exchanges).toBe(1);
});

test('a run that nobody ends is over after its longest time', async () => {
  const clock = createClock();
  const { broker, begin } = await startBroker({ now: clock.now, maxRunMs: 60_000 });
  const run = begin('alice', 'session');
  expect(run.endsAt).toBe(clock.now() + 60_000);
  await broker.token(run, 'calendar');
  clock.advance(59_999);
  expect(broker.status(run)).toBe('active');
  clock.advance(1);
  expect(broker.status(run)).toBe('ended');
  expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('delegation_ended');
});

test('a run that begins when the time of another is over meets nothing of it', async () => {
  const clock = createClock();
  const { broker, sts, begin } = await startBroker({ now: clock.now, maxRunMs: 60_000 });
  const abandoned = begin('alice', 'session');
  const token = await broker.token(abandoned, 'calendar');
  clock.advance(60_000);
  const next = begin('alice', 'session');
  expect(next.group).not.toBe(abandoned.group);
  expect(broker.peek(next, 'calendar')).toBeUndefined();
  expect((await broker.token(next, 'calendar')).accessToken).not.toBe(token.accessToken);
  expect(sts.exchanges).toHaveLength(2);
  broker.end(next);
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
});

test('a run that was broken off does not keep tokens beyond its own time, however many follow it', async () => {
  const clock = createClock();
  const { broker, begin } = await startBroker({ now: clock.now, maxRunMs: 60_000 }, { expiresIn: 3600 });
  begin('alice', 'session');
  const second = begin('alice', 'session');
  await broker.token(second, 'calendar');
  clock.advance(40_000);
  const third = begin('alice', 'session');
  broker.end(second);
  clock.advance(20_000);
  // The first one's time is over; the third is the only one under way.
  const fourth = begin('alice', 'session');
  broker.end(third);
  broker.end(fourth);
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
});

test('what nobody asks for any more is swept away', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const { broker, begin } = await startBroker({ maxRunMs: 60_000 }, { expiresIn: 3600 });
  const run = begin('alice', 'session');
  await broker.token(run, 'calendar');
  const ended: string[] = [];
  broker.onGroupEnd((group) => ended.push(group));
  vi.advanceTimersByTime(59_000);
  expect(broker.stats()).toMatchObject({ entries: 1, delegations: 1 });
  vi.advanceTimersByTime(31_000);
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
  expect(ended).toEqual([run.group]);
});

test('tokens that are over are swept away under subject retention', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const { broker, begin } = await startBroker(
    { retention: 'subject' },
    { sts: { accessTokenTtl: 60 }, expiresIn: 3600 },
  );
  const run = begin('alice');
  await broker.token(run, 'calendar');
  broker.end(run);
  vi.advanceTimersByTime(30_000);
  expect(broker.stats().entries).toBe(1);
  vi.advanceTimersByTime(30_000);
  expect(broker.stats().entries).toBe(0);
});

test('the sweep rests when there is nothing to sweep, and begins again', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const { broker, begin } = await startBroker();
  expect(vi.getTimerCount()).toBe(0);
  const run = begin('alice');
  begin('bob');
  expect(vi.getTimerCount()).toBe(1);
  broker.end(run);
  vi.advanceTimersByTime(30_000);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(3_600_000);
  expect(vi.getTimerCount()).toBe(0);
  const subjectToken = subjectJwt('carol', { exp: 4_000_000_000 });
  broker.begin({ subjectToken });
  expect(vi.getTimerCount()).toBe(1);
  broker.close();
  expect(vi.getTimerCount()).toBe(0);
});

test('the sweep keeps no process alive', async () => {
  const { broker } = await startPlainBroker();
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  broker.begin({ subjectToken: subjectJwt('alice') });
  expect(timers()).toBe(before);
});

test('there are only so many runs at once; one more is refused for now', async () => {
  const { broker } = await startPlainBroker({ maxRuns: 2 });
  const begin = (sub: string) => broker.begin({ subjectToken: tokens[sub], session: 'session' });
  const tokens: Record<string, string> = {
    alice: subjectJwt('alice'),
    bob: subjectJwt('bob'),
    carol: subjectJwt('carol'),
  };
  const alice = begin('alice');
  begin('bob');
  const error = await failureOf(() => begin('carol'));
  expect(error).toMatchObject({ code: 'capacity_exceeded', failure: 'unavailable', retryable: true });
  expect(broker.stats().delegations).toBe(2);
  // One more run of a group that is under way takes a place as well.
  expect((await failureOf(() => begin('alice'))).code).toBe('capacity_exceeded');
  broker.end(alice);
  begin('carol');
  expect(broker.stats().delegations).toBe(2);
});

test('runs whose time is over take nobody’s place', async () => {
  const clock = createClock();
  const { broker } = await startPlainBroker({ maxRuns: 1, maxRunMs: 60_000, now: clock.now });
  broker.begin({ subjectToken: subjectJwt('alice') });
  clock.advance(60_000);
  expect(() => broker.begin({ subjectToken: subjectJwt('bob') })).not.toThrow();
  expect(broker.stats().delegations).toBe(1);
});

test('the end of a group is told once, when its tokens can still be read, until nobody listens', async () => {
  const { broker, begin } = await startBroker();
  const [one, two] = [begin('alice', 'session'), begin('alice', 'session')];
  const token = await broker.token(one, 'calendar');
  const read = broker.reader(one, 'calendar');
  const told: unknown[] = [];
  const stop = broker.onGroupEnd((group) => told.push([group, read()]));
  broker.end(one);
  expect(told).toEqual([]);
  broker.end(two);
  broker.end(two);
  expect(told).toEqual([[one.group, token]]);
  stop();
  broker.end(begin('bob', 'session'));
  expect(told).toHaveLength(1);
});

test('under subject retention no group ends', async () => {
  const { broker, begin } = await startBroker({ retention: 'subject' });
  const told: string[] = [];
  broker.onGroupEnd((group) => told.push(group));
  broker.end(begin('alice', 'session'));
  expect(told).toEqual([]);
});

test('a listener that throws keeps no token from going and no other listener from hearing', async () => {
  const { broker, begin } = await startBroker();
  const [run, other] = [begin('alice', 'session'), begin('bob', 'session')];
  await broker.token(run, 'calendar');
  await broker.token(other, 'calendar');
  const told: string[] = [];
  broker.onGroupEnd(() => {
    throw new Error('a bad listener');
  });
  broker.onGroupEnd(async () => {
    throw new Error('a bad asynchronous listener');
  });
  broker.onGroupEnd((group) => told.push(group));
  broker.end(run);
  expect(broker.stats()).toMatchObject({ entries: 1, delegations: 1 });
  broker.close();
  expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
  expect(told).toEqual([run.group, other.group]);
});

test('a listener may end or begin runs itself', async () => {
  const { broker, begin } = await startBroker();
  const [one, two] = [begin('alice', 'session'), begin('bob', 'session')];
  broker.onGroupEnd(() => {
    broker.end(two);
    broker.end(one);
  });
  broker.end(one);
  expect(broker.stats().delegations).toBe(0);
});

test('a delegation names its subject and cannot be changed', async () => {
  const { broker, begin } = await startBroker();
  const run = begin('alice', 'session');
  expect(run.subject).toMatchObject({ sub: 'alice', expiresAt: expect.any(Number) });
  expect(Object.isFrozen(run)).toBe(true);
  expect(Object.isFrozen(run.subject)).toBe(true);
  expect(run.subject.digest).toBe(begin('alice', 'other').subject.digest);
  expect(run.subject.digest).not.toBe(begin('bob', 'session').subject.digest);
  expect(broker.status(run)).toBe('active');
});
