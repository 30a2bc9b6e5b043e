import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { Delegation, Retention } from '../../src/broker/delegation.ts';
import type { Broker } from '../../src/broker/types.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { isOnbehalfError } from '../../src/core/errors.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { IssuedToken } from '../../src/core/issued-token.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { type SecurityToken, securityToken } from '../../src/core/token-types.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import { AGENT, serviceOf, startSts } from '../support/sts.ts';

afterEach(() => {
  vi.useRealTimers();
});

const SUBJECTS = ['alice', 'bob'] as const;
const TARGETS: readonly Target[] = [
  { audience: 'calendar' },
  { audience: 'files' },
  { audience: 'calendar', scope: 'read' },
  { audience: 'payroll' },
];
const RUN_MS = 400_000;

interface Setting {
  readonly retention: Retention;
  readonly refreshAhead: boolean;
  /** More than one share a store. */
  readonly replicas: number;
}

const settings: readonly Setting[] = [
  { retention: 'run', refreshAhead: true, replicas: 1 },
  { retention: 'run', refreshAhead: false, replicas: 1 },
  { retention: 'subject', refreshAhead: true, replicas: 1 },
  { retention: 'subject', refreshAhead: false, replicas: 3 },
  { retention: 'subject', refreshAhead: true, replicas: 3 },
];

/** A run as the model knows it, beside the real one. */
interface Run {
  readonly broker: Broker;
  readonly delegation: Delegation;
  readonly subjectToken: string;
  readonly expiresAt: number;
  readonly endsAt: number;
  /** Session and subject: only runs that agree in it may share. */
  readonly label: string;
  /** Counts how often nobody was left of this label: tokens must not survive that. */
  readonly epoch: number;
  ended: boolean;
}

/** The whole of the specification: no cache, so nothing to go wrong. */
async function naive(service: TokenService, run: Run, target: Target): Promise<unknown> {
  if (run.ended || run.endsAt <= Date.now()) return 'delegation_ended';
  if (run.expiresAt <= Date.now()) return 'subject_expired';
  const actor = (await clientCredentialsActor(service)({})) as SecurityToken;
  const parameters = { subject: securityToken(run.subjectToken), actor, target: resolveTarget(target) };
  return outcome(
    exchangeRequest(service, parameters).then((response) =>
      processExchangeResponse(service, response, parameters),
    ),
  );
}

async function outcome(asking: Promise<IssuedToken>): Promise<unknown> {
  try {
    const { claims } = await asking;
    return { sub: claims?.sub, act: claims?.act, aud: claims?.aud, scope: claims?.scope };
  } catch (error) {
    return isOnbehalfError(error) ? error.code : error;
  }
}

const index = fc.nat({ max: 5 });
const targets = fc.nat({ max: TARGETS.length - 1 });
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('begin' as const),
      subject: fc.nat({ max: 1 }),
      session: fc.nat({ max: 1 }),
      where: fc.nat({ max: 2 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('token' as const),
      ask: fc.array(fc.tuple(index, targets), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reject' as const), run: index, target: targets }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const), run: index }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 150_000 }) }),
  },
);

test.each(settings)(
  'a broker gives what one gives that exchanges every time: %j',
  async ({ retention, refreshAhead, replicas }) => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
    const sts = await startSts({ accessTokenTtl: 120 });
    const service = serviceOf(sts);
    let shared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 25, size: 'max' }), async (steps) => {
        const store = replicas > 1 ? createMemorySharedStore() : undefined;
        const brokers = Array.from({ length: replicas }, () =>
          createBroker({
            ...{ tokenService: service, actor: clientCredentialsActor(service), maxRunMs: RUN_MS },
            ...{ retention, refreshAhead, store },
          }),
        );
        const subjects = await Promise.all(
          SUBJECTS.map((sub) => sts.mintSubjectToken({ sub, audience: AGENT.clientId, expiresIn: 300 })),
        );
        const expiresAt = (Math.floor(Date.now() / 1000) + 300) * 1000;
        const runs: Run[] = [];
        const epochs = new Map<string, number>();
        const homes = new Map<string, string>();
        const isLive = (run: Run): boolean => !run.ended && run.endsAt > Date.now();

        const begin = (subject: number, session: number, where: number): void => {
          const broker = brokers[where % replicas] as Broker;
          const subjectToken = subjects[subject] as string;
          const options = { subjectToken, session: `session-${session}` };
          if (expiresAt <= Date.now()) {
            expect(() => broker.begin(options)).toThrow('expired');
            return;
          }
          const label = `${subject}/${session}`;
          if (!runs.some((run) => run.label === label && isLive(run))) {
            epochs.set(label, (epochs.get(label) ?? 0) + 1);
          }
          const delegation = broker.begin(options);
          const endsAt = Date.now() + RUN_MS;
          const epoch = epochs.get(label) as number;
          runs.push({ broker, delegation, subjectToken, expiresAt, endsAt, label, epoch, ended: false });
        };

        /** A token belongs to one subject and target, and under run retention to one group of runs. */
        const assertHome = (run: Run, target: Target, token: IssuedToken | undefined): void => {
          if (token === undefined) return;
          expect(token.claims?.exp).toBeGreaterThan(Date.now());
          const group = retention === 'run' ? `${run.label}#${run.epoch}` : run.subjectToken;
          const home = JSON.stringify([group, target]);
          if (homes.has(token.accessToken)) shared += 1;
          expect(homes.get(token.accessToken) ?? home).toBe(home);
          homes.set(token.accessToken, home);
        };

        begin(0, 0, 0);
        for (const one of steps) {
          if (one.do === 'begin') begin(one.subject, one.session, one.where);
          else if (one.do === 'wait') vi.advanceTimersByTime(one.ms);
          else if (one.do === 'end') {
            const run = runs[one.run % runs.length];
            if (run === undefined) continue;
            run.broker.end(run.delegation);
            run.ended = true;
          } else if (one.do === 'reject') {
            const run = runs[one.run % runs.length];
            const target = TARGETS[one.target] as Target;
            if (run === undefined || run.broker.status(run.delegation) !== 'active') continue;
            const { broker } = run;
            broker.reject(run.delegation, target, broker.peek(run.delegation, target)?.accessToken ?? '');
            expect(broker.peek(run.delegation, target)).toBeUndefined();
          } else {
            await Promise.all(
              one.ask.map(async ([who, what]) => {
                const run = runs[who % runs.length];
                const target = TARGETS[what] as Target;
                if (run === undefined) return;
                const { broker } = run;
                const [real, expected] = await Promise.all([
                  outcome(broker.token(run.delegation, target)),
                  naive(service, run, target),
                ]);
                expect(real).toEqual(expected);
                if (broker.status(run.delegation) !== 'active') return;
                const token = broker.peek(run.delegation, target);
                expect(token !== undefined).toBe(typeof expected === 'object');
                assertHome(run, target, token);
              }),
            );
          }
          const live = runs.filter(isLive);
          if (live.length === 0 && retention === 'run' && runs.every(({ ended }) => ended)) {
            for (const broker of brokers)
              expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
          }
        }
        for (const broker of brokers) {
          broker.close();
          expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
        }
      }),
      { numRuns: 10 },
    );
    // It was a test of a cache only if something came from the cache.
    expect(shared).toBeGreaterThan(0);
  },
  60_000,
);
