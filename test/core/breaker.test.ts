import { describe, expect, test } from 'vitest';
import type { BreakerState } from '../../src/core/breaker.ts';
import { OnbehalfError } from '../../src/core/errors.ts';
import { createTokenService, watchBreaker } from '../../src/core/token-service.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, type Handler, never } from '../support/loopback.ts';
import { granting } from '../support/sts.ts';
import { advance, exchange, fail, OPEN_MS, refused, start, startOpen, status } from './breaker-sts.ts';

const dropped: Handler = (_request, response) => void response.destroy();

describe('it opens', () => {
  test.each<[string, Handler, Partial<TokenServiceOptions>]>([
    ['500', status(500), {}],
    ['503', status(503), {}],
    ['500 with an OAuth error', refused('invalid_grant', 500), {}],
    ['a connection that is dropped', dropped, {}],
    ['an answer that is too late', never, { timeoutMs: 30 }],
  ])('after so many failures in a row (%s), and then nothing is sent', async (_what, handler, more) => {
    const sts = await start(handler, more);
    await fail(sts, 2);
    expect(sts.service.breaker).toBe('closed');
    await fail(sts, 1);
    expect(sts.service.breaker).toBe('open');
    sts.handle(granting());
    for (let time = 0; time < 5; time += 1) {
      expect((await failureOf(exchange(sts.service))).code).toBe('sts_circuit_open');
    }
    expect(sts.received).toHaveLength(3);
  });

  test('when nobody listens there, and whatever kinds of failure come together', async () => {
    const gone = await start(never);
    await gone.close();
    await fail(gone, 3);
    expect(gone.service.breaker).toBe('open');

    const mixed = await start(dropped);
    await fail(mixed, 1);
    mixed.handle(status(500));
    await fail(mixed, 2);
    expect(mixed.service.breaker).toBe('open');
  });

  test('after five failures when nothing else was said, for ten seconds', async () => {
    const sts = await start(status(500), { breaker: undefined });
    await fail(sts, 4);
    expect(sts.service.breaker).toBe('closed');
    await fail(sts, 1);
    expect((await failureOf(exchange(sts.service))).retryAfterMs).toBe(10_000);
  });

  test('by failures at the same time, too', async () => {
    const sts = await start(status(503));
    await Promise.all([1, 2, 3].map(() => failureOf(exchange(sts.service))));
    expect(sts.service.breaker).toBe('open');
  });

  test('by tries of one request, which is then told at once', async () => {
    const sts = await start(status(503), { retry: { attempts: 9, backoffMs: 1 } });
    expect(await failureOf(exchange(sts.service))).toMatchObject({ code: 'sts_circuit_open' });
    expect(sts.received).toHaveLength(3);
  });

  test('by discovery, too; then neither metadata nor tokens are asked for', async () => {
    const sts = await start(status(503));
    const breaker = { failures: 3, openMs: OPEN_MS };
    const options = { issuer: sts.origin, clientId: 'agent', breaker, retry: { attempts: 1 } };
    const service = createTokenService(options);
    for (let time = 0; time < 3; time += 1) await failureOf(service.discover());
    expect(service.breaker).toBe('open');
    expect(await failureOf(service.discover())).toMatchObject({ code: 'sts_circuit_open' });
    expect(await failureOf(exchange(service))).toMatchObject({ code: 'sts_circuit_open' });
    expect(sts.received).toHaveLength(3);
  });

  test('for one STS only', async () => {
    const sts = await startOpen();
    const other = await start(granting());
    expect((await exchange(other.service)).claims?.sub).toBe('alice');
    expect([sts.service.breaker, other.service.breaker]).toEqual(['open', 'closed']);
  });
});

describe('it stays closed', () => {
  test.each<[string, Handler, Partial<TokenServiceOptions>]>([
    ['400', refused('invalid_grant'), {}],
    ['401', refused('invalid_client', 401), {}],
    ['403', status(403), {}],
    ['404', status(404), {}],
    ['429, an answer of an STS that is up', status(429), {}],
    ['a redirect', status(302), {}],
    ['an answer that is no token response', always({}), {}],
    ['an answer that is too large', always({ padding: 'x'.repeat(500) }), { maxResponseBytes: 100 }],
  ])('whatever the number of failures: %s', async (_what, handler, more) => {
    const sts = await start(handler, more);
    await fail(sts, 8);
    expect(sts.service.breaker).toBe('closed');
    expect(sts.received).toHaveLength(8);
  });

  test.each([
    ['of its own', new Error('the user has left')],
    ['that is a deadline', new OnbehalfError('deadline_exceeded', 'too late', { failure: 'unavailable' })],
  ])('whatever the number of callers that leave, for a reason %s', async (_what, reason) => {
    const sts = await start(never);
    for (let time = 1; time <= 8; time += 1) {
      const controller = new AbortController();
      const leaving = thrownBy(exchange(sts.service, controller.signal));
      await sts.arrived(time);
      controller.abort(reason);
      expect(await leaving).toBe(reason);
    }
    expect(sts.service.breaker).toBe('closed');
  });

  test('when a secret cannot be had: nothing was sent', async () => {
    const clientSecret = (): string => {
      throw new Error('the vault is sealed');
    };
    const sts = await start(granting(), { clientAuth: { method: 'client_secret_post', clientSecret } });
    await fail(sts, 8);
    expect(sts.service.breaker).toBe('closed');
    expect(sts.received).toEqual([]);
  });

  test.each<[string, Handler]>([
    ['success', granting()],
    ['an answer of 400', refused('invalid_grant')],
    ['an answer of 429', status(429)],
  ])('when there is %s in between: only failures in a row count', async (_what, handler) => {
    const sts = await start(status(503));
    for (let round = 0; round < 3; round += 1) {
      sts.handle(status(503));
      await fail(sts, 2);
      sts.handle(handler);
      await exchange(sts.service).catch(() => {});
    }
    expect(sts.service.breaker).toBe('closed');
    sts.handle(status(503));
    await fail(sts, 3);
    expect(sts.service.breaker).toBe('open');
  });
});

