import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { generateKeyPair } from 'jose';
import { decodeJwt } from 'jose/jwt/decode';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OnbehalfError } from '../../src/core/errors.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import { type RetryOptions, withRetry } from '../../src/core/retry.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { always, type Handler, json, never } from '../support/loopback.ts';
import {
  AGENT,
  granting,
  type PlainSts,
  serviceOf,
  startPlainSts,
  startSts,
  subjectJwt,
} from '../support/sts.ts';

/** The waits that were asked for, in milliseconds; they are passed over unless a test says otherwise. */
const clock = vi.hoisted(() => ({ waits: [] as number[], skip: true }));

vi.mock('node:timers/promises', async (original) => {
  const real = await original<typeof import('node:timers/promises')>();
  const setTimeout: typeof real.setTimeout = (ms = 0, value, options) => {
    clock.waits.push(ms);
    return real.setTimeout(clock.skip ? 0 : ms, value, options);
  };
  return { ...real, setTimeout };
});

beforeEach(() => {
  clock.waits = [];
  clock.skip = true;
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const target = resolveTarget('calendar');

async function exchange(service: TokenService, signal?: AbortSignal, token = subjectJwt('alice')) {
  const parameters = { subject: securityToken(token), target };
  const response = await exchangeRequest(service, parameters, { signal });
  return processExchangeResponse(service, response, parameters);
}

/** Plays these, one for each request; the last one again and again. */
function play(...handlers: readonly Handler[]): Handler {
  let played = 0;
  return (request, response) => {
    handlers[Math.min(played, handlers.length - 1)]?.(request, response);
    played += 1;
  };
}

const status = (code: number, retryAfter?: string): Handler =>
  always({}, { status: code, headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } });
const dropped: Handler = (_request, response) => void response.destroy();
const cutShort: Handler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
  response.write('{', () => response.destroy());
};

const startFailing = async (handler: Handler, retry: RetryOptions = {}): Promise<PlainSts> => {
  // The breaker has tests of its own.
  const sts = await startPlainSts(undefined, { retry, breaker: { failures: 1000 } });
  sts.handle(handler);
  return sts;
};

const failing =
  (code = 503, retryAfter?: string) =>
  async () =>
    new Response(null, {
      status: code,
      headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
    });

describe('what may pass', () => {
  test.each<[string, Handler]>([
    ['500', status(500)],
    ['502', status(502)],
    ['503', status(503)],
    ['504', status(504)],
    ['599', status(599)],
    ['429', status(429)],
    ['a connection that is dropped', dropped],
    ['an answer that is cut short', cutShort],
  ])('%s is asked again, with the same request', async (_what, handler) => {
    const sts = await startFailing(play(handler, granting()));
    expect((await exchange(sts.service)).claims?.sub).toBe('alice');
    const [first, second] = sts.received;
    expect(sts.received).toHaveLength(2);
    expect(second).toMatchObject({ method: 'POST', path: '/token', body: first?.body });
  });

  test.each([
    { kind: 'disconnect' },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 429, retryAfter: 1 },
  ] as const)('the fault %j of a real authorization server is passed over', async (fault) => {
    const sts = await startSts();
    const service = serviceOf(sts);
    const token = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId });
    sts.inject(fault);
    expect((await exchange(service, undefined, token)).claims?.sub).toBe('alice');
    expect(clock.waits).toHaveLength(1);
  });

  test('an STS that answers too late is asked again', async () => {
    const sts = await startPlainSts(undefined, { timeoutMs: 500 });
    sts.handle(play(never, granting()));
    expect((await exchange(sts.service)).claims?.sub).toBe('alice');
    expect(sts.received).toHaveLength(2);
  });

  test('the metadata of an STS are asked for again, once for all who wait', async () => {
    const sts = await startFailing(status(503));
    const service = createTokenService({ issuer: sts.origin, clientId: 'agent' });
    sts.handle(
      play(status(503), dropped, (_request, response) =>
        json(response, { issuer: sts.origin, token_endpoint: `${sts.origin}/token` }),
      ),
    );
    const all = await Promise.all([service.discover(), service.discover()]);
    expect(all).toEqual([`${sts.origin}/token`, `${sts.origin}/token`]);
    expect(sts.received).toHaveLength(3);
  });

  test('a secret that could not be had is asked for again', async () => {
    let asked = 0;
    const clientSecret = (): string => {
      asked += 1;
      if (asked === 1) throw new Error('the vault is sealed');
      return 'fake-secret';
    };
    const sts = await startPlainSts(undefined, {
      clientAuth: { method: 'client_secret_post', clientSecret },
    });
    await exchange(sts.service);
    expect([asked, sts.received.length]).toEqual([2, 1]);
  });
});

