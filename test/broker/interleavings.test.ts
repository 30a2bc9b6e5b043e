import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { Delegation, Retention } from '../../src/broker/delegation.ts';
import type { Broker } from '../../src/broker/types.ts';
import { isOnbehalfError, OnbehalfError } from '../../src/core/errors.ts';
import type { IssuedToken } from '../../src/core/issued-token.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import { createClock } from '../support/clock.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { createStsDouble, type Held, settled, WHOLE } from './support.ts';

// How long a replica waits between two looks at the store does not matter here: one turn of the event loop.
vi.mock('node:timers/promises', async (original) => {
  const timers = await original<typeof import('node:timers/promises')>();
  const turn = async <T>(_ms: number, value: T, options: { signal?: AbortSignal } = {}): Promise<T> => {
    await timers.setImmediate();
    options.signal?.throwIfAborted();
    return value;
  };
  return { ...timers, setTimeout: turn };
});

afterEach(() => {
  vi.useRealTimers();
});

const SUBJECTS = ['alice', 'bob'] as const;
const AUDIENCES = ['calendar', 'files'] as const;
const MARGIN = 10_000;
const MAX_TTL = 100_000;
const RUN_MS = 200_000;
const DENIED = new OnbehalfError('sts_error', 'denied elsewhere', {
  failure: 'denied',
  oauthError: 'invalid_grant',
});

interface Setting {
  readonly retention: Retention;
  readonly refreshAhead: boolean;
  /** More than one share a store. */
  readonly replicas: number;
}

interface Run {
  readonly broker: Broker;
  readonly delegation: Delegation;
  readonly subjectToken: string;
  readonly expiresAt: number;
  readonly endsAt: number;
  readonly session: string;
  ended: boolean;
}

/** What is known of a token that the STS issued. */
interface Issued {
  readonly subjectToken: string;
  readonly audience: string;
  readonly actor: string;
  /** When it must not be used any more. */
  readonly end: number;
}

const small = fc.nat({ max: 7 });
const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('begin' as const), who: small, where: small, session: small }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), run: small, target: small }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('peek' as const), run: small, target: small }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('grant' as const),
      which: small,
      seconds: fc.integer({ min: 1, max: 400 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const), which: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), which: small }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), which: small }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 90_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), run: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reject' as const), run: small, target: small }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('another actor' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A world that does one step after another and says what is wrong as soon as it is. */
