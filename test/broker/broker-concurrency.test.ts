import { expect, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { Delegation } from '../../src/broker/delegation.ts';
import type { ExchangeEvent } from '../../src/broker/observer.ts';
import { OnbehalfError } from '../../src/core/errors.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { closedAtEnd, startBroker, startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { json, never, startLoopback } from '../support/loopback.ts';
import { granting, subjectJwt } from '../support/sts.ts';
import { createStsDouble, settled, WHOLE } from './support.ts';

const REASON = new Error('the user has left');

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
  const { broker, sts, begin } = await startBroker({}, { service: { retry: { attempts: 1 } } });
  const run = begin('alice', 'session');
  sts.inject({ kind: 'status', status: 503 });
  const errors = await Promise.all(
    Array.from({ length: 10 }, () => failureOf(broker.token(run, 'calendar'))),
  );
  expect(new Set(errors).size).toBe(1);
  expect(errors[0]).toMatchObject({ code: 'sts_error', failure: 'unavailable', status: 503 });
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

test('who leaves because of a failure elsewhere leaves nothing of that behind', async () => {
  const events: ExchangeEvent[] = [];
  let asked = 0;
  const { broker, sts } = await startPlainBroker({
    actor: () => {
      asked += 1;
      return fakeJwt({ sub: 'agent' });
    },
    observer: { exchange: (event) => void events.push(event) },
  });
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  sts.handle(never);
  const controller = new AbortController();
  const leaving = thrownBy(broker.token(run, 'calendar', { signal: controller.signal }));
  await sts.arrived(1);
  const elsewhere = new OnbehalfError('sts_error', 'denied for another target', {
    ...{ failure: 'denied', oauthError: 'invalid_grant', status: 400 },
  });
  controller.abort(elsewhere);
  expect(await leaving).toBe(elsewhere);
  await sts.cutOff(1);
  sts.handle(granting());
  expect((await broker.token(run, 'calendar')).claims?.sub).toBe('alice');
  expect(events).toMatchObject([{ outcome: 'aborted', code: undefined }, { outcome: 'issued' }]);
  expect(asked).toBe(1);
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

test('for a run that ends during discovery nothing is exchanged', async () => {
  const held: (() => void)[] = [];
  const server = await startLoopback((request, response) => {
    const metadata = { issuer: server.origin, token_endpoint: `${server.origin}/token` };
    if (request.path === '/token') granting()(request, response);
    else held.push(() => json(response, metadata));
  });
  const tokenService = createTokenService({ issuer: server.origin, clientId: 'agent' });
  const broker = closedAtEnd(createBroker({ tokenService }));
  const [ending, lasting] = [subjectJwt('alice'), subjectJwt('bob')].map((subjectToken) =>
    broker.begin({ subjectToken }),
  );
  const refused = failureOf(broker.token(ending as Delegation, 'calendar'));
  const granted = broker.token(lasting as Delegation, 'calendar');
  await server.arrived(1);
  broker.end(ending as Delegation);
  held[0]?.();
  expect((await refused).code).toBe('delegation_ended');
  expect((await granted).claims?.sub).toBe('bob');
  expect(server.received.filter(({ path }) => path === '/token')).toHaveLength(1);
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

test('who asks when the actor has become another one shares the exchange that found that out', async () => {
  const clock = createClock(WHOLE);
  let sub = 'agent';
  const actor = (): string => fakeJwt({ sub, exp: seconds(clock.now()) + 60 });
  const sts = createStsDouble({ now: clock.now });
  const broker = closedAtEnd(createBroker({ tokenService: sts.service, actor, now: clock.now }));
  const run = broker.begin({ subjectToken: subjectJwt('alice', { exp: seconds(WHOLE) + 3600 }) });
  await broker.token(run, 'files');
  sub = 'robot';
  clock.advance(60_000);
  sts.answer('hold');
  const first = broker.token(run, 'calendar');
  await sts.arrived(2);
  const second = broker.token(run, 'calendar');
  await settled();
  for (const held of [...sts.waiting]) held.grant();
  expect(await second).toBe(await first);
  expect((await first).claims?.act).toBe('robot');
  expect(sts.asked).toHaveLength(2);
});