describe('what does not pass', () => {
  test.each<[string, Handler]>([
    ...[400, 401, 403, 404, 408, 409].map((code): [string, Handler] => [`${code}`, status(code)]),
    ['400, though it says when to come back', status(400, '1')],
    ['400 temporarily_unavailable', always({ error: 'temporarily_unavailable' }, { status: 400 })],
    ['a redirect', status(302)],
    ['an answer that is no token response', always({})],
    ['an answer that is too large', always({ padding: 'x'.repeat(5_000) }, { status: 500 })],
  ])('%s is asked for once', async (_what, handler) => {
    const sts = await startPlainSts(undefined, { retry: { attempts: 5 }, maxResponseBytes: 4_000 });
    sts.handle(handler);
    await failureOf(exchange(sts.service));
    expect(sts.received).toHaveLength(1);
    expect(clock.waits).toEqual([]);
  });

  test('what an open breaker says is told at once: to ask it again is no use', async () => {
    const sts = await startPlainSts(undefined, { retry: { attempts: 9 }, breaker: { failures: 2 } });
    sts.handle(status(503));
    expect((await failureOf(exchange(sts.service))).code).toBe('sts_circuit_open');
    expect([sts.received.length, clock.waits.length]).toEqual([2, 2]);
    expect((await failureOf(exchange(sts.service))).code).toBe('sts_circuit_open');
    expect([sts.received.length, clock.waits.length]).toEqual([2, 2]);
  });

  test('an error that is none of an STS is thrown as it is, at once', async () => {
    const own = new TypeError('a bug');
    let calls = 0;
    const attempt = (): Promise<Response> => {
      calls += 1;
      return Promise.reject(own);
    };
    expect(await thrownBy(withRetry(attempt, {}, undefined))).toBe(own);
    expect(calls).toBe(1);
  });

  test('of all answers only 429 and 5xx are asked for again', async () => {
    const again: number[] = [];
    for (let code = 200; code < 600; code += 1) {
      clock.waits = [];
      await withRetry(failing(code), { attempts: 2 }, undefined);
      if (clock.waits.length > 0) again.push(code);
    }
    expect(again).toEqual([429, ...Array.from({ length: 100 }, (_, index) => 500 + index)]);
  });
});

