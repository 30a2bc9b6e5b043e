import { expect, test, vi } from 'vitest';
import { createBreaker } from '../../src/core/breaker.ts';
import { OnbehalfError } from '../../src/core/errors.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { type Handler, json, never } from '../support/loopback.ts';
import { granting } from '../support/sts.ts';
import { advance, exchange, fail, OPEN_MS, refused, startOpen, status } from './breaker-sts.ts';

/** Keeps token requests until they are answered, all in the same way. */
function holding(): { readonly handler: Handler; readonly release: (answer: Handler) => void } {
  const held: Parameters<Handler>[] = [];
  let released: Handler | undefined;
  return {
    handler: (request, response) => {
      if (request.path !== '/token') json(response, {});
      else if (released) released(request, response);
      else held.push([request, response]);
    },
    release: (answer) => {
      released = answer;
      for (const [request, response] of held) answer(request, response);
    },
  };
}

test('when its time is over exactly one request goes through, and success closes it for the others', async () => {
  const sts = await startOpen();
  advance(OPEN_MS);
  const { handler, release } = holding();
  sts.handle(handler);
  const all = Array.from({ length: 10 }, () => exchange(sts.service));
  await sts.arrived(4);
  expect(sts.service.breaker).toBe('half_open');
  // Whoever else was let through would be here before this.
  await fetch(`${sts.origin}/later`);
  expect(sts.received.map(({ path }) => path)).toEqual([...Array(4).fill('/token'), '/later']);
  release(granting());
  expect((await Promise.all(all)).map(({ claims }) => claims?.sub)).toEqual(Array(10).fill('alice'));
  expect(sts.service.breaker).toBe('closed');
  expect(sts.received).toHaveLength(3 + 1 + 10);
});

test('failure of the trial opens it anew, for all who waited and for as long as before', async () => {
  const sts = await startOpen();
  advance(OPEN_MS);
  const { handler, release } = holding();
  sts.handle(handler);
  const all = Array.from({ length: 10 }, () => failureOf(exchange(sts.service)));
  await sts.arrived(4);
  release(status(503));
  const codes = (await Promise.all(all)).map(({ code }) => code);
  expect(codes.sort()).toEqual([...Array(9).fill('sts_circuit_open'), 'sts_error']);
  expect(sts.received).toHaveLength(4);
  advance(OPEN_MS - 1);
  expect(await failureOf(exchange(sts.service))).toMatchObject({
    code: 'sts_circuit_open',
    retryAfterMs: 1,
  });
  advance(1);
  sts.handle(granting());
  await exchange(sts.service);
  expect(sts.service.breaker).toBe('closed');
});

test('an answer of 4xx to the trial closes it: the STS is up', async () => {
  const sts = await startOpen();
  advance(OPEN_MS);
  sts.handle(refused('invalid_grant'));
  await fail(sts, 1);
  expect(sts.service.breaker).toBe('closed');
});

test('when it has closed it opens after as many failures as at first', async () => {
  const sts = await startOpen();
  advance(OPEN_MS);
  sts.handle(granting());
  await exchange(sts.service);
  sts.handle(status(503));
  await fail(sts, 2);
  expect(sts.service.breaker).toBe('closed');
  await fail(sts, 1);
  expect(sts.service.breaker).toBe('open');
});

test('a caller that leaves during the trial says nothing: the next request is the trial, alone', async () => {
  const sts = await startOpen();
  advance(OPEN_MS);
  sts.handle(never);
  const controller = new AbortController();
  const reason = new Error('the user has left');
  const leaving = thrownBy(exchange(sts.service, controller.signal));
  await sts.arrived(4);
  controller.abort(reason);
  expect(await leaving).toBe(reason);
  expect(sts.service.breaker).not.toBe('closed');

  const { handler, release } = holding();
  sts.handle(handler);
  const all = Array.from({ length: 5 }, () => exchange(sts.service));
  await sts.arrived(5);
  await fetch(`${sts.origin}/later`);
  expect(sts.received.slice(4).map(({ path }) => path)).toEqual(['/token', '/later']);
  release(granting());
  await Promise.all(all);
  expect(sts.service.breaker).toBe('closed');
});

