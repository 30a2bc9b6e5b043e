import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { ExchangeEvent } from '../../src/broker/observer.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { closedAtEnd } from '../support/broker.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { createStsDouble, isWaiting, type StsDoubleOptions, settled } from './support.ts';

const DEADLINE = 4_000;
const REASON = new Error('the user has left');
const EXCEEDED = { code: 'deadline_exceeded', failure: 'unavailable', retryable: true };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function start(options: Partial<BrokerOptions> = {}, double: StsDoubleOptions = {}) {
  const events: ExchangeEvent[] = [];
  const sts = createStsDouble(double);
  const observer = { exchange: (event: ExchangeEvent) => void events.push(event) };
  const broker = closedAtEnd(
    createBroker({ tokenService: sts.service, deadlineMs: DEADLINE, observer, ...options }),
  );
  return { sts, broker, events, run: broker.begin({ subjectToken: subjectJwt('alice') }) };
}

const hanging = (): Promise<never> => new Promise(() => {});

test('an STS that never answers holds a caller until the deadline, and not a millisecond longer', async () => {
  const { sts, broker, run, events } = start();
  sts.answer('hold');
  const asking = failureOf(broker.token(run, 'calendar'));
  await sts.arrived(1);
  await vi.advanceTimersByTimeAsync(DEADLINE - 1);
  expect(await isWaiting(asking)).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(await isWaiting(asking)).toBe(false);
  expect(await asking).toMatchObject(EXCEEDED);
  await settled();
  // Nobody waits for it any more, so it is cut off.
  expect(sts.waiting).toEqual([]);
  expect(events).toMatchObject([{ outcome: 'failed', code: 'deadline_exceeded', durationMs: DEADLINE }]);
});

test('the deadline is for all tries together', async () => {
  const { sts, broker, run } = start({}, { service: { retry: { attempts: 1_000, backoffMs: 0 } } });
  sts.answer((held) => held.refuse('server_error', { status: 503 }));
  const asking = failureOf(broker.token(run, 'calendar'));
  await sts.arrived(3);
  await vi.advanceTimersByTimeAsync(DEADLINE);
  expect(await asking).toMatchObject(EXCEEDED);
  const asked = sts.asked.length;
  await settled();
  expect(sts.asked).toHaveLength(asked);
});

test('an actor source that hangs holds a caller until the deadline, also one that heeds no signal', async () => {
  const { sts, broker, run } = start({ actor: hanging });
  const asking = failureOf(broker.token(run, 'calendar'));
  expect(await isWaiting(asking)).toBe(true);
  await vi.advanceTimersByTimeAsync(DEADLINE);
  expect(await asking).toMatchObject(EXCEEDED);
  expect(sts.asked).toEqual([]);
});

test('an actor source that hung is asked again by the next caller', async () => {
  let hang = true;
  const { broker, run } = start({ actor: () => (hang ? hanging() : fakeJwt({ sub: 'agent' })) });
  const asking = failureOf(broker.token(run, 'calendar'));
  await settled();
  await vi.advanceTimersByTimeAsync(DEADLINE);
  await asking;
  hang = false;
  expect((await broker.token(run, 'calendar')).claims?.act).toBe('agent');
});

test('an actor source that hangs when its token is to be renewed holds callers until the deadline, too', async () => {
  let hang = false;
  const { broker, run, sts } = start({ actor: () => (hang ? hanging() : fakeJwt({ sub: 'agent' })) });
  await broker.token(run, 'calendar');
  hang = true;
  vi.setSystemTime(Date.now() + 60_000);
  const asking = failureOf(broker.token(run, 'files'));
  await settled();
  await vi.advanceTimersByTimeAsync(DEADLINE);
  expect(await asking).toMatchObject(EXCEEDED);
  expect(sts.asked).toHaveLength(1);
});

test('a discovery that hangs holds a caller until the deadline', async () => {
  const tokenService = createTokenService({
    issuer: 'https://sts.example.com',
    clientId: 'agent',
    timeoutMs: 60_000,
    fetch: hanging,
  });
  const { broker, run } = start({ tokenService });
  const asking = failureOf(broker.token(run, 'calendar'));
  await settled();
  await vi.advanceTimersByTimeAsync(DEADLINE);
  expect(await asking).toMatchObject(EXCEEDED);
});

test('the deadline is for the whole of what a caller waits for: discovery, the actor and the exchange', async () => {
  const { sts, broker, run } = start({
    // As slow as it may be, and in time.
    actor: () => new Promise((resolve) => setTimeout(resolve, DEADLINE - 100, fakeJwt({ sub: 'agent' }))),
  });
  sts.answer('hold');
  const asking = failureOf(broker.token(run, 'calendar'));
  await settled();
  await vi.advanceTimersByTimeAsync(DEADLINE - 100);
  await sts.arrived(1);
  await vi.advanceTimersByTimeAsync(100);
  expect(await isWaiting(asking)).toBe(false);
  expect(await asking).toMatchObject(EXCEEDED);
});

test('who joins has a deadline of his own, however long the others have waited', async () => {
  const { sts, broker, run } = start({
    actor: () => new Promise((resolve) => setTimeout(resolve, DEADLINE - 100, fakeJwt({ sub: 'agent' }))),
  });
  sts.answer('hold');
  const first = failureOf(broker.token(run, 'calendar'));
  await settled();
  await vi.advanceTimersByTimeAsync(DEADLINE - 100);
  await sts.arrived(1);
  const late = broker.token(run, 'calendar');
  late.catch(() => {});
  await settled();
  await vi.advanceTimersByTimeAsync(100);
  expect(await first).toMatchObject(EXCEEDED);
  expect(await isWaiting(late)).toBe(true);
  sts.waiting[0]?.grant();
  expect((await late).claims?.sub).toBe('alice');
  expect(sts.asked).toHaveLength(1);
});