describe('attempts', () => {
  test.each([
    [undefined, 3],
    [1, 1],
    [2, 2],
    [5, 5],
  ])('of %s are %i requests', async (attempts, requests) => {
    for (const handler of [status(503), dropped]) {
      const sts = await startFailing(handler, { attempts });
      expect((await failureOf(exchange(sts.service))).failure).toBe('unavailable');
      expect(sts.received).toHaveLength(requests);
    }
  });

  test('end with the last answer, and that is told', async () => {
    const sts = await startFailing(play(status(500), dropped, status(502)));
    expect(await failureOf(exchange(sts.service))).toMatchObject({ code: 'sts_error', status: 502 });
    sts.handle(play(status(500), status(502), dropped));
    expect(await failureOf(exchange(sts.service))).toMatchObject({ code: 'sts_unreachable' });
  });

  test('authenticate anew: no assertion is sent twice, and a secret is read again', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const sts = await startPlainSts(undefined, { clientAuth: { method: 'private_key_jwt', privateKey } });
    sts.handle(play(status(500), dropped, granting()));
    await exchange(sts.service);
    const ids = sts.received.map(({ form }) => decodeJwt(form.get('client_assertion') ?? '').jti);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(3);

    const secrets = ['fake-old', 'fake-new'];
    const clientSecret = (): string => secrets.shift() as string;
    const other = await startPlainSts(undefined, {
      clientAuth: { method: 'client_secret_post', clientSecret },
    });
    other.handle(play(status(500), granting()));
    await exchange(other.service);
    expect(other.received.map(({ form }) => form.get('client_secret'))).toEqual(['fake-old', 'fake-new']);
  });
});

describe('a wait', () => {
  test('doubles with each try up to the longest, and one half of it is random', async () => {
    const given = fc.record({
      attempts: fc.integer({ min: 1, max: 8 }),
      backoffMs: fc.integer({ min: 0, max: 5_000 }),
      maxWaitMs: fc.integer({ min: 0, max: 20_000 }),
      random: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ random, ...options }) => {
        clock.waits = [];
        vi.spyOn(Math, 'random').mockReturnValue(random);
        await withRetry(failing(), options, undefined);
        expect(clock.waits).toHaveLength(options.attempts - 1);
        for (const [index, wait] of clock.waits.entries()) {
          const longest = Math.min(options.maxWaitMs, options.backoffMs * 2 ** index);
          expect(wait).toBeCloseTo(longest / 2 + (longest / 2) * random, 6);
          expect(wait).toBeLessThanOrEqual(longest);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('is between 100 and 200, then 200 and 400 ms, when nothing else was said', async () => {
    for (const [random, waits] of [
      [0, [100, 200]],
      [0.999_999, [200, 400]],
    ] as const) {
      clock.waits = [];
      vi.spyOn(Math, 'random').mockReturnValue(random);
      await withRetry(failing(), {}, undefined);
      expect(clock.waits.map(Math.round)).toEqual(waits);
    }
  });

  test('is not the same for two callers', async () => {
    await withRetry(failing(), { attempts: 11, backoffMs: 1_000, maxWaitMs: 1_000 }, undefined);
    expect(new Set(clock.waits).size).toBeGreaterThan(1);
  });
});

describe('Retry-After', () => {
  const NOW = Date.parse('2026-12-01T10:00:00Z');

  test.each<[string, number]>([
    ['0', 0],
    ['1', 1_000],
    ['5', 5_000],
    ['Tue, 01 Dec 2026 10:00:03 GMT', 3_000],
    ['Tue, 01 Dec 2026 10:00:05 GMT', 5_000],
    ['Tue, 01 Dec 2026 09:00:00 GMT', 0],
  ])('of %j is waited for, and a little more', async (value, asked) => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW });
    for (const code of [429, 503]) {
      clock.waits = [];
      const sts = await startFailing(play(status(code, value), granting()), { backoffMs: 100 });
      await exchange(sts.service);
      expect(sts.received).toHaveLength(2);
      expect(clock.waits).toHaveLength(1);
      expect(clock.waits[0]).toBeGreaterThanOrEqual(asked);
      expect(clock.waits[0]).toBeLessThanOrEqual(Math.min(asked + 100, 5_000));
    }
  });

  test.each(['6', '3600', '999999999', 'Tue, 01 Dec 2026 10:00:06 GMT', 'Wed, 01 Dec 2027 10:00:00 GMT'])(
    'of %j is longer than anybody waits, so the failure is told at once, with the time',
    async (value) => {
      vi.useFakeTimers({ toFake: ['Date'], now: NOW });
      const sts = await startFailing(status(429, value));
      const error = await failureOf(exchange(sts.service));
      expect(error).toMatchObject({ code: 'sts_error', status: 429, failure: 'unavailable' });
      expect(error.retryAfterMs).toBeGreaterThan(5_000);
      expect(sts.received).toHaveLength(1);
      expect(clock.waits).toEqual([]);
    },
  );

  test('is held against the longest wait that was set', async () => {
    await withRetry(failing(503, '3'), { maxWaitMs: 2_999 }, undefined);
    expect(clock.waits).toEqual([]);
    await withRetry(failing(503, '3'), { maxWaitMs: 3_000, backoffMs: 0 }, undefined);
    expect(clock.waits).toEqual([3_000, 3_000]);
  });

  test('has some of the wait added that is random: those who were told the same do not come back as one', async () => {
    for (const random of [0, 0.5]) {
      vi.spyOn(Math, 'random').mockReturnValue(random);
      await withRetry(failing(503, '1'), { attempts: 2 }, undefined);
    }
    const [early = 0, late = 0] = clock.waits;
    expect(late).toBeGreaterThan(early);
  });

  test('that says nothing is no reason to come back at once', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    await withRetry(failing(503, 'soon'), { attempts: 2, backoffMs: 200 }, undefined);
    expect(clock.waits).toEqual([100]);
  });

  test('of an answer that is not the last one is not told with the last one', async () => {
    const sts = await startFailing(play(status(503, '1'), status(503)), { attempts: 2 });
    expect((await failureOf(exchange(sts.service))).retryAfterMs).toBeUndefined();
  });
});

