import { expect, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { Delegation } from '../../src/broker/delegation.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import type { Fault } from '../../src/sts/index.ts';
import { closedAtEnd, startBroker, startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { json, never, startLoopback } from '../support/loopback.ts';
import { AGENT, granting, serviceOf, startSts, subjectJwt } from '../support/sts.ts';

const REASON = new Error('the user has left');

test('beginning a run exchanges nothing; the first token does, the next ones do not', async () => {
  const { broker, sts, begin } = await startBroker();
  const run = begin('alice', 'session');
  expect(sts.exchanges).toEqual([]);
  const first = await broker.token(run, 'calendar');
  const second = await broker.token(run, { audience: ['calendar'] });
  expect(second).toBe(first);
  expect(first.claims).toMatchObject({ sub: 'alice', aud: ['calendar'] });
  expect(sts.exchanges).toHaveLength(1);
  expect(broker.stats()).toEqual({
    entries: 1,
    delegations: 1,
    exchanges: 1,
    failures: 0,
    hits: 1,
    joined: 0,
  });
});

test('each target of a run has a token of its own', async () => {
  const { broker, sts, begin } = await startBroker();
  const run = begin('alice', 'session');
  const targets = ['calendar', 'files', { audience: 'calendar', scope: 'read' }, { audience: 'notes' }];
  const tokens = await Promise.all(targets.map((target) => broker.token(run, target)));
  expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(4);
  expect(tokens.map(({ claims }) => [claims?.aud, claims?.scope])).toEqual([
    [['calendar'], undefined],
    [['files'], undefined],
    [['calendar'], 'read'],
    [['notes'], undefined],
  ]);
  expect(sts.exchanges).toHaveLength(4);
});

test('many who ask at once make one exchange and share its token', async () => {
  const { broker, sts, begin } = await startBroker();
  const run = begin('alice', 'session');
  sts.inject({ kind: 'latency', ms: 30 });
  const tokens = await Promise.all(Array.from({ length: 40 }, () => broker.token(run, 'calendar')));
  expect(new Set(tokens).size).toBe(1);
  expect(sts.exchanges).toHaveLength(1);
  expect(broker.stats()).toMatchObject({ exchanges: 1, joined: 39, hits: 0 });
});

test('many who ask at once share one failure, and nothing of it is kept', async () => {
  const { broker, sts, begin } = await startBroker();
  const run = begin('alice', 'session');
  sts.inject({ kind: 'status', status: 503, retryAfter: 3 });
  const errors = await Promise.all(
    Array.from({ length: 10 }, () => failureOf(broker.token(run, 'calendar'))),
  );
  expect(new Set(errors).size).toBe(1);
  expect(errors[0]).toMatchObject({ code: 'sts_error', failure: 'unavailable', retryAfterMs: 3000 });
  expect(sts.exchanges).toHaveLength(1);
  expect((await broker.token(run, 'calendar')).claims?.sub).toBe('alice');
  expect(broker.stats()).toMatchObject({ exchanges: 2, failures: 1, entries: 1 });
});

test('a failure for one target is none for another', async () => {
  const { broker, begin } = await startBroker();
  const run = begin('alice', 'session');
  const [denied, granted] = await Promise.allSettled([
    broker.token(run, 'payroll'),
    broker.token(run, 'calendar'),
  ]);
  expect(denied).toMatchObject({ status: 'rejected', reason: { code: 'sts_error', failure: 'denied' } });
  expect(granted.status).toBe('fulfilled');
});

test('one who leaves goes with a reason of its own, and the others get their token', async () => {
  const { broker, sts } = await startPlainBroker();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  sts.handle(never);
  const controller = new AbortController();
  const leaving = thrownBy(broker.token(run, 'calendar', { signal: controller.signal }));
  const staying = broker.token(run, 'calendar', { signal: new AbortController().signal });
  await sts.arrived(1);
  controller.abort(REASON);
  expect(await leaving).toBe(REASON);

  sts.handle(granting());
  const joined = broker.token(run, 'calendar');
  expect(sts.received).toHaveLength(1);
  await sts.close();
  expect(await failureOf(staying)).toBe(await failureOf(joined));
});

test('when all have left the request is cut off, and who comes then makes a new one', async () => {
  const { broker, sts } = await startPlainBroker();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  sts.handle(never);
  const controllers = [new AbortController(), new AbortController()];
  const leaving = controllers.map(({ signal }) => thrownBy(broker.token(run, 'calendar', { signal })));
  await sts.arrived(1);
  for (const controller of controllers) controller.abort(REASON);
  expect(await Promise.all(leaving)).toEqual([REASON, REASON]);
  sts.handle(granting());
  expect((await broker.token(run, 'calendar')).claims?.sub).toBe('alice');
  await sts.cutOff(1);
  expect(sts.received).toHaveLength(2);
  expect(broker.stats()).toMatchObject({ entries: 1 });
});

test('who has left already gets nothing, not even a token that is there', async () => {
  const { broker, sts } = await startPlainBroker();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const signal = AbortSignal.abort(REASON);
  expect(await thrownBy(broker.token(run, 'calendar', { signal }))).toBe(REASON);
  expect(sts.exchanges).toBe(0);
  await broker.token(run, 'calendar');
  expect(await thrownBy(broker.token(run, 'calendar', { signal }))).toBe(REASON);
});

test('who leaves during discovery goes at once, and the others go on', async () => {
  const server = await startLoopback(never);
  const tokenService = createTokenService({ issuer: server.origin, clientId: 'agent' });
  const broker = closedAtEnd(createBroker({ tokenService }));
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const controller = new AbortController();
  const leaving = thrownBy(broker.token(run, 'calendar', { signal: controller.signal }));
  const staying = failureOf(broker.token(run, 'calendar'));
  await server.arrived(1);
  controller.abort(REASON);
  expect(await leaving).toBe(REASON);
  await server.close();
  expect(await staying).toMatchObject({ code: 'sts_unreachable', failure: 'unavailable' });
});

test('who leaves while the actor is asked for goes at once', async () => {
  const { broker } = await startPlainBroker({ actor: () => new Promise(() => {}) });
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const controller = new AbortController();
  const leaving = thrownBy(broker.token(run, 'calendar', { signal: controller.signal }));
  controller.abort(REASON);
  expect(await leaving).toBe(REASON);
});

test('what the broker begins for a run that ends during discovery comes to nothing', async () => {
  const server = await startLoopback(never);
  const tokenService = createTokenService({ issuer: server.origin, clientId: 'agent' });
  const broker = closedAtEnd(createBroker({ tokenService }));
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const asking = failureOf(broker.token(run, 'calendar'));
  await server.arrived(1);
  broker.end(run);
  server.handle((request, response) =>
    request.path.includes('.well-known')
      ? json(response, { issuer: server.origin, token_endpoint: `${server.origin}/token` })
      : granting()(request, response),
  );
  await server.close();
  expect(['sts_unreachable', 'delegation_ended']).toContain((await asking).code);
  expect(server.received.filter(({ path }) => path === '/token')).toEqual([]);
});

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
  const clock = createClock();
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
  expect(broker.status(run) === 'active').toBe(false);
});

