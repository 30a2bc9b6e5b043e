// What a security review found, and beside it what the fixes must leave as it was.
import { describe, expect, onTestFinished, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, json, type Loopback, startLoopback } from '../support/loopback.ts';
import { granting, subjectJwt } from '../support/sts.ts';

/** A broker at a token endpoint that answers as it is told. */
function brokerAt(
  sts: Loopback,
  options: (service: BrokerOptions['tokenService']) => Partial<BrokerOptions>,
): Broker {
  const tokenService = createTokenService({ tokenEndpoint: `${sts.origin}/token`, clientId: 'agent' });
  const broker = createBroker({ tokenService, ...options(tokenService) });
  onTestFinished(() => broker.close());
  return broker;
}

describe('maxRuns', () => {
  test.each(['run', 'subject'] as const)(
    'bounds the runs of one group under retention "%s", and one that ends makes room',
    async (retention) => {
      const { broker } = await startPlainBroker({ maxRuns: 2, retention });
      const run = { subjectToken: subjectJwt('alice'), session: 'chat' };
      const [first, second] = [broker.begin(run), broker.begin(run)];
      expect(second.group).toBe(first.group);
      const error = await failureOf(() => broker.begin(run));
      expect(error).toMatchObject({ code: 'capacity_exceeded', retryable: true });
      expect(broker.stats().delegations).toBe(2);
      broker.end(first);
      expect(broker.status(broker.begin(run))).toBe('active');
      expect(broker.stats().delegations).toBe(2);
    },
  );

  test('counts no run that was broken off once its time is over, though its group goes on', async () => {
    const clock = createClock();
    const { broker } = await startPlainBroker({ maxRuns: 2, maxRunMs: 1_000, now: clock.now });
    const run = { subjectToken: subjectJwt('alice'), session: 'chat' };
    broker.begin(run);
    clock.advance(600);
    const active = broker.begin(run);
    clock.advance(600);
    expect(broker.begin(run).group).toBe(active.group);
    expect(broker.stats().delegations).toBe(2);
  });
});

describe('an actor token', () => {
  test('that is opaque is not used past the expires_in of its grant', async () => {
    const clock = createClock();
    let actors = 0;
    const grant = granting(() => ({ claims: { act: { sub: 'agent' } } }));
    const used: (string | null)[] = [];
    const sts = await startLoopback((request, response) => {
      if (request.form.get('grant_type') === 'client_credentials') {
        actors += 1;
        json(response, { access_token: `opaque-agent-${actors}`, token_type: 'Bearer', expires_in: 15 });
        return;
      }
      const { form } = request;
      used.push(form.get('actor_token'));
      form.delete('actor_token');
      grant(request, response);
    });
    const broker = brokerAt(sts, (service) => ({ actor: clientCredentialsActor(service), now: clock.now }));
    const alice = broker.begin({ subjectToken: subjectJwt('alice') });
    await broker.token(alice, 'calendar');
    await broker.token(alice, 'mail');
    clock.advance(15_000);
    await broker.token(alice, 'files');
    expect(used).toEqual(['opaque-agent-1', 'opaque-agent-1', 'opaque-agent-2']);
  });

  test('with an unprintable character is refused, sent nowhere and shown in no error', async () => {
    const { broker, sts } = await startPlainBroker({ actor: () => 'agent-SECRET-tok\u0001en-of-the-agent' });
    const alice = broker.begin({ subjectToken: subjectJwt('alice') });
    const error = await failureOf(broker.token(alice, 'calendar'));
    expect(error.code).toBe('actor_unavailable');
    expectNoLeak(error, ['agent-SECRET-tok', 'en-of-the-agent']);
    expect(sts.exchanges).toBe(0);
  });

  const refusing = async (
    error: string,
  ): Promise<{ advance(ms: number): void; asked(): Promise<number> }> => {
    const clock = createClock();
    let asked = 0;
    const actor = (): string => {
      asked += 1;
      return fakeJwt({ sub: 'agent', iss: 'https://sts.example.com', exp: seconds(clock.now()) + 3600 });
    };
    const sts = await startLoopback(always({ error }, { status: 400 }));
    const broker = brokerAt(sts, () => ({ actor, now: clock.now, refusalTtlMs: 0 }));
    const alice = broker.begin({ subjectToken: subjectJwt('alice') });
    return {
      advance: clock.advance,
      /** How often the source was asked, after some exchanges more. */
      async asked() {
        for (let index = 0; index < 5; index++) {
          expect(await failureOf(broker.token(alice, 'calendar'))).toMatchObject({ oauthError: error });
        }
        return asked;
      },
    };
  };

  test.each(['invalid_grant', 'invalid_request'])(
    'that may be why the STS answers %s is asked for again, every ten seconds at most',
    async (error) => {
      const source = await refusing(error);
      expect(await source.asked()).toBe(1);
      source.advance(9_999);
      expect(await source.asked()).toBe(1);
      source.advance(1);
      expect(await source.asked()).toBe(2);
      source.advance(9_999);
      expect(await source.asked()).toBe(2);
      source.advance(1);
      expect(await source.asked()).toBe(3);
    },
  );

  test('that has nothing to do with the answer of the STS is not asked for again', async () => {
    const source = await refusing('invalid_target');
    expect(await source.asked()).toBe(1);
    source.advance(60_000);
    expect(await source.asked()).toBe(1);
  });
});
