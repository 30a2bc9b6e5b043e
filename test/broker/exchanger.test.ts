import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ExchangeEvent } from '../../src/broker/exchanger.ts';
import { startBroker, startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { never } from '../support/loopback.ts';
import { granting, subjectJwt } from '../support/sts.ts';

const BILLING = 'https://mcp.example.com/billing';

test('each exchange is told with claims and outcome, a kept or joined token is not', async () => {
  const events: ExchangeEvent[] = [];
  const { broker, begin } = await startBroker({ onExchange: (event) => events.push(event) });
  const run = begin('alice', 'session');
  const target = { audience: 'calendar', resource: BILLING, scope: ['write', 'read'] };
  const before = Date.now();
  await Promise.all([broker.token(run, target), broker.token(run, target)]);
  await broker.token(run, target);
  await failureOf(broker.token(run, 'payroll'));
  expect(events).toEqual([
    {
      at: expect.any(Number),
      durationMs: expect.any(Number),
      audiences: ['calendar'],
      resources: [BILLING],
      scope: 'read write',
      sub: 'alice',
      act: undefined,
      outcome: 'issued',
      code: undefined,
    },
    expect.objectContaining({
      audiences: ['payroll'],
      scope: undefined,
      outcome: 'failed',
      code: 'sts_error',
    }),
  ]);
  expect(events[0]?.at).toBeGreaterThanOrEqual(before);
});

test('the event says how long it took and who acted', async () => {
  const clock = createClock();
  const events: ExchangeEvent[] = [];
  const { broker, sts } = await startPlainBroker({
    now: clock.now,
    actor: () => fakeJwt({ sub: 'agent' }),
    onExchange: (event) => events.push(event),
  });
  sts.handle((request, response) => {
    clock.advance(1234);
    granting()(request, response);
  });
  const at = clock.now();
  await broker.token(broker.begin({ subjectToken: subjectJwt('alice') }), 'calendar');
  expect(events).toMatchObject([{ at, durationMs: 1234, act: 'agent', sub: 'alice' }]);

  sts.handle((_request, response) => void response.writeHead(503).end());
  await failureOf(broker.token(broker.begin({ subjectToken: subjectJwt('bob') }), 'calendar'));
  expect(events[1]).toMatchObject({ act: 'agent', sub: 'bob', outcome: 'failed', code: 'sts_error' });
});

test('an exchange that nobody waits for any more is told as aborted', async () => {
  const events: ExchangeEvent[] = [];
  const { broker, sts } = await startPlainBroker({ onExchange: (event) => events.push(event) });
  sts.handle(never);
  const controller = new AbortController();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const leaving = thrownBy(broker.token(run, 'calendar', { signal: controller.signal }));
  await sts.arrived(1);
  controller.abort(new Error('the user has left'));
  await leaving;
  await sts.cutOff(1);
  await setImmediate();
  expect(events).toMatchObject([{ outcome: 'failed', code: 'aborted' }]);
});

test('no event holds a token or a secret', async () => {
  const events: ExchangeEvent[] = [];
  const tokens: string[] = [];
  const { broker, begin, sts } = await startBroker(
    { onExchange: (event) => events.push(event) },
    { sts: { onToken: (token) => tokens.push(token) } },
  );
  const run = begin('alice', 'session');
  await broker.token(run, 'calendar');
  sts.inject({ kind: 'other-subject' });
  await failureOf(broker.token(run, 'files'));
  expect(events).toHaveLength(2);
  // Three subject tokens and two issued ones, one of them a lie.
  expect(tokens).toHaveLength(5);
  expectNoLeak(events, [...tokens, 'agent-secret']);
});

test('a listener that fails, at once or later, fails no exchange', async () => {
  for (const onExchange of [
    () => {
      throw new Error('a bad listener');
    },
    () => Promise.reject(new Error('a bad asynchronous listener')),
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: a listener may return anything
      then() {
        throw new Error('a bad thenable');
      },
    }),
  ]) {
    const { broker, begin } = await startBroker({ onExchange });
    const run = begin('alice', 'session');
    expect((await broker.token(run, 'calendar')).claims?.sub).toBe('alice');
    expect((await failureOf(broker.token(run, 'payroll'))).code).toBe('sts_error');
    // An unhandled rejection would be reported once the microtasks are done.
    await setImmediate();
  }
});

test('a listener cannot change what is exchanged or kept', async () => {
  const { broker, begin } = await startBroker({
    onExchange: (event) => {
      Object.assign(event, { audiences: ['files'], sub: 'mallory' });
      expect(() => (event.resources as string[]).push(BILLING)).toThrow(TypeError);
    },
  });
  const run = begin('alice', 'session');
  const token = await broker.token(run, { audience: 'calendar' });
  expect(token.claims).toMatchObject({ sub: 'alice', aud: ['calendar'] });
  expect(broker.peek(run, 'calendar')).toBe(token);
});