test('a subject that expires while the exchange is under way gets no token', async () => {
  const clock = createClock();
  const { broker, sts } = await startPlainBroker({ now: clock.now });
  sts.handle((request, response) => {
    clock.advance(3_600_000);
    granting()(request, response);
  });
  const run = broker.begin({ subjectToken: subjectJwt('alice', { exp: seconds(clock.now()) + 60 }) });
  const { code } = await failureOf(broker.token(run, 'calendar'));
  expect(['subject_expired', 'issued_token_rejected', 'delegation_ended']).toContain(code);
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
    const broker = closedAtEnd(createBroker({ tokenService, actor: clientCredentialsActor(tokenService) }));
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
  const { broker, sts, begin } = await startBroker({ allowOpaqueIssued: true, now: clock.now });
  const run = begin('alice');
  sts.inject({ kind: 'opaque', times: 2 });
  const token = await broker.token(run, 'calendar');
  expect(token.claims).toBeUndefined();
  expect(await broker.token(run, 'calendar')).toBe(token);
});

test('a peek is what a token is, at once, and exchanges nothing', async () => {
  const { broker, sts, begin } = await startBroker();
  const run = begin('alice', 'session');
  expect(broker.peek(run, 'calendar')).toBeUndefined();
  const token = await broker.token(run, 'calendar');
  expect(broker.peek(run, 'calendar')).toBe(token);
  expect(broker.peek(run, resolveTarget('calendar'))).toBe(token);
  expect(broker.peek(run, 'files')).toBeUndefined();
  expect(broker.peek(run, { audience: 'calendar', scope: 'read' })).toBeUndefined();
  expect(broker.peek(begin('bob', 'session'), 'calendar')).toBeUndefined();
  expect(sts.exchanges).toHaveLength(1);
});