describe('a caller that leaves', () => {
  const reasons: readonly (readonly [string, Error])[] = [
    ['of its own', new Error('the user has left')],
    // This one says of itself that a later try can succeed.
    ['that is a deadline', new OnbehalfError('deadline_exceeded', 'too late', { failure: 'unavailable' })],
  ];

  test.each(reasons)('during a wait leaves at once, for a reason %s', async (_what, reason) => {
    clock.skip = false;
    const sts = await startFailing(status(503), { backoffMs: 60_000, maxWaitMs: 60_000 });
    const controller = new AbortController();
    const leaving = thrownBy(exchange(sts.service, controller.signal));
    await vi.waitFor(() => expect(clock.waits).toHaveLength(1));
    controller.abort(reason);
    expect(await leaving).toBe(reason);
    expect(sts.received).toHaveLength(1);
  });

  test.each(reasons)('during a request is not asked for again, for a reason %s', async (_what, reason) => {
    const sts = await startFailing(never, { attempts: 5 });
    const controller = new AbortController();
    const leaving = thrownBy(exchange(sts.service, controller.signal));
    await sts.arrived(1);
    controller.abort(reason);
    expect(await leaving).toBe(reason);
    await sts.cutOff(1);
    expect(sts.received).toHaveLength(1);
  });

  test('leaves no listener behind', async () => {
    const { signal } = new AbortController();
    await withRetry(failing(), { attempts: 5 }, signal);
    expect(clock.waits).toHaveLength(4);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

test.each<[string, object]>([
  ['"attempts"', { attempts: 0 }],
  ['"attempts"', { attempts: '3' }],
  ['"attempts"', { attempts: Number.NaN }],
  ['"attempts"', { attempts: Number.POSITIVE_INFINITY }],
  ['"backoffMs"', { backoffMs: -1 }],
  ['"backoffMs"', { backoffMs: null }],
  ['"maxWaitMs"', { maxWaitMs: Number.NaN }],
  // A timer of Node's that is longer fires at once.
  ['"maxWaitMs"', { maxWaitMs: 2 ** 31 }],
  ['"retries"', { retries: 3 }],
])('a wrong %s is found when the service is made: %o', (named, retry) => {
  const make = () =>
    createTokenService({ tokenEndpoint: 'https://sts.example.com/token', clientId: 'a', retry });
  expect(make).toThrow(TypeError);
  expect(make).toThrow(named);
});