describe('while it is open', () => {
  test('the failure says so, whether a later try can succeed, and when', async () => {
    const sts = await startOpen();
    for (const [passed, left] of [
      [0, 10_000],
      [4_000, 6_000],
      [5_999, 1],
    ] as const) {
      advance(passed);
      const error = await failureOf(exchange(sts.service));
      expect(error).toMatchObject({
        code: 'sts_circuit_open',
        failure: 'unavailable',
        retryable: true,
        retryAfterMs: left,
      });
      expect(error.status).toBeUndefined();
    }
    expect(sts.received).toHaveLength(3);
  });

  test('the failure names the STS and shows nothing else of its URL', async () => {
    const sts = await start(status(503));
    const tokenEndpoint = `${sts.origin}/token?api_key=key-of-the-tenant`;
    const service = createTokenService({ tokenEndpoint, clientId: 'agent', breaker: { failures: 1 } });
    await failureOf(exchange(service));
    const error = await failureOf(exchange(service));
    expect(error.message).toContain(sts.origin);
    expectNoLeak(error, ['key-of-the-tenant', 'api_key']);
  });
});

describe('whoever watches it', () => {
  test('is told each change once, until told no more', async () => {
    const sts = await start(status(503));
    const seen: [BreakerState, BreakerState, string][] = [];
    const stop = watchBreaker(sts.service, (state, at) => seen.push([state, sts.service.breaker, at]));
    await fail(sts, 5);
    expect(seen).toEqual([['open', 'open', sts.origin]]);
    advance(OPEN_MS);
    sts.handle(granting());
    await exchange(sts.service);
    await exchange(sts.service);
    expect(seen.slice(1)).toEqual([
      ['half_open', 'half_open', sts.origin],
      ['closed', 'closed', sts.origin],
    ]);
    stop();
    sts.handle(status(503));
    await fail(sts, 3);
    expect(seen).toHaveLength(3);
  });

  test.each<[string, Partial<TokenServiceOptions>]>([
    ['https://sts.example.com', { tokenEndpoint: 'https://sts.example.com/token?tenant=acme' }],
    ['https://sts.example.com', { issuer: 'https://sts.example.com/realms/acme' }],
    ['https://sts.example.com:8443', { metadataUrl: 'https://sts.example.com:8443/metadata' }],
    [
      'https://sts.internal:8443',
      { tokenEndpoint: 'https://sts.example.com/token', host: 'sts.internal:8443' },
    ],
    ['https://sts.internal', { issuer: 'https://sts.example.com', host: 'sts.internal' }],
  ])('is told %s, where tokens are sent: %o', async (origin, options) => {
    const fetch = () => Promise.reject(new TypeError('nobody is there'));
    const retry = { attempts: 1 };
    const service = createTokenService({
      clientId: 'agent',
      breaker: { failures: 1 },
      retry,
      fetch,
      ...options,
    });
    const told: string[] = [];
    watchBreaker(service, (_state, at) => told.push(at));
    await failureOf(exchange(service));
    expect(told).toEqual([origin]);
    expect((await failureOf(exchange(service))).message).toContain(`the STS at ${origin} `);
  });

  test('cannot change what a request comes to, nor what others are told', async () => {
    const sts = await start(status(503));
    const told: BreakerState[] = [];
    watchBreaker(sts.service, () => {
      throw new Error('a listener with a bug');
    });
    watchBreaker(sts.service, (state) => told.push(state));
    for (let time = 0; time < 3; time += 1) {
      expect((await failureOf(exchange(sts.service))).code).toBe('sts_error');
    }
    advance(OPEN_MS);
    sts.handle(granting());
    expect((await exchange(sts.service)).claims?.sub).toBe('alice');
    expect(told).toEqual(['open', 'half_open', 'closed']);
  });
});

test.each<[string, object]>([
  ['"failures"', { failures: 0 }],
  ['"failures"', { failures: '5' }],
  ['"failures"', { failures: Number.NaN }],
  ['"openMs"', { openMs: 0 }],
  ['"openMs"', { openMs: Number.POSITIVE_INFINITY }],
  ['"openMs"', { openMs: 2 ** 31 }],
  ['"threshold"', { threshold: 5 }],
])('a wrong %s is found when the service is made: %o', (named, breaker) => {
  const make = () =>
    createTokenService({ tokenEndpoint: 'https://sts.example.com/token', clientId: 'a', breaker });
  expect(make).toThrow(TypeError);
  expect(make).toThrow(named);
});