test('a rejected token is dropped, the next one is another, and other targets keep theirs', async () => {
  const { broker, sts, begin } = await startBroker();
  const run = begin('alice', 'session');
  const [first, files] = [await broker.token(run, 'calendar'), await broker.token(run, 'files')];
  broker.reject(run, 'calendar', first.accessToken);
  expect(broker.peek(run, 'calendar')).toBeUndefined();
  expect(broker.peek(run, 'files')).toBe(files);
  const second = await broker.token(run, 'calendar');
  expect(second.accessToken).not.toBe(first.accessToken);
  expect(sts.exchanges).toHaveLength(3);
});

test('a late rejection of an old token does not drop the new one', async () => {
  const { broker, begin } = await startBroker();
  const run = begin('alice', 'session');
  const first = await broker.token(run, 'calendar');
  broker.reject(run, 'calendar', first.accessToken);
  const second = await broker.token(run, 'calendar');
  broker.reject(run, 'calendar', first.accessToken);
  broker.reject(run, 'files', second.accessToken);
  broker.reject(begin('bob', 'session'), 'calendar', second.accessToken);
  expect(broker.peek(run, 'calendar')).toBe(second);
});

test('many rejections of one token lead to one exchange', async () => {
  const { broker, sts, begin } = await startBroker();
  const run = begin('alice', 'session');
  const { accessToken } = await broker.token(run, 'calendar');
  const replay = async () => {
    broker.reject(run, 'calendar', accessToken);
    return broker.token(run, 'calendar');
  };
  const tokens = await Promise.all(Array.from({ length: 10 }, replay));
  expect(new Set(tokens).size).toBe(1);
  expect(sts.exchanges).toHaveLength(2);
});

test('a reader reads what is kept as long as it is kept, and never exchanges', async () => {
  const clock = createClock();
  const { broker, sts } = await startPlainBroker({ now: clock.now, retention: 'subject' });
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const read = broker.reader(run, 'calendar');
  expect(read()).toBeUndefined();
  const token = await broker.token(run, 'calendar');
  expect(read()).toBe(token);
  broker.end(run);
  expect(read()).toBe(token);
  clock.advance(300_000);
  expect(read()).toBeUndefined();
  expect(sts.exchanges).toBe(1);
});

test('a reader of a run that has ended reads nothing under run retention', async () => {
  const { broker, begin } = await startBroker();
  const run = begin('alice', 'session');
  await broker.token(run, 'calendar');
  const read = broker.reader(run, 'calendar');
  broker.end(run);
  expect(read()).toBeUndefined();
});

test('a delegation of another broker, or a copy of one, is nobody', async () => {
  const [one, other] = [await startPlainBroker(), await startPlainBroker()];
  const run = one.broker.begin({ subjectToken: subjectJwt('alice') });
  await one.broker.token(run, 'calendar');
  for (const foreign of [run, { ...run }, structuredClone(run), {} as Delegation]) {
    expect((await failureOf(other.broker.token(foreign, 'calendar'))).code).toBe('delegation_missing');
    expect((await failureOf(() => other.broker.peek(foreign, 'calendar'))).code).toBe('delegation_missing');
    expect(other.broker.status(foreign) === 'active').toBe(false);
  }
  expect((await failureOf(one.broker.token({ ...run }, 'calendar'))).code).toBe('delegation_missing');
  other.broker.end(run);
  expect(one.broker.status(run) === 'active').toBe(true);
});

