import { expect, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { Delegation } from '../../src/broker/delegation.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import { startBroker, startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { startLoopback } from '../support/loopback.ts';
import { granting, subjectJwt } from '../support/sts.ts';

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
    shared: 0,
    refreshes: 0,
    refused: 0,
    store: 'none',
    breaker: 'closed',
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

test('a token that is rejected after its run has ended does not wait for the next run', async () => {
  const { broker, begin } = await startBroker({ retention: 'subject' });
  const run = begin('alice', 'session');
  const { accessToken } = await broker.token(run, 'calendar');
  broker.end(run);
  broker.reject(run, 'calendar', accessToken);
  expect(broker.peek(begin('alice', 'later'), 'calendar')).toBeUndefined();
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
    expect(other.broker.status(foreign)).toBe('unknown');
  }
  expect((await failureOf(one.broker.token({ ...run }, 'calendar'))).code).toBe('delegation_missing');
  other.broker.end(run);
  expect(one.broker.status(run)).toBe('active');
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
  ['"deadlineMs"', { deadlineMs: 0 }],
  // A timer takes no more, and would be over at once.
  ['"deadlineMs"', { deadlineMs: 2 ** 31 }],
  ['"storeTimeoutMs"', { storeTimeoutMs: 2 ** 31 }],
  ['"refusalTtlMs"', { refusalTtlMs: -1 }],
  ['"refreshAhead"', { refreshAhead: 'yes' }],
  ['"store"', { store: true, retention: 'subject' }],
  ['"store" needs "retention"', { store: createMemorySharedStore() }],
  ['"store" needs "retention"', { store: createMemorySharedStore(), retention: 'run' }],
  ['"storeTimeoutMs"', { storeTimeoutMs: 0 }],
  ['"observer"', { observer: () => {} }],
  ['"onExchange"', { onExchange: () => {} }],
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
