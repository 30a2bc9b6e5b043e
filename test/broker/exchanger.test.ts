import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ExchangeEvent } from '../../src/broker/observer.ts';
import { startBroker, startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { never } from '../support/loopback.ts';
import { granting, subjectJwt } from '../support/sts.ts';

const sha256 = (token = ''): string => createHash('sha256').update(token).digest('base64url');
const BILLING = 'https://mcp.example.com/billing';

test('each exchange is told with claims and outcome, a kept or joined token is not', async () => {
  const events: ExchangeEvent[] = [];
  const minted: string[] = [];
  const { broker, begin, sts } = await startBroker(
    { observer: { exchange: (event) => void events.push(event) } },
    { sts: { onToken: (token) => minted.push(token) } },
  );
  const run = begin('alice', 'session');
  const target = { audience: 'calendar', resource: BILLING, scope: ['write', 'read'] };
  const before = Date.now();
  const [token] = await Promise.all([broker.token(run, target), broker.token(run, target)]);
  await broker.token(run, target);
  await failureOf(broker.token(run, 'payroll'));
  expect(events).toEqual([
    {
      id: expect.stringMatching(/./),
      reason: 'demand',
      tokenEndpoint: `${sts.issuer}/token`,
      profile: 'rfc8693',
      clientId: 'agent',
      at: expect.any(Number),
      durationMs: expect.any(Number),
      audiences: ['calendar'],
      resources: [BILLING],
      scope: 'read write',
      sub: 'alice',
      iss: sts.issuer,
      act: undefined,
      subjectTokenDigest: sha256(minted[0]),
      outcome: 'issued',
      tokenDigest: sha256(token?.accessToken),
      usableUntil: expect.any(Number),
      code: undefined,
      failure: undefined,
      oauthError: undefined,
      status: undefined,
    },
    expect.objectContaining({
      audiences: ['payroll'],
      scope: undefined,
      outcome: 'failed',
      tokenDigest: undefined,
      usableUntil: undefined,
      code: 'sts_error',
      failure: 'denied',
      oauthError: 'invalid_target',
      status: 400,
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
    observer: { exchange: (event) => void events.push(event) },
  });
  sts.handle((request, response) => {
    clock.advance(1234);
    granting()(request, response);
  });
  const at = clock.now();
  await broker.token(broker.begin({ subjectToken: subjectJwt('alice') }), 'calendar');
  expect(events).toMatchObject([{ at, durationMs: 1234, act: 'agent', sub: 'alice' }]);

  sts.handle((_request, response) => void response.writeHead(400).end());
  await failureOf(broker.token(broker.begin({ subjectToken: subjectJwt('bob') }), 'calendar'));
  expect(events[1]).toMatchObject({
    act: 'agent',
    sub: 'bob',
    outcome: 'failed',
    code: 'sts_invalid_response',
  });
});

test('an exchange that nobody waits for any more is told as aborted', async () => {
  const events: ExchangeEvent[] = [];
  const { broker, sts } = await startPlainBroker({
    observer: { exchange: (event) => void events.push(event) },
  });
  sts.handle(never);
  const controller = new AbortController();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const leaving = thrownBy(broker.token(run, 'calendar', { signal: controller.signal }));
  await sts.arrived(1);
  controller.abort(new Error('the user has left'));
  await leaving;
  await sts.cutOff(1);
  await setImmediate();
  expect(events).toMatchObject([{ outcome: 'aborted', code: undefined, tokenDigest: undefined }]);
});

test('no event holds a token or a secret', async () => {
  const events: ExchangeEvent[] = [];
  const tokens: string[] = [];
  const { broker, begin, sts } = await startBroker(
    { observer: { exchange: (event) => void events.push(event) } },
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
  for (const exchange of [
    () => {
      throw new Error('a bad listener');
    },
    async () => {
      throw new Error('a bad asynchronous listener');
    },
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: a listener may return anything
      then() {
        throw new Error('a bad thenable');
      },
    }),
  ]) {
    const { broker, begin } = await startBroker({ observer: { exchange } });
    const run = begin('alice', 'session');
    expect((await broker.token(run, 'calendar')).claims?.sub).toBe('alice');
    expect((await failureOf(broker.token(run, 'payroll'))).code).toBe('sts_error');
    // An unhandled rejection would be reported once the microtasks are done.
    await setImmediate();
  }
});

test('a listener cannot change what is exchanged or kept', async () => {
  const { broker, begin } = await startBroker({
    observer: {
      exchange: (event) => {
        Object.assign(event, { audiences: ['files'], sub: 'mallory' });
        expect(() => (event.resources as string[]).push(BILLING)).toThrow(TypeError);
      },
    },
  });
  const run = begin('alice', 'session');
  const token = await broker.token(run, { audience: 'calendar' });
  expect(token.claims).toMatchObject({ sub: 'alice', aud: ['calendar'] });
  expect(broker.peek(run, 'calendar')).toBe(token);
});

describe('"may_act" of the subject token (RFC 8693 section 4.4)', () => {
  const ACTOR = { sub: 'agent', iss: 'https://idp.example.com' };
  const start = async (mayAct: unknown, actor?: object | string) => {
    const events: ExchangeEvent[] = [];
    const { broker, sts } = await startPlainBroker(
      {
        observer: { exchange: (event) => void events.push(event) },
        ...(actor && { actor: () => (typeof actor === 'string' ? actor : fakeJwt({ ...actor })) }),
      },
      ({ form }) => (form.get('actor_token')?.includes('.') ? {} : { claims: { act: { sub: 'whoever' } } }),
    );
    const run = broker.begin({ subjectToken: subjectJwt('alice', { may_act: mayAct }) });
    return { sts, events, token: () => broker.token(run, 'calendar') };
  };

  test.each<[string, unknown]>([
    ['its sub', { sub: 'agent' }],
    ['its sub and issuer', ACTOR],
    ['its sub and something else', { sub: 'agent', client_id: 'agent-client' }],
  ])('that names the actor by %s lets it act', async (_what, mayAct) => {
    const { sts, token } = await start(mayAct, ACTOR);
    expect((await token()).claims?.act).toBe('agent');
    expect(sts.exchanges).toBe(1);
  });

  test.each<[string, unknown]>([
    ['another sub', { sub: 'robot' }],
    ['its sub at another issuer', { ...ACTOR, iss: 'https://other.example.com' }],
    ['another sub at its issuer', { ...ACTOR, sub: 'robot' }],
    ['another issuer', { iss: 'https://other.example.com' }],
    ['no sub at all', { sub: '' }],
    ['an issuer alone', { iss: ACTOR.iss }],
    ['somebody by something else', { client_id: 'agent-client' }],
    ['nobody', {}],
    ['somebody in no object', 'agent'],
    ['somebody in a list', [{ sub: 'agent' }]],
    ['a sub that is no text', { sub: 42 }],
    ['nobody with null', null],
  ])('that names %s is obeyed: nothing is sent', async (_what, mayAct) => {
    const { sts, token, events } = await start(mayAct, ACTOR);
    const error = await failureOf(token());
    expect(error).toMatchObject({ code: 'actor_not_permitted', failure: 'denied', retryable: false });
    expect(sts.received).toEqual([]);
    expect(events).toMatchObject([{ outcome: 'failed', code: 'actor_not_permitted', act: 'agent' }]);
  });

  test('that names an issuer is not met by an actor that names none', async () => {
    const { sts, token } = await start(ACTOR, { sub: 'agent' });
    expect((await failureOf(token())).code).toBe('actor_not_permitted');
    expect(sts.received).toEqual([]);
  });

  test('says nothing about a client that sends no actor', async () => {
    const { token, sts } = await start({ sub: 'robot' });
    expect((await token()).claims?.sub).toBe('alice');
    expect(sts.received[0]?.form.has('actor_token')).toBe(false);
  });

  test('is left to the STS where the actor token is opaque', async () => {
    const { token, sts } = await start({ sub: 'robot' }, 'an-opaque-actor-token');
    sts.handle((request, response) => {
      request.form.delete('actor_token');
      granting(() => ({ claims: { act: { sub: 'robot' } } }))(request, response);
    });
    expect((await token()).claims?.act).toBe('robot');
  });

  test('that forbids one actor is not held against the next', async () => {
    const clock = createClock();
    let sub = 'robot';
    const actor = (): string => fakeJwt({ sub, exp: Math.floor(clock.now() / 1000) + 60 });
    const { broker } = await startPlainBroker({ actor, now: clock.now });
    const run = broker.begin({ subjectToken: subjectJwt('alice', { may_act: { sub: 'agent' } }) });
    await failureOf(broker.token(run, 'calendar'));
    sub = 'agent';
    clock.advance(60_000);
    expect((await broker.token(run, 'calendar')).claims?.act).toBe('agent');
  });
});