test('a wrong target is found before anything else', async () => {
  const { broker, sts } = await startPlainBroker();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  await expect(broker.token(run, {})).rejects.toThrow(TypeError);
  await expect(broker.token(run, { resource: 'calendar' })).rejects.toThrow('"resource"');
  expect(() => broker.peek(run, '')).toThrow(TypeError);
  expect(sts.received).toEqual([]);
});

test('the type of the subject token goes over the wire as it was given', async () => {
  const { broker, sts } = await startPlainBroker();
  const subjectToken = subjectJwt('alice');
  await broker.token(broker.begin({ subjectToken }), 'calendar');
  await broker.token(broker.begin({ subjectToken, subjectTokenType: TOKEN_TYPE.jwt }), 'calendar');
  expect(sts.received.map(({ form }) => form.get('subject_token_type'))).toEqual([
    TOKEN_TYPE.accessToken,
    TOKEN_TYPE.jwt,
  ]);
});

test('a closed broker has forgotten all and does nothing more', async () => {
  for (const retention of ['run', 'subject'] as const) {
    const { broker, sts, begin } = await startBroker({ retention });
    const run = begin('alice', 'session');
    await broker.token(run, 'calendar');
    broker.close();
    expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
    expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('delegation_ended');
    expect(() => begin('alice')).toThrow('closed');
    broker.end(run);
    broker.close();
    expect(sts.exchanges).toHaveLength(1);
  }
});

test('an exchange that is under way when the broker closes leaves nothing behind', async () => {
  for (const retention of ['run', 'subject'] as const) {
    const { broker, sts } = await startPlainBroker({ retention });
    const run = broker.begin({ subjectToken: subjectJwt('alice') });
    sts.handle((request, response) => {
      broker.close();
      granting()(request, response);
    });
    expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('delegation_ended');
    expect(broker.stats().entries).toBe(0);
  }
});

test.each<[string, object]>([
  ['"retention"', { retention: 'forever' }],
  ['"maxTtlMs"', { maxTtlMs: 0 }],
  ['"marginMs"', { marginMs: -1 }],
  ['"unknownTtlMs"', { unknownTtlMs: Number.NaN }],
  ['"maxRunMs"', { maxRunMs: Number.POSITIVE_INFINITY }],
  ['"maxEntries"', { maxEntries: 0 }],
  ['"maxRuns"', { maxRuns: '10' }],
])('a wrong %s is found when the broker is made', (name, options) => {
  const tokenService = createTokenService({
    tokenEndpoint: 'https://sts.example.com/token',
    clientId: 'agent',
  });
  expect(() => createBroker({ tokenService, ...options } as BrokerOptions)).toThrow(TypeError);
  expect(() => createBroker({ tokenService, ...options } as BrokerOptions)).toThrow(name);
});

test('no more tokens are kept than allowed; the least recently used goes first', async () => {
  const { broker, begin } = await startBroker({ maxEntries: 2 });
  const run = begin('alice', 'session');
  const calendar = await broker.token(run, 'calendar');
  await broker.token(run, 'files');
  broker.peek(run, 'calendar');
  await broker.token(run, 'notes');
  expect(broker.stats().entries).toBe(2);
  expect(broker.peek(run, 'calendar')).toBe(calendar);
  expect(broker.peek(run, 'files')).toBeUndefined();
});

test('the subject token goes to the configured STS alone', async () => {
  const thief = await startLoopback(granting());
  const { broker, sts } = await startPlainBroker();
  sts.handle((_request, response) => {
    response.writeHead(307, { location: `${thief.origin}/token` }).end();
  });
  const subjectToken = subjectJwt('alice');
  const run = broker.begin({ subjectToken });
  const error = await failureOf(broker.token(run, { resource: `${thief.origin}/mcp` }));
  expect(error.code).toBe('sts_invalid_response');
  expectNoLeak(error, [subjectToken]);
  expect(thief.received).toEqual([]);
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
