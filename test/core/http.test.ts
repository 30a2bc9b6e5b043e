import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import { boundedFetch, type FetchLike } from '../../src/core/http.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { securityToken } from '../../src/core/token-types.ts';
import type { DevelopmentSts, Fault } from '../../src/sts/index.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, type Handler, never, startLoopback } from '../support/loopback.ts';
import { AGENT, granting, serviceOf, startPlainSts, startSts, subjectJwt } from '../support/sts.ts';

const target = resolveTarget('calendar');

async function exchange(
  service: TokenService,
  { token = subjectJwt('alice'), signal }: { token?: string; signal?: AbortSignal } = {},
) {
  const parameters = { subject: securityToken(token), target };
  const response = await exchangeRequest(service, parameters, { signal });
  return processExchangeResponse(service, response, parameters);
}

/** Tried once, so that a failure is told as soon as it is there. */
const serviceAt = (tokenEndpoint: string, options: Partial<TokenServiceOptions> = {}): TokenService =>
  createTokenService({ tokenEndpoint, clientId: 'agent', retry: { attempts: 1 }, ...options });

const mint = (sts: DevelopmentSts) => sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId });

test.each<[Fault, object]>([
  [{ kind: 'disconnect' }, { code: 'sts_unreachable', failure: 'unavailable' }],
  [
    { kind: 'latency', ms: 60_000 },
    { code: 'sts_timeout', failure: 'unavailable' },
  ],
  [{ kind: 'garbage' }, { code: 'sts_invalid_response', failure: 'misconfigured', status: 200 }],
  [{ kind: 'content-type' }, { code: 'sts_invalid_response', failure: 'misconfigured', status: 200 }],
  [{ kind: 'error-body' }, { code: 'sts_invalid_response', failure: 'misconfigured', status: 200 }],
  [
    { kind: 'missing-issued-token-type' },
    { code: 'sts_invalid_response', failure: 'misconfigured', status: 200 },
  ],
  [
    { kind: 'status', status: 500 },
    { code: 'sts_error', failure: 'unavailable', status: 500 },
  ],
])(
  'a real authorization server with the fault %j fails in its own way, and works again',
  async (fault, expected) => {
    const sts = await startSts();
    const timeoutMs = fault.kind === 'latency' ? 150 : 5000;
    const service = serviceOf(sts, { timeoutMs, retry: { attempts: 1 } });
    const token = await mint(sts);
    // So that the little time of the slow one is spent on the exchange alone.
    await exchange(service, { token });
    sts.inject(fault);
    const error = await failureOf(exchange(service, { token }));
    expect(error).toMatchObject(expected);
    expectNoLeak(error, [token, AGENT.clientSecret]);
    sts.clearFaults();
    expect((await exchange(serviceOf(sts), { token })).claims?.sub).toBe('alice');
  },
);

test('an STS that is not there is named with the reason, and may be there later', async () => {
  const server = await startLoopback(never);
  await server.close();
  const service = serviceAt(`${server.origin}/token`);
  const token = subjectJwt('alice');
  const error = await failureOf(exchange(service, { token }));
  expect(error).toMatchObject({ code: 'sts_unreachable', failure: 'unavailable', retryable: true });
  expect(error.message).toContain(server.origin);
  expect(error.message).toContain('ECONNREFUSED');
  expectNoLeak(error, [token]);
});

test('an answer that begins and does not end is given up in time', async () => {
  const sts = await startPlainSts(undefined, { timeoutMs: 50, retry: { attempts: 1 } });
  sts.handle((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"access_token":');
  });
  expect((await failureOf(exchange(sts.service))).code).toBe('sts_timeout');
  await sts.cutOff(1);
});

test('an answer without an end is given up at the largest size', async () => {
  const sts = await startPlainSts(undefined, { maxResponseBytes: 100_000 });
  sts.handle((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = (): unknown => response.write(Buffer.alloc(65_536, 'a'), more);
    more();
  });
  const error = await failureOf(exchange(sts.service));
  expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured', status: 200 });
  expect(error.message).toContain('100000 bytes');
  await sts.cutOff(1);
});

