import { afterEach, beforeEach, expect, vi } from 'vitest';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { IssuedToken } from '../../src/core/issued-token.ts';
import { resolveTarget } from '../../src/core/target.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { failureOf } from '../support/failure.ts';
import { always, type Handler } from '../support/loopback.ts';
import { type PlainSts, startPlainSts, subjectJwt } from '../support/sts.ts';

const NOW = Date.parse('2026-12-01T10:00:00Z');
export const OPEN_MS = 10_000;

// The breaker reads the clock; requests go over real sockets with real timers.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

export const advance = (ms: number): void => void vi.setSystemTime(Date.now() + ms);

const target = resolveTarget('calendar');

export async function exchange(service: TokenService, signal?: AbortSignal): Promise<IssuedToken> {
  const parameters = { subject: securityToken(subjectJwt('alice')), target };
  const response = await exchangeRequest(service, parameters, { signal });
  return processExchangeResponse(service, response, parameters);
}

/** An STS whose breaker opens after three failures, each of one request. */
export async function start(handler: Handler, more: Partial<TokenServiceOptions> = {}): Promise<PlainSts> {
  const breaker = { failures: 3, openMs: OPEN_MS };
  const sts = await startPlainSts(undefined, { breaker, retry: { attempts: 1 }, ...more });
  sts.handle(handler);
  return sts;
}

export const fail = async (sts: PlainSts, times: number): Promise<void> => {
  for (let time = 0; time < times; time += 1) await failureOf(exchange(sts.service));
};

/** An STS that was down until its breaker opened. */
export async function startOpen(more: Partial<TokenServiceOptions> = {}): Promise<PlainSts> {
  const sts = await start(status(503), more);
  await fail(sts, 3);
  expect(sts.service.breaker).toBe('open');
  return sts;
}

export const status = (code: number): Handler => always({}, { status: code });
export const refused = (error: string, code = 400): Handler => always({ error }, { status: code });