test('those who wait for the trial of a caller that leaves go on with a trial of their own', async () => {
  const sts = await startOpen();
  advance(OPEN_MS);
  sts.handle(never);
  const controller = new AbortController();
  const leaving = thrownBy(exchange(sts.service, controller.signal));
  await sts.arrived(4);
  const waiting = [1, 2, 3].map(() => exchange(sts.service));
  sts.handle(granting());
  controller.abort(new Error('the user has left'));
  await leaving;
  expect((await Promise.all(waiting)).map(({ claims }) => claims?.sub)).toEqual(Array(3).fill('alice'));
  expect(sts.service.breaker).toBe('closed');
});

test('a trial for which no secret can be had says nothing, either', async () => {
  let sealed = false;
  const clientSecret = (): string => {
    if (sealed) throw new Error('the vault is sealed');
    return 'fake-secret';
  };
  const sts = await startOpen({ clientAuth: { method: 'client_secret_post', clientSecret } });
  advance(OPEN_MS);
  sealed = true;
  expect((await failureOf(exchange(sts.service))).code).toBe('client_auth_unavailable');
  expect(sts.service.breaker).not.toBe('closed');
  sealed = false;
  sts.handle(granting());
  await exchange(sts.service);
  expect(sts.service.breaker).toBe('closed');
});

test('a caller that waits for the trial of another leaves at once, for its own reason', async () => {
  const sts = await startOpen();
  advance(OPEN_MS);
  const { handler, release } = holding();
  sts.handle(handler);
  const trial = exchange(sts.service);
  await sts.arrived(4);
  const controller = new AbortController();
  const reason = new Error('the user has left');
  const leaving = thrownBy(exchange(sts.service, controller.signal));
  controller.abort(reason);
  expect(await leaving).toBe(reason);
  release(granting());
  expect((await trial).claims?.sub).toBe('alice');
  expect(sts.received).toHaveLength(4);
}, 5_000);

const down = (): OnbehalfError => new OnbehalfError('sts_unreachable', 'x', { failure: 'unavailable' });

/** A request whose end is in the hands of the test. */
function request(): { send(): Promise<Response>; answer(status: number): void; fail(error: Error): void } {
  let resolve = (_: Response): void => {};
  let reject = (_: Error): void => {};
  const pending = new Promise<Response>((...settle) => {
    [resolve, reject] = settle;
  });
  return {
    send: () => pending,
    answer: (code) => resolve(new Response(null, { status: code })),
    fail: (error) => reject(error),
  };
}

test('a request that began before it opened and fails during the trial does not undo the trial', async () => {
  const breaker = createBreaker({ failures: 1, openMs: OPEN_MS }, 'https://sts.example.com');
  const [late, trial] = [request(), request()];
  const lateEnd = thrownBy(breaker.run(late.send));
  await thrownBy(breaker.run(() => Promise.reject(down())));
  advance(OPEN_MS);
  const trialEnd = breaker.run(trial.send);
  await vi.waitFor(() => expect(breaker.state).toBe('half_open'));
  late.fail(down());
  await lateEnd;
  trial.answer(200);
  await trialEnd;
  expect(breaker.state).toBe('closed');
});

test('a request that began before it opened and succeeds after that does not close it', async () => {
  const breaker = createBreaker({ failures: 1, openMs: OPEN_MS }, 'https://sts.example.com');
  const late = request();
  const lateEnd = breaker.run(late.send);
  await thrownBy(breaker.run(() => Promise.reject(down())));
  late.answer(200);
  expect((await lateEnd).status).toBe(200);
  expect(breaker.state).toBe('open');
});