function createWorld({ retention, refreshAhead, replicas }: Setting) {
  const clock = createClock(WHOLE);
  const sts = createStsDouble({ now: clock.now });
  sts.answer('hold');
  // Its own time stands still, so that no lease is ever over.
  const store = replicas > 1 ? createMemorySharedStore(() => 0) : undefined;
  let sub = 'agent';
  let actorsSeen = 1;
  const actor = (): string => fakeJwt({ sub, exp: seconds(clock.now()) + 60 });
  const brokers = Array.from({ length: replicas }, () =>
    createBroker({
      ...{ tokenService: sts.replica(), actor, retention, refreshAhead, store, now: clock.now },
      ...{ maxRunMs: RUN_MS, maxTtlMs: MAX_TTL, marginMs: MARGIN, refusalTtlMs: 5_000 },
    }),
  );
  const expiresAt = WHOLE + 240_000;
  // Under run retention each session has a subject token of its own, so that a request tells its key.
  const subjects = new Map<string, string>();
  const subjectOf = (who: number, session: string): string => {
    const name = `${SUBJECTS[who % 2]} ${retention === 'run' ? session : ''}`;
    const token =
      subjects.get(name) ?? subjectJwt(name.split(' ')[0] ?? '', { exp: seconds(expiresAt), name });
    subjects.set(name, token);
    return token;
  };
  const runs: Run[] = [];
  const issued = new Map<string, Issued>();
  const refused = new Set<string>();
  const dropped = new Set<string>();
  const rejected = new Map<Broker, Set<string>>(brokers.map((broker) => [broker, new Set()]));
  const homes = new Map<string, string>();
  const waiting: { controller: AbortController; left: boolean; done: boolean }[] = [];
  let shared = 0;

  const keyOf = ({ form }: Pick<Held, 'form'>): string =>
    `${form.get('subject_token')} ${form.get('audience')}`;
  const isOver = (run: Run): boolean =>
    run.ended || run.endsAt <= clock.now() || run.expiresAt <= clock.now();

  /** Whatever a token is got from: it is the right one, and it is still good. */
  const assertGood = (run: Run, audience: string, { accessToken, claims }: IssuedToken): void => {
    const known = issued.get(accessToken);
    expect(known).toMatchObject({ subjectToken: run.subjectToken, audience });
    expect(claims).toMatchObject({ aud: [audience], act: known?.actor });
    expect(known?.end, 'a token is used after its end').toBeGreaterThan(clock.now());
    expect(isOver(run), 'a token for a run that is over').toBe(false);
    expect(rejected.get(run.broker)?.has(accessToken), 'a rejected token').toBe(false);
    const home = `${run.subjectToken} ${audience}`;
    if (homes.has(accessToken)) shared += 1;
    expect(homes.get(accessToken) ?? home).toBe(home);
    homes.set(accessToken, home);
  };

  const ask = (run: Run, audience: string): void => {
    const controller = new AbortController();
    const one = { controller, left: false, done: false };
    const over = isOver(run);
    const before = sts.asked.length;
    const key = `${run.subjectToken} ${audience}`;
    const asking = run.broker.token(run.delegation, audience, { signal: controller.signal });
    waiting.push(one);
    outcomes.push(
      check(
        asking.then(
          (token) => {
            one.done = true;
            expect(one.left, 'one who left got a token').toBe(false);
            expect(over).toBe(false);
            assertGood(run, audience, token);
          },
          (error: unknown) => {
            one.done = true;
            if (one.left) return expect(error).toBe(controller.signal.reason);
            if (!isOnbehalfError(error)) throw error;
            if (over) expect(['delegation_ended', 'subject_expired']).toContain(error.code);
            if (error.code === 'delegation_ended') expect(run.ended || run.endsAt <= clock.now()).toBe(true);
            else if (error.code === 'subject_expired') expect(run.expiresAt).toBeLessThanOrEqual(clock.now());
            else if (error.code === 'sts_error') expect(refused.has(key)).toBe(true);
            else if (error.code === 'sts_unreachable') expect(dropped.has(key)).toBe(true);
            else throw error;
          },
        ),
      ),
    );
    // The gate is before everything else.
    if (over) expect(sts.asked).toHaveLength(before);
  };
  const outcomes: Promise<unknown>[] = [];
  /** What was wrong with an outcome is told after the step. */
  const wrongs: unknown[] = [];
  const check = (outcome: Promise<unknown>): Promise<unknown> =>
    outcome.catch((wrong: unknown) => wrongs.push(wrong));

  const grant = (held: Held, lifetimeMs: number): void => {
    const until = Math.min(clock.now() + Math.min(lifetimeMs, MAX_TTL), expiresAt);
    const end = until - Math.min(MARGIN, Math.max(0, until - clock.now()) / 4);
    const act = JSON.parse(
      Buffer.from(held.form.get('actor_token')?.split('.')[1] ?? '', 'base64url').toString(),
    );
    const before = sts.issued.length;
    held.grant({ lifetimeMs });
    issued.set(sts.issued[before] ?? '', {
      ...{ subjectToken: held.form.get('subject_token') ?? '', audience: held.form.get('audience') ?? '' },
      ...{ actor: act.sub, end },
    });
  };

  const act = (one: Step): void => {
    const run = 'run' in one ? runs[one.run % Math.max(1, runs.length)] : undefined;
    const audience = 'target' in one ? (AUDIENCES[one.target % AUDIENCES.length] ?? '') : '';
    const held = 'which' in one ? sts.waiting[one.which % Math.max(1, sts.waiting.length)] : undefined;
    if (one.do === 'begin') {
      const session = `session-${one.session % 2}`;
      const broker = brokers[one.where % brokers.length] as Broker;
      const subjectToken = subjectOf(one.who, session);
      if (expiresAt <= clock.now()) return;
      const delegation = broker.begin({ subjectToken, session });
      runs.push({
        broker,
        delegation,
        subjectToken,
        expiresAt,
        endsAt: delegation.endsAt,
        session,
        ended: false,
      });
    } else if (one.do === 'ask' && run) ask(run, audience);
    else if (one.do === 'peek' && run && !isOver(run)) {
      const token = run.broker.peek(run.delegation, audience);
      if (token) assertGood(run, audience, token);
    } else if (one.do === 'grant' && held) grant(held, one.seconds * 1000);
    else if (one.do === 'refuse' && held) {
      refused.add(keyOf(held));
      held.refuse('invalid_target');
    } else if (one.do === 'drop' && held) {
      dropped.add(keyOf(held));
      held.drop();
    } else if (one.do === 'leave') {
      const there = waiting.filter(({ left, done }) => !left && !done);
      const leaving = there[one.which % Math.max(1, there.length)];
      if (!leaving) return;
      leaving.left = true;
      // What went wrong elsewhere is a reason to leave, and says nothing about what is left.
      leaving.controller.abort(one.which % 2 ? new Error('left') : DENIED);
    } else if (one.do === 'wait') clock.advance(one.ms);
    else if (one.do === 'end' && run) {
      run.broker.end(run.delegation);
      run.ended = true;
    } else if (one.do === 'reject' && run && !isOver(run)) {
      const token = run.broker.peek(run.delegation, audience);
      if (!token) return;
      run.broker.reject(run.delegation, audience, token.accessToken);
      rejected.get(run.broker)?.add(token.accessToken);
    } else if (one.do === 'another actor') {
      sub = sub === 'agent' ? 'robot' : 'agent';
      actorsSeen += 1;
    }
  };

  /** What holds at any time, whoever waits for what. */
  const assertAlways = (): void => {
    for (const wrong of wrongs) throw wrong;
    const inFlight = new Map<string, number>();
    for (const held of sts.waiting) {
      const { sub: actorSub } = JSON.parse(
        Buffer.from(held.form.get('actor_token')?.split('.')[1] ?? '', 'base64url').toString(),
      );
      const key = `${keyOf(held)} ${actorSub}`;
      inFlight.set(key, (inFlight.get(key) ?? 0) + 1);
    }
    for (const [key, count] of inFlight) {
      // A run that has ended still waits for its own, and shares it with no later one.
      const groups = new Set(
        runs.filter((run) => key.startsWith(run.subjectToken)).map((run) => run.delegation.group),
      );
      const most = retention === 'run' ? groups.size : 1;
      expect(count, 'exchanges in flight').toBeLessThanOrEqual(actorsSeen > 1 ? 2 * most : most);
    }
    for (const broker of brokers) {
      const isLast = retention === 'run' && runs.every((run) => run.broker !== broker || run.ended);
      expect(broker.stats().entries).toBeLessThanOrEqual(isLast ? 0 : issued.size);
    }
  };

  return {
    async run(steps: readonly Step[]): Promise<number> {
      act({ do: 'begin', who: 0, where: 0, session: 0 });
      try {
        for (const one of steps) {
          act(one);
          await settled();
          assertAlways();
        }
      } catch (error) {
        for (const { controller } of waiting) controller.abort();
        for (const broker of brokers) broker.close();
        throw error;
      }
      // Everybody is answered in the end.
      sts.answer((held) => grant(held, 300_000));
      for (let times = 0; sts.waiting.length > 0 && times < 20; times++) {
        for (const held of [...sts.waiting]) grant(held, 300_000);
        await settled();
      }
      await Promise.all(outcomes);
      assertAlways();
      expect(waiting.every(({ done }) => done)).toBe(true);
      for (const broker of brokers) broker.close();
      await settled();
      for (const broker of brokers) expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
      expect(sts.waiting).toEqual([]);
      return shared;
    },
  };
}

const settings: readonly Setting[] = [
  { retention: 'run', refreshAhead: true, replicas: 1 },
  { retention: 'run', refreshAhead: false, replicas: 1 },
  { retention: 'subject', refreshAhead: true, replicas: 1 },
  { retention: 'subject', refreshAhead: true, replicas: 3 },
  { retention: 'subject', refreshAhead: false, replicas: 2 },
];

test.each(settings)(
  'in any order of asking, answering, leaving and waiting nobody gets a token that is not his or is over, and none is made twice: %j',
  async (setting) => {
    let shared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) => {
        shared += await createWorld(setting).run(steps);
      }),
      { numRuns: 60 },
    );
    // It was a test of a cache only if something came from the cache.
    expect(shared).toBeGreaterThan(10);
  },
);