test('an answer of exactly the largest size is read', async () => {
  const body = JSON.stringify({ error: 'invalid_target', error_description: 'x' });
  const handler: Handler = (_request, response) => void response.writeHead(400).end(body);
  const exact = await startPlainSts(undefined, { maxResponseBytes: body.length });
  exact.handle(handler);
  expect((await failureOf(exchange(exact.service))).oauthError).toBe('invalid_target');
  const short = await startPlainSts(undefined, { maxResponseBytes: body.length - 1 });
  short.handle(handler);
  expect((await failureOf(exchange(short.service))).code).toBe('sts_invalid_response');
});

test.each([301, 302, 303, 307, 308])('a redirect with %i takes the subject token nowhere', async (status) => {
  const thief = await startLoopback(granting());
  const sts = await startPlainSts();
  sts.handle((_request, response) => {
    response.writeHead(status, { location: `${thief.origin}/token` }).end();
  });
  const error = await failureOf(exchange(sts.service));
  expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured', status });
  expect(thief.received).toEqual([]);
  expect(sts.received).toHaveLength(1);
});

test.each([201, 204, 205, 206, 304])('status %i is no token response', async (status) => {
  const sts = await startPlainSts();
  sts.handle((_request, response) => void response.writeHead(status).end());
  expect(await failureOf(exchange(sts.service))).toMatchObject({ code: 'sts_invalid_response', status });
});

test('a fetch of the user is what all requests go through, with redirects left alone', async () => {
  const seen: [string, RequestInit][] = [];
  const sts = await startSts();
  const service = serviceOf(sts, {
    fetch: (url, init) => {
      seen.push([url, init]);
      return fetch(url, init);
    },
  });
  await exchange(service, { token: await mint(sts) });
  expect(seen.map(([url]) => url)).toEqual([
    `${sts.issuer}/.well-known/openid-configuration`,
    sts.tokenEndpoint,
  ]);
  expect(seen.every(([, init]) => init.redirect === 'manual' && init.signal instanceof AbortSignal)).toBe(
    true,
  );
});

test('what a fetch of the user throws is not passed on', async () => {
  const token = subjectJwt('alice');
  const fetchLike = async (_url: string, init: RequestInit) => {
    throw Object.assign(new Error(`failed to send ${init.body}`), { request: init });
  };
  const service = serviceAt('https://sts.example.com/token', { fetch: fetchLike });
  const error = await failureOf(exchange(service, { token }));
  expect(error.code).toBe('sts_unreachable');
  expect(error.message).toBe('the STS at https://sts.example.com could not be reached');
  expectNoLeak(error, [token]);
});

const REASON = new Error('the user has left');

test('a caller that has left already makes no request', async () => {
  const server = await startLoopback(always({}));
  const service = createTokenService({ issuer: server.origin, clientId: 'agent' });
  expect(await thrownBy(exchange(service, { signal: AbortSignal.abort(REASON) }))).toBe(REASON);
  await fetch(`${server.origin}/later`);
  expect(server.received.map(({ path }) => path)).toEqual(['/later']);
});

test('a caller that leaves during discovery leaves at once, for its own reason, and others stay', async () => {
  const server = await startLoopback(never);
  const service = createTokenService({
    issuer: server.origin,
    clientId: 'agent',
    timeoutMs: 10_000,
    retry: { attempts: 1 },
  });
  const controller = new AbortController();
  const leaving = thrownBy(exchange(service, { signal: controller.signal }));
  const staying = failureOf(service.discover());
  await server.arrived(1);
  server.handle(always({}));
  controller.abort(REASON);
  expect(await leaving).toBe(REASON);
  await server.close();
  expect((await staying).code).toBe('sts_unreachable');
});

