import { checkOptions } from '../core/options.ts';
import { assertTokenService } from '../core/token-service.ts';
import { checkObserver } from './observer.ts';
import type { BrokerOptions } from './types.ts';

/** @throws TypeError that names the option which is missing or wrong */
export function checkBrokerOptions(options: BrokerOptions): void {
  checkOptions(options, 'createBroker()', {
    tokenService: 'object',
    actor: 'function?',
    retention: ['run', 'subject'],
    maxTtlMs: 'positive?',
    marginMs: 'natural?',
    unknownTtlMs: 'positive?',
    maxRunMs: 'positive?',
    maxEntries: 'positive?',
    maxRuns: 'positive?',
    allowOpaqueSubject: 'boolean?',
    tenant: 'string?',
    generation: 'string?',
    deadlineMs: 'positive?',
    refusalTtlMs: 'natural?',
    refreshAhead: 'boolean?',
    store: 'object?',
    storeTimeoutMs: 'positive?',
    observer: 'object?',
    now: 'function?',
  });
  assertTokenService(options.tokenService);
  const { observer = {}, store } = options;
  checkObserver(observer);
  for (const method of ['get', 'set', 'delete', 'lease'] as const) {
    if (store && typeof store[method] !== 'function')
      throw new TypeError(`"store" has no method "${method}"; see createRedisStore()`);
  }
  // Under `run` retention no other run may meet a token, let alone another process.
  if (options.store && options.retention !== 'subject') {
    throw new TypeError('"store" needs "retention" to be "subject": under "run" nothing is shared');
  }
}