test('who joins what was begun ahead and hangs has a deadline of his own, too', async () => {
  const { sts, broker, run } = start();
  const { accessToken } = await broker.token(run, 'calendar');
  sts.answer('hold');
  vi.setSystemTime(Date.now() + 280_000);
  broker.peek(run, 'calendar');
  await sts.arrived(2);
  await vi.advanceTimersByTimeAsync(DEADLINE - 100);
  broker.reject(run, 'calendar', accessToken);
  const late = broker.token(run, 'calendar');
  late.catch(() => {});
  await settled();
  await vi.advanceTimersByTimeAsync(100);
  expect(await isWaiting(late)).toBe(true);
  for (const held of [...sts.waiting]) held.grant();
  expect((await late).claims?.sub).toBe('alice');
});

test('what hangs once does not hold up those who keep coming for ever: the actor source', async () => {
  let asked = 0;
  const { broker, run } = start({
    actor: () => {
      asked += 1;
      return asked === 1 ? hanging() : fakeJwt({ sub: 'agent' });
    },
  });
  const granted = await keepComing(() => broker.token(run, 'calendar'));
  expect(granted).toBeGreaterThan(0);
  expect(asked).toBe(2);
});

test('what hangs once does not hold up those who keep coming for ever: the STS', async () => {
  const { sts, broker, run } = start({}, { service: { timeoutMs: 2 ** 31 - 1 } });
  sts.answer('hold');
  sts.arrived(1).then(() => sts.answer('grant'));
  const granted = await keepComing(() => broker.token(run, 'calendar'));
  expect(granted).toBeGreaterThan(0);
  expect(sts.asked).toHaveLength(2);
});

/** There is always somebody who waits, for five deadlines; how many of them got a token. */
async function keepComing(ask: () => Promise<unknown>): Promise<number> {
  const asking: Promise<boolean>[] = [];
  for (let times = 0; times < 10; times++) {
    asking.push(
      ask().then(
        () => true,
        () => false,
      ),
    );
    await settled();
    await vi.advanceTimersByTimeAsync(DEADLINE / 2);
  }
  await vi.advanceTimersByTimeAsync(DEADLINE);
  return (await Promise.all(asking)).filter(Boolean).length;
}

test('a secret source that hangs holds a caller until the deadline', async () => {
  const { broker, run } = start(
    {},
    { service: { clientAuth: { method: 'client_secret_basic', clientSecret: hanging } } },
  );
  const asking = failureOf(broker.token(run, 'calendar'));
  await settled();
  await vi.advanceTimersByTimeAsync(DEADLINE);
  expect(await asking).toMatchObject(EXCEEDED);
});

test('the deadline of one exchange harms no other', async () => {
  const { sts, broker, run } = start();
  sts.answer('hold');
  const hung = failureOf(broker.token(run, 'calendar'));
  await sts.arrived(1);
  await vi.advanceTimersByTimeAsync(DEADLINE - 1);
  const late = broker.token(run, 'files');
  await sts.arrived(2);
  await vi.advanceTimersByTimeAsync(1);
  await hung;
  expect(sts.waiting.map(({ form }) => form.get('audience'))).toEqual(['files']);
  sts.waiting[0]?.grant();
  expect((await late).claims?.aud).toEqual(['files']);
  // And what hung is nothing that is remembered.
  sts.answer('grant');
  expect((await broker.token(run, 'calendar')).claims?.aud).toEqual(['calendar']);
});

test('all who waited are told together, and who left before has a reason of its own', async () => {
  const { sts, broker, run } = start();
  sts.answer('hold');
  const controller = new AbortController();
  const waiting = [failureOf(broker.token(run, 'calendar')), failureOf(broker.token(run, 'calendar'))];
  const leaving = thrownBy(broker.token(run, 'calendar', { signal: controller.signal }));
  await sts.arrived(1);
  controller.abort(REASON);
  expect(await leaving).toBe(REASON);
  await vi.advanceTimersByTimeAsync(DEADLINE);
  const [one, other] = await Promise.all(waiting);
  expect(one).toMatchObject(EXCEEDED);
  expect(other).toMatchObject(EXCEEDED);
  expect(sts.asked).toHaveLength(1);
});

test('what came in time leaves no timer behind', async () => {
  const { sts, broker, run } = start({ actor: () => fakeJwt({ sub: 'agent' }) });
  await broker.token(run, 'calendar');
  sts.answer((held) => held.refuse('invalid_target'));
  await failureOf(broker.token(run, 'files'));
  expect(vi.getTimerCount()).toBe(0);
});

test('the deadline is thirty seconds where none is set', async () => {
  const { sts, broker, run } = start({ deadlineMs: undefined }, { service: { timeoutMs: 60_000 } });
  sts.answer('hold');
  const asking = failureOf(broker.token(run, 'calendar'));
  await sts.arrived(1);
  await vi.advanceTimersByTimeAsync(29_999);
  expect(await isWaiting(asking)).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(await asking).toMatchObject(EXCEEDED);
});