test('a caller that leaves before the answer leaves for its own reason, and the request is cut off', async () => {
  const sts = await startPlainSts();
  sts.handle(never);
  const controller = new AbortController();
  const leaving = thrownBy(exchange(sts.service, { signal: controller.signal }));
  await sts.arrived(1);
  controller.abort(REASON);
  expect(await leaving).toBe(REASON);
  await sts.cutOff(1);
});

test('a caller that leaves in the middle of the answer leaves for its own reason', async () => {
  const controller = new AbortController();
  const sts = await startPlainSts(undefined, {
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      controller.abort(REASON);
      return response;
    },
  });
  sts.handle((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"access_token":');
  });
  expect(await thrownBy(exchange(sts.service, { signal: controller.signal }))).toBe(REASON);
  await sts.cutOff(1);
});

describe('a fetch that does not heed its signal', () => {
  const deaf: FetchLike = () => new Promise(() => {});

  test('is given up in time', async () => {
    const service = serviceAt('https://sts.example.com/token', { fetch: deaf, timeoutMs: 30 });
    const error = await failureOf(exchange(service));
    expect(error).toMatchObject({ code: 'sts_timeout', failure: 'unavailable' });
    expect(error.message).toBe('the STS at https://sts.example.com did not answer within 30 ms');
  }, 5_000);

  test('is given up in time during discovery, too', async () => {
    const service = createTokenService({
      ...{ issuer: 'https://sts.example.com', clientId: 'agent', retry: { attempts: 1 } },
      ...{ fetch: deaf, timeoutMs: 30 },
    });
    expect((await failureOf(service.discover())).code).toBe('sts_timeout');
  }, 5_000);

  test('is given up in time when it is the body that does not end', async () => {
    const endless = new ReadableStream({ pull: () => new Promise(() => {}) });
    const fetch: FetchLike = async () => new Response(endless);
    const service = serviceAt('https://sts.example.com/token', { fetch, timeoutMs: 30 });
    expect((await failureOf(exchange(service))).code).toBe('sts_timeout');
  }, 5_000);

  test('lets a caller leave at once, for its own reason', async () => {
    const service = serviceAt('https://sts.example.com/token', { fetch: deaf });
    const controller = new AbortController();
    const leaving = thrownBy(exchange(service, { signal: controller.signal }));
    controller.abort(REASON);
    expect(await leaving).toBe(REASON);
  }, 5_000);

  test('and fails when nobody waits any more fails unnoticed', async () => {
    let fail = (_: Error): void => {};
    const fetch: FetchLike = () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    const service = serviceAt('https://sts.example.com/token', { fetch, timeoutMs: 30 });
    expect((await failureOf(exchange(service))).code).toBe('sts_timeout');
    // Unhandled, this would end the run.
    fail(new Error('late'));
  }, 5_000);
});

test('for a caller that has left already a fetch of the user is not called', async () => {
  let calls = 0;
  const counting: FetchLike = async () => {
    calls += 1;
    return new Response('{}');
  };
  const signal = AbortSignal.abort(REASON);
  const send = boundedFetch({ fetch: counting, timeoutMs: 1_000, maxBytes: 1_000, signal });
  expect(await thrownBy(send('https://sts.example.com/token', {}))).toBe(REASON);
  expect(calls).toBe(0);
});

test('a caller that leaves during a request that is bounded gets its own reason from that alone', async () => {
  const controller = new AbortController();
  const failing: FetchLike = () => {
    controller.abort(REASON);
    return Promise.reject(new TypeError('fetch failed'));
  };
  const options = { timeoutMs: 1_000, maxBytes: 1_000, signal: controller.signal };
  const send = boundedFetch({ fetch: failing, ...options });
  expect(await thrownBy(send('https://sts.example.com/token', {}))).toBe(REASON);
});

test('a caller whose requests have ended is not listened to any more', async () => {
  const { signal } = new AbortController();
  const sts = await startPlainSts();
  for (const handler of [granting(), always({}, { status: 400 })]) {
    sts.handle(handler);
    await exchange(sts.service, { signal }).catch(() => {});
  }
  expect(sts.received).toHaveLength(2);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
