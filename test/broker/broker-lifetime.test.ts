import { expect, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import type { Fault } from '../../src/sts/index.ts';
import { closedAtEnd, startBroker, startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { AGENT, granting, serviceOf, startSts, subjectJwt } from '../support/sts.ts';

test.each<[string, string | undefined, string]>([
  ['no token', undefined, 'subject_missing'],
  ['an empty token', '', 'subject_missing'],
  ['an opaque token', 'opaque', 'subject_malformed'],
  ['a header and all', `Bearer ${subjectJwt('alice')}`, 'subject_malformed'],
  ['a JWT without sub', fakeJwt({ exp: 4_000_000_000 }), 'subject_malformed'],
  ['an expired token', subjectJwt('alice', { exp: 1 }), 'subject_expired'],
])('a run for %s does not begin', async (_what, subjectToken, code) => {
  const { broker, sts } = await startPlainBroker();
  const error = await failureOf(() => broker.begin({ subjectToken }));
  expect(error).toMatchObject({ code, failure: 'reauthentication_required' });
  expect(broker.stats()).toMatchObject({ delegations: 0, entries: 0 });
  expect(sts.received).toEqual([]);
});

test('an opaque subject token is exchanged where that was allowed', async () => {
  const { broker, sts } = await startPlainBroker({ allowOpaqueSubject: true }, () => ({
    claims: { sub: 'whoever-it-is' },
  }));
  sts.handle((request, response) => {
    request.form.delete('subject_token');
    granting(() => ({ claims: { sub: 'whoever-it-is' } }))(request, response);
  });
  const run = broker.begin({ subjectToken: 'an-opaque-token' });
  expect(run.subject).toMatchObject({ sub: undefined, expiresAt: undefined });
  expect((await broker.token(run, 'calendar')).claims?.sub).toBe('whoever-it-is');
});

test('a subject that has expired is refused, though a token for it is still there', async () => {
  // The STS goes by the real clock, in whole seconds. Ahead of it, the subject's expiry is what limits the token.
  const clock = createClock(Date.now() + 10_000);
  const { broker, begin } = await startBroker({ now: clock.now, marginMs: 0 }, { expiresIn: 60 });
  const run = begin('alice', 'session');
  const kept = await broker.token(run, 'calendar');
  const { expiresAt = 0 } = run.subject;

  clock.advance(expiresAt - clock.now() - 1);
  expect(broker.peek(run, 'calendar')).toBe(kept);
  clock.advance(1);
  expect(broker.stats().entries).toBe(1);
  const expected = { code: 'subject_expired', failure: 'reauthentication_required' };
  expect(await failureOf(broker.token(run, 'calendar'))).toMatchObject(expected);
  expect(await failureOf(() => broker.peek(run, 'calendar'))).toMatchObject(expected);
  expect(await failureOf(() => broker.reader(run, 'calendar'))).toMatchObject(expected);
  expect(broker.status(run)).toBe('ended');
});

test('a subject that expires while the exchange is under way gets no token', async () => {
  const clock = createClock();
  const { broker, sts } = await startPlainBroker({ now: clock.now });
  sts.handle((request, response) => {
    clock.advance(3_600_000);
    granting()(request, response);
  });
  const run = broker.begin({ subjectToken: subjectJwt('alice', { exp: seconds(clock.now()) + 60 }) });
  expect(await failureOf(broker.token(run, 'calendar'))).toMatchObject({
    code: 'subject_expired',
    failure: 'reauthentication_required',
  });
  expect(broker.stats().entries).toBe(0);
});

test.each<[string, Partial<BrokerOptions>, object, number]>([
  ['expires_in, less the margin', {}, { response: { expires_in: 100 } }, 90_000],
  ['its own expiry, less the margin', {}, { claims: { exp: 60 } }, 50_000],
  ['the expiry of the subject, less the margin', {}, { response: { expires_in: 90_000 } }, 3_590_000],
  ['the longest that is configured', { maxTtlMs: 40_000 }, {}, 30_000],
  ['the margin that is configured', { marginMs: 0 }, { response: { expires_in: 100 } }, 100_000],
  ['a quarter less, for a short one', {}, { response: { expires_in: 8 } }, 6_000],
  ['a short default, when nobody says one', {}, { response: { expires_in: undefined } }, 50_000],
  ['the default that is configured', { unknownTtlMs: 8_000 }, { response: { expires_in: undefined } }, 6_000],
])('a token is used for %s, and not a millisecond longer', async (_what, options, bent, usable) => {
  const clock = createClock(1_800_000_000_000);
  const { claims, response = {} } = bent as {
    claims?: { exp: number };
    response?: Record<string, unknown>;
  };
  const { broker, sts } = await startPlainBroker({ maxRunMs: 1e9, now: clock.now, ...options }, () => ({
    ...(claims ? { claims: { exp: seconds(clock.now()) + claims.exp } } : {}),
    response,
  }));
  const exp = seconds(clock.now()) + 3600;
  const run = broker.begin({ subjectToken: subjectJwt('alice', { exp }) });
  const first = await broker.token(run, 'calendar');
  clock.advance(usable - 1);
  expect(broker.peek(run, 'calendar')).toBe(first);
  expect(await broker.token(run, 'calendar')).toBe(first);
  clock.advance(1);
  expect(broker.peek(run, 'calendar')).toBeUndefined();
  expect(await broker.token(run, 'calendar')).not.toBe(first);
  expect(sts.exchanges).toBe(2);
});

test.each([0, '0'])('a token with the lifetime %j is refused and not kept', async (expires_in) => {
  const { broker } = await startPlainBroker({}, () => ({ response: { expires_in } }));
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  expect(await failureOf(broker.token(run, 'calendar'))).toMatchObject({ code: 'issued_token_rejected' });
  expect(broker.stats().entries).toBe(0);
});

test.each<Fault>([
  { kind: 'wrong-audience' },
  { kind: 'wrong-audience', value: 'files' },
  { kind: 'other-subject', value: 'bob' },
  { kind: 'wider-scope' },
  { kind: 'no-act' },
  { kind: 'opaque' },
  { kind: 'missing-issued-token-type' },
])(
  'a token with the lie %j is refused and not kept, and no other one is used in its place',
  async (fault) => {
    const sts = await startSts();
    const tokenService = serviceOf(sts);
    const actor = clientCredentialsActor(tokenService);
    const broker = closedAtEnd(createBroker({ tokenService, actor, refusalTtlMs: 0 }));
    const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId });
    const run = broker.begin({ subjectToken });
    const target = { audience: 'calendar', scope: 'read' };
    await broker.token(run, 'files');
    sts.inject(fault);
    const { code, failure } = await failureOf(broker.token(run, target));
    expect(['issued_token_rejected', 'sts_invalid_response']).toContain(code);
    expect(failure).toBe('misconfigured');
    expect(broker.peek(run, target)).toBeUndefined();
    expect(broker.stats().entries).toBe(1);
    expect((await broker.token(run, target)).claims).toMatchObject({ sub: 'alice', act: 'agent' });
  },
);

test('an opaque token is kept for the short default where it was allowed', async () => {
  const clock = createClock();
  const { broker, sts, begin } = await startBroker({ now: clock.now });
  const run = begin('alice');
  sts.inject({ kind: 'opaque', times: 2 });
  const target = { audience: 'calendar', allowOpaqueIssued: true };
  const token = await broker.token(run, target);
  expect(token.claims).toBeUndefined();
  expect(await broker.token(run, target)).toBe(token);
});

test('the broker reads the system clock when none is given', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const { broker, sts, begin } = await startBroker({}, { sts: { accessTokenTtl: 60 } });
    const run = begin('alice', 'session');
    await broker.token(run, 'calendar');
    vi.setSystemTime(Date.now() + 51_000);
    expect((await broker.token(run, 'calendar')).claims?.sub).toBe('alice');
    expect(sts.exchanges).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});
