import type { ReadonlyContext } from '@google/adk';
import { expect, test } from 'vitest';
import { createRunRegistry } from '../../src/adk/run-registry.ts';
import { startPlainBroker } from '../support/broker.ts';
import { subjectJwt } from '../support/sts.ts';

const contextOf = (invocationId: string): ReadonlyContext => ({ invocationId }) as ReadonlyContext;

test('a run whose user token expires stays known, however many begin after it, so that it is ended', async () => {
  let now = Date.now();
  const { broker } = await startPlainBroker({ now: () => now });
  const runs = createRunRegistry(broker.status);
  const exp = Math.floor(now / 1000) + 60;
  const alice = broker.begin({ subjectToken: subjectJwt('alice', { exp }) });
  runs.add('of alice', { delegation: alice, own: true });
  now += 61_000;
  const bob = broker.begin({ subjectToken: subjectJwt('bob') });
  runs.add('of bob', { delegation: bob, own: true });
  // The broker then says why the token is of no use; here it is still known whose run it is.
  expect(runs.find(contextOf('of alice'))).toBe(alice);
  expect(runs.take('of alice')).toEqual({ delegation: alice, own: true });
});

test('a run that was broken off is forgotten when its longest time is over', async () => {
  const { broker } = await startPlainBroker({ maxRunMs: 1 });
  const runs = createRunRegistry(broker.status);
  const alice = broker.begin({ subjectToken: subjectJwt('alice') });
  runs.add('of alice', { delegation: alice, own: true });
  while (Date.now() < alice.endsAt) await new Promise(setImmediate);
  const bob = broker.begin({ subjectToken: subjectJwt('bob') });
  runs.add('of bob', { delegation: bob, own: true });
  expect(runs.take('of alice')).toBeUndefined();
});
