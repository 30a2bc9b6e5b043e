import { describe, expect, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import { createRefusals } from '../../src/broker/refusals.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { type ErrorCode, type FailureClass, OnbehalfError } from '../../src/core/errors.ts';
import { closedAtEnd } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { seconds } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { createStsDouble, type Held, settled, WHOLE } from './support.ts';

const TTL = 5_000;

const failed = (failure: FailureClass, retryAfterMs?: number, code: ErrorCode = 'sts_error'): OnbehalfError =>
  new OnbehalfError(code, 'the STS said no', { failure, retryAfterMs });

function create(ttlMs = TTL) {
  const clock = createClock(0);
  return { clock, refusals: createRefusals(ttlMs, clock.now) };
}

describe('what is remembered', () => {
  test.each(['reauthentication_required', 'consent_required', 'misconfigured', 'denied'] as const)(
    'is a failure of the class %s, for as long as configured and not a millisecond longer',
    (failure) => {
      const { clock, refusals } = create();
      const error = failed(failure);
      refusals.remember('key', error);
      expect(refusals.get('another key')).toBeUndefined();
      clock.advance(TTL - 1);
      expect(refusals.get('key')).toBe(error);
      clock.advance(1);
      expect(refusals.get('key')).toBeUndefined();
    },
  );

  test('is no failure that may pass, unless the STS said when', () => {
    const { clock, refusals } = create();
    refusals.remember('key', failed('unavailable'));
    expect(refusals.get('key')).toBeUndefined();
    const error = failed('unavailable', 12_000);
    refusals.remember('key', error);
    clock.advance(11_999);
    expect(refusals.get('key')).toBe(error);
    clock.advance(1);
    expect(refusals.get('key')).toBeUndefined();
  });

  test('is nothing for longer than a minute, whatever the STS said', () => {
    const { clock, refusals } = create();
    refusals.remember('key', failed('unavailable', 86_400_000));
    clock.advance(59_999);
    expect(refusals.get('key')).toBeDefined();
    clock.advance(1);
    expect(refusals.get('key')).toBeUndefined();
  });

  test('is nothing at all with a time of zero, but what the STS said is kept', () => {
    const { refusals } = create(0);
    refusals.remember('key', failed('denied'));
    expect(refusals.get('key')).toBeUndefined();
    refusals.remember('key', failed('unavailable', 1_000));
    expect(refusals.get('key')).toBeDefined();
  });

  test.each(['sts_error', 'sts_invalid_response', 'issued_token_rejected'] as const)(
    'is what a request to the STS led to: %s',
    (code) => {
      const { refusals } = create();
      refusals.remember('key', failed('misconfigured', undefined, code));
      expect(refusals.get('key')).toBeDefined();
    },
  );

  test.each([
    'subject_expired',
    'actor_unavailable',
    'actor_not_permitted',
    'exchange_unsupported',
    'delegation_ended',
    'deadline_exceeded',
    'sts_unreachable',
    'sts_timeout',
    'sts_circuit_open',
  ] as const)('is not what cost no request, or had no answer: %s', (code) => {
    const { refusals } = create();
    refusals.remember('key', failed('misconfigured', undefined, code));
    expect(refusals.get('key')).toBeUndefined();
  });

  test('is the latest failure', () => {
    const { clock, refusals } = create();
    refusals.remember('key', failed('denied'));
    clock.advance(3_000);
    const later = failed('consent_required');
    refusals.remember('key', later);
    clock.advance(TTL - 1);
    expect(refusals.get('key')).toBe(later);
  });

  test('is at most a thousand failures; the oldest goes first', () => {
    const { refusals } = create();
    for (let index = 0; index < 1_500; index++) refusals.remember(`key-${index}`, failed('denied'));
    const kept = Array.from({ length: 1_500 }, (_, index) => refusals.get(`key-${index}`) !== undefined);
    expect(kept.filter(Boolean)).toHaveLength(1_000);
    expect(kept.lastIndexOf(false)).toBe(499);
  });

  test('is gone when it is cleared', () => {
    const { refusals } = create();
    refusals.remember('key', failed('denied'));
    refusals.clear();
    expect(refusals.get('key')).toBeUndefined();
  });
});

describe('a broker whose STS says no', () => {
  function start(options: Partial<BrokerOptions> = {}) {
    const clock = createClock(WHOLE);
    const results: string[] = [];
    const sts = createStsDouble({ now: clock.now });
    const broker = closedAtEnd(
      createBroker({
        tokenService: sts.service,
        now: clock.now,
        retention: 'subject',
        observer: { lookUp: ({ result }) => void results.push(result) },
        ...options,
      }),
    );
    const begin = (sub = 'alice') =>
      broker.begin({ subjectToken: subjectJwt(sub, { exp: seconds(clock.now()) + 36_000 }) });
    return { clock, sts, broker, begin, results };
  }
  const saying =
    (error: string, more?: Parameters<Held['refuse']>[1]) =>
    (held: Held): void =>
      held.refuse(error, more);

  test.each<[string, FailureClass]>([
    ['invalid_grant', 'reauthentication_required'],
    ['consent_required', 'consent_required'],
    ['invalid_client', 'misconfigured'],
    ['invalid_target', 'denied'],
  ])('%s is told again without asking it, for five seconds', async (error, failure) => {
    const { clock, sts, broker, begin, results } = start();
    const run = begin();
    sts.answer(saying(error));
    const first = await failureOf(broker.token(run, 'calendar'));
    clock.advance(4_999);
    const second = await failureOf(broker.token(run, 'calendar'));
    expect(second).toMatchObject({ code: 'sts_error', failure, oauthError: error, message: first.message });
    expect(sts.asked).toHaveLength(1);
    expect(broker.stats()).toMatchObject({ exchanges: 1, failures: 1, refused: 1 });
    expect(results.at(-1)).toBe('refused');
    clock.advance(1);
    sts.answer('grant');
    expect((await broker.token(run, 'calendar')).claims?.sub).toBe('alice');
  });

  test('503 is asked again at once, unless it says when', async () => {
    const { clock, sts, broker, begin } = start();
    const run = begin();
    sts.answer(saying('server_error', { status: 503 }));
    await failureOf(broker.token(run, 'calendar'));
    await failureOf(broker.token(run, 'calendar'));
    expect(sts.asked).toHaveLength(2);
    sts.answer(saying('slow_down', { status: 429, retryAfter: 20 }));
    for (let index = 0; index < 3; index++) {
      const error = await failureOf(broker.token(run, 'calendar'));
      expect(error).toMatchObject({ status: 429, retryAfterMs: 20_000, retryable: true });
    }
    expect(sts.asked).toHaveLength(3);
    sts.answer('grant');
    clock.advance(19_999);
    await failureOf(broker.token(run, 'calendar'));
    clock.advance(1);
    await broker.token(run, 'calendar');
    expect(sts.asked).toHaveLength(4);
  });

  test('no to a token that is not what was asked for, says no for a while', async () => {
    const { sts, broker, begin } = start();
    const run = begin();
    sts.answer((held) => held.grant({ claims: { sub: 'mallory' } }));
    await failureOf(broker.token(run, 'calendar'));
    expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('issued_token_rejected');
    expect(sts.asked).toHaveLength(1);
  });

  test('no for one target or user, says nothing about another', async () => {
    const { sts, broker, begin } = start();
    const run = begin();
    sts.answer(saying('invalid_target'));
    await failureOf(broker.token(run, 'calendar'));
    sts.answer('grant');
    expect((await broker.token(run, 'files')).claims?.aud).toEqual(['files']);
    expect((await broker.token(begin('bob'), 'calendar')).claims?.sub).toBe('bob');
    await failureOf(broker.token(run, 'calendar'));
  });

  test('a new subject token of the same user is asked for at once', async () => {
    const { sts, broker, begin } = start();
    sts.answer(saying('invalid_grant'));
    await failureOf(broker.token(begin(), 'calendar'));
    sts.answer('grant');
    expect((await broker.token(begin(), 'calendar')).claims?.sub).toBe('alice');
    expect(sts.asked).toHaveLength(2);
  });

  test('a refusal never takes the place of a subject that has expired, or of a run that has ended', async () => {
    const { clock, sts, broker } = start();
    const exp = seconds(clock.now()) + 2;
    const run = broker.begin({ subjectToken: subjectJwt('alice', { exp }) });
    sts.answer(saying('invalid_target'));
    await failureOf(broker.token(run, 'calendar'));
    clock.advance(2_000);
    expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('subject_expired');
    broker.end(run);
    expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('delegation_ended');
  });

  test('a token that is there is not refused because another could not be made', async () => {
    const { clock, sts, broker, begin } = start();
    const run = begin();
    const token = await broker.token(run, 'calendar');
    sts.answer(saying('invalid_grant'));
    clock.advance(280_000);
    expect(await broker.token(run, 'calendar')).toBe(token);
    await sts.arrived(2);
    expect(await broker.token(run, 'calendar')).toBe(token);
    expect(broker.peek(run, 'calendar')).toBe(token);
  });

  test('a token that was made meanwhile takes back what was remembered', async () => {
    const { clock, sts, broker, begin } = start({ refusalTtlMs: 60_000 });
    const run = begin();
    const first = await broker.token(run, 'calendar');
    // Ahead of its end another one is refused, and made at the next try.
    clock.advance(270_000);
    sts.answer(saying('invalid_target'));
    broker.peek(run, 'calendar');
    await settled();
    sts.answer('grant');
    clock.advance(10_000);
    broker.peek(run, 'calendar');
    await settled();
    const second = broker.peek(run, 'calendar');
    expect(second).not.toBe(first);
    broker.reject(run, 'calendar', second?.accessToken ?? '');
    expect((await broker.token(run, 'calendar')).claims?.sub).toBe('alice');
    expect(sts.asked).toHaveLength(4);
  });

  test('with refusalTtlMs of zero it is asked each time', async () => {
    const { sts, broker, begin } = start({ refusalTtlMs: 0 });
    const run = begin();
    sts.answer(saying('invalid_target'));
    for (let index = 0; index < 3; index++) await failureOf(broker.token(run, 'calendar'));
    expect(sts.asked).toHaveLength(3);
  });
});
