import { expect, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import { currentDelegation, runAs } from '../../src/context/carrier.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import type { Fault } from '../../src/sts/index.ts';
import { closedAtEnd } from '../support/broker.ts';
import { failureOf } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { AGENT, serviceOf, startSts } from '../support/sts.ts';

async function startDelegating() {
  const tokens: string[] = [];
  const sts = await startSts({ onToken: (token) => tokens.push(token) });
  const tokenService = serviceOf(sts, { retry: { attempts: 1 } });
  const broker = closedAtEnd(createBroker({ tokenService, actor: clientCredentialsActor(tokenService) }));
  const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId });
  const run = broker.begin({ subjectToken, session: 'session' });
  return { sts, tokenService, broker, subjectToken, run, tokens };
}

test('no token and no secret shows in anything that a program may print or store', async () => {
  const { sts, tokenService, broker, subjectToken, run, tokens } = await startDelegating();
  const issued = await Promise.all([broker.token(run, 'calendar'), broker.token(run, 'files')]);
  const group: string[] = [];
  broker.onGroupEnd((id) => group.push(id));
  const reader = broker.reader(run, 'calendar');
  const current = runAs(run, () => currentDelegation());
  const printed = {
    tokenService,
    broker,
    run,
    issued,
    peeked: broker.peek(run, 'calendar'),
    read: reader(),
    reader,
    current,
    stats: broker.stats(),
    exchanges: sts.exchanges,
  };
  broker.end(run);
  // The subject token, the actor token and two issued ones.
  expect(tokens).toHaveLength(4);
  expect(tokens).toContain(subjectToken);
  for (const value of [printed, ...Object.values(printed), group]) {
    expectNoLeak(value, [...tokens, AGENT.clientSecret]);
  }
});

test.each<Fault>([
  { kind: 'status', status: 400 },
  { kind: 'status', status: 503 },
  { kind: 'garbage' },
  { kind: 'content-type' },
  { kind: 'error-body' },
  { kind: 'disconnect' },
  { kind: 'missing-issued-token-type' },
  { kind: 'wrong-audience' },
  { kind: 'other-subject' },
  { kind: 'no-act' },
  { kind: 'opaque' },
])(
  'a failure by the fault %j shows no token and no secret, neither does the broker after it',
  async (fault) => {
    const { sts, broker, run, tokens } = await startDelegating();
    await broker.token(run, 'files');
    sts.inject(fault);
    const error = await failureOf(broker.token(run, 'calendar'));
    expect(tokens.length).toBeGreaterThanOrEqual(3);
    for (const value of [error, broker, run, broker.stats()]) {
      expectNoLeak(value, [...tokens, AGENT.clientSecret]);
    }
  },
);

test('nobody can put something else in the place of what handles tokens', async () => {
  const { tokenService, broker, run } = await startDelegating();
  for (const value of [tokenService, broker, run, run.subject, await broker.token(run, 'calendar')]) {
    expect(Object.isFrozen(value)).toBe(true);
  }
});

test('a subject that was refused does not show in the error', async () => {
  const { sts, broker } = await startDelegating();
  const expired = await sts.mintSubjectToken({ sub: 'bob', audience: AGENT.clientId, expiresIn: -1 });
  for (const subjectToken of [
    expired,
    `Bearer ${expired}`,
    expired.slice(0, -30),
    'an-opaque-subject-token',
  ]) {
    expectNoLeak(await failureOf(() => broker.begin({ subjectToken })), [expired, 'an-opaque-subject-token']);
  }
});
