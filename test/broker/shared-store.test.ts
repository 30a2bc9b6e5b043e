import { afterEach, describe, expect, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { LookUpEvent } from '../../src/broker/observer.ts';
import type { SharedStore } from '../../src/broker/shared-store.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import { readClaims } from '../../src/core/claims.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import { closedAtEnd } from '../support/broker.ts';
import { type Clock, createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { subjectJwt } from '../support/sts.ts';
import { createStsDouble, type StsDouble, settled, until, WHOLE } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

interface World {
  readonly clock: Clock;
  readonly sts: StsDouble;
  /** What the store holds, by key; a test may put something else there. */
  readonly values: Map<string, string>;
  readonly store: SharedStore;
  readonly results: LookUpEvent['result'][];
  readonly subjectToken: string;
  /** Another process. */
  replica(options?: Partial<BrokerOptions>): Replica;
}

interface Replica {
  readonly broker: Broker;
  token(target?: Target | string, subjectToken?: string): ReturnType<Broker['token']>;
  peek(): ReturnType<Broker['peek']>;
  reject(accessToken: string): void;
}

function start(shared: Partial<BrokerOptions> = {}): World {
  const clock = createClock(WHOLE);
  const sts = createStsDouble({ now: clock.now });
  const values = new Map<string, string>();
  const memory = createMemorySharedStore(clock.now);
  const store: SharedStore = {
    get: async (key) => values.get(key),
    set: async (key, value, ttlMs) => {
      expect(ttlMs).toBeGreaterThan(0);
      values.set(key, value);
    },
    delete: async (key, matches) => {
      const value = values.get(key);
      if (value !== undefined && matches(value)) values.delete(key);
    },
    lease: memory.lease,
  };
  const results: LookUpEvent['result'][] = [];
  const subjectToken = subjectJwt('alice', { exp: seconds(WHOLE) + 36_000 });
  return {
    ...{ clock, sts, values, store, results, subjectToken },
    replica(options) {
      const broker = closedAtEnd(
        createBroker({
          ...{ tokenService: sts.replica(), now: clock.now, retention: 'subject', store, maxRunMs: 1e9 },
          observer: { lookUp: ({ result }) => void results.push(result) },
          ...shared,
          ...options,
        }),
      );
      const begin = (token = subjectToken) => broker.begin({ subjectToken: token });
      return {
        broker,
        token: (target = 'calendar', token) => broker.token(begin(token), target),
        peek: () => broker.peek(begin(), 'calendar'),
        reject: (accessToken) => broker.reject(begin(), 'calendar', accessToken),
      };
    },
  };
}

describe('replicas on one store', () => {
  test.each([2, 5, 8])(
    '%i of them make one exchange when all ask at once, many times each',
    async (count) => {
      const world = start();
      const replicas = Array.from({ length: count }, () => world.replica());
      world.sts.answer('hold');
      const asking = replicas.flatMap((each) => [each.token(), each.token(), each.token()]);
      await world.sts.arrived(1);
      await settled();
      world.sts.waiting[0]?.grant();
      const tokens = await Promise.all(asking);
      expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(1);
      expect(world.sts.asked).toHaveLength(1);
      const sum = (name: 'exchanges' | 'shared' | 'joined'): number =>
        replicas.reduce((total, { broker }) => total + broker.stats()[name], 0);
      expect([sum('exchanges'), sum('shared'), sum('joined')]).toEqual([1, count - 1, 2 * count]);
    },
  );

  test('make as many exchanges for many users and targets as one alone', async () => {
    const world = start();
    const replicas = Array.from({ length: 4 }, () => world.replica());
    const users = ['alice', 'bob', 'carol'].map((sub) => subjectJwt(sub, { exp: seconds(WHOLE) + 36_000 }));
    const asked = replicas.flatMap((each) =>
      users.flatMap((user) => ['calendar', 'files'].map((target) => ({ each, user, target }))),
    );
    const tokens = await Promise.all(asked.map(({ each, user, target }) => each.token(target, user)));
    for (const [index, { claims }] of tokens.entries()) {
      const { user, target } = asked[index] ?? { user: '', target: '' };
      expect([claims?.sub, claims?.aud]).toEqual([readClaims(user)?.sub, [target]]);
    }
    expect(world.sts.asked).toHaveLength(6);
  });

  test('share with one that comes later, which keeps it in its own memory then', async () => {
    const world = start();
    const first = await world.replica().token();
    const late = world.replica();
    expect(late.peek()).toBeUndefined();
    const token = await late.token();
    expect(token.accessToken).toBe(first.accessToken);
    expect(token).toMatchObject({ issuedTokenType: first.issuedTokenType, claims: first.claims });
    world.values.clear();
    expect(await late.token()).toBe(token);
    expect(world.results).toEqual(['exchanged', 'shared', 'hit']);
  });

  test('make a token anew ahead of its end once between them', async () => {
    const world = start();
    const replicas = [1, 2, 3, 4].map(() => world.replica());
    await Promise.all(replicas.map((each) => each.token()));
    world.clock.advance(250_000);
    const old = replicas.map((each) => each.peek()?.accessToken);
    expect(new Set(old)).toEqual(new Set([world.sts.issued[0]]));
    await until(() => world.sts.asked.length >= 2);
    await vi.waitUntil(() => replicas.every((each) => each.peek()?.accessToken === world.sts.issued[1]));
    expect(world.sts.asked).toHaveLength(2);
  });

  test('live through ten lifetimes on as many exchanges as one, and nobody waits', async () => {
    const world = start();
    const replicas = [1, 2, 3].map(() => world.replica());
    await Promise.all(replicas.map((each) => each.token()));
    for (let time = 0; time < 300; time++) {
      world.clock.advance(10_000);
      for (const each of replicas) expect(each.peek()?.claims?.exp).toBeGreaterThan(world.clock.now());
      const asked = world.sts.asked.length;
      await settled();
      // Those who did not make it themselves look again after a moment.
      if (world.sts.asked.length > asked) {
        const newest = world.sts.issued.at(-1);
        await vi.waitUntil(() => replicas.every((each) => each.peek()?.accessToken === newest), {
          interval: 5,
        });
      }
    }
    expect(world.sts.asked.length).toBeLessThanOrEqual(1 + Math.ceil(3_000_000 / (0.7 * 290_000)));
  });

  test('do not share what failed, and each is told', async () => {
    const world = start();
    world.sts.answer((held) => held.refuse('invalid_target'));
    const errors = await Promise.all([1, 2].map(() => failureOf(world.replica().token())));
    expect(errors.map(({ oauthError }) => oauthError)).toEqual(['invalid_target', 'invalid_target']);
    expect(world.values.size).toBe(0);
  });
});

describe('replicas do not share', () => {
  const differing: readonly [string, (world: World) => Partial<BrokerOptions>, (Target | string)?][] = [
    ['another tenant', () => ({ tenant: 'acme' })],
    ['another generation', () => ({ generation: '2' })],
    ['another client', ({ sts }) => ({ tokenService: sts.replica({ clientId: 'robot' }) })],
    [
      'another token endpoint',
      ({ sts }) => ({ tokenService: sts.replica({ tokenEndpoint: 'https://sts.example.com/other' }) }),
    ],
    ['another dialect', ({ sts }) => ({ tokenService: sts.replica({ dialect: { name: 'other' } }) })],
    ['an actor', () => ({ actor: () => fakeJwt({ sub: 'agent', iss: 'https://idp.example.com' }) })],
    ['another target', () => ({}), 'files'],
    ['a scope', () => ({}), { audience: 'calendar', scope: 'read' }],
    ['a resource', () => ({}), { audience: 'calendar', resource: 'urn:x' }],
    ['a requested type', () => ({}), { audience: 'calendar', requestedTokenType: TOKEN_TYPE.jwt }],
    ['a check that is left out', () => ({}), { audience: 'calendar', unchecked: ['scope'] }],
    ['an opaque token that is allowed', () => ({}), { audience: 'calendar', allowOpaqueIssued: true }],
  ];

  test.each(differing)('with one that has %s', async (_what, options, target = 'calendar') => {
    const world = start();
    const first = await world.replica().token();
    const other = world.replica(options(world));
    expect((await other.token(target)).accessToken).not.toBe(first.accessToken);
    expect(world.sts.asked).toHaveLength(2);
    expect(world.values.size).toBe(2);
  });

  test('another actor’s tokens, but those of the same actor with another token', async () => {
    const world = start();
    const acting = (sub: string, jti: string): Replica =>
      world.replica({ actor: () => fakeJwt({ sub, iss: 'https://idp.example.com', jti }) });
    const [first, same, other] = [acting('agent', '1'), acting('agent', '2'), acting('robot', '3')];
    const one = await first.token();
    expect((await same.token()).accessToken).toBe(one.accessToken);
    expect((await other.token()).claims?.act).toBe('robot');
    expect(world.sts.asked).toHaveLength(2);
  });

  test('another subject token’s, though it is of the same user', async () => {
    const world = start();
    const again = subjectJwt('alice', { exp: seconds(WHOLE) + 36_000 });
    const one = await world.replica().token();
    expect((await world.replica().token('calendar', again)).accessToken).not.toBe(one.accessToken);
  });
});

describe('a value in the store that is not what the STS would have been asked for is not used', () => {
  const good = { sub: 'alice', aud: ['calendar'], exp: seconds(WHOLE) + 300 };
  const written = (accessToken: string, more: object = {}): string =>
    JSON.stringify({
      ...{ accessToken, issuedTokenType: TOKEN_TYPE.accessToken },
      ...{ usableUntil: WHOLE + 290_000, refreshAt: WHOLE + 200_000, ...more },
    });

  const lies: readonly [string, (subjectToken: string) => string][] = [
    ['garbage', () => 'garbage'],
    ['a token without times', () => JSON.stringify({ accessToken: fakeJwt(good) })],
    ['a token of another user', () => written(fakeJwt({ ...good, sub: 'mallory' }))],
    ['a token of nobody', () => written(fakeJwt({ ...good, sub: undefined }))],
    ['a token for another audience', () => written(fakeJwt({ ...good, aud: ['files'] }))],
    ['a token for one more audience', () => written(fakeJwt({ ...good, aud: ['calendar', 'files'] }))],
    ['a token for no audience', () => written(fakeJwt({ ...good, aud: undefined }))],
    ['a token that has expired', () => written(fakeJwt({ ...good, exp: seconds(WHOLE) - 1 }))],
    ['a token whose time is over', () => written(fakeJwt(good), { usableUntil: WHOLE })],
    ['a token whose expiry is no time', () => written(fakeJwt({ ...good, exp: 'never' }))],
    ['a token with a wider scope', () => written(fakeJwt({ ...good, scope: 'read write admin' }))],
    ['a scope that is wider', () => written(fakeJwt(good), { scope: 'read admin' })],
    ['a token of another actor', () => written(fakeJwt({ ...good, act: { sub: 'robot' } }))],
    ['a token of no actor', () => written(fakeJwt(good))],
    ['an opaque token', () => written('an-opaque-token')],
    ['a token of another type', () => written(fakeJwt(good), { issuedTokenType: TOKEN_TYPE.idToken })],
    ['the token that the user came with', (subjectToken) => written(subjectToken)],
  ];

  test.each(lies)('%s', async (_what, lie) => {
    // It would pass for what is asked for, as far as the claims go.
    const subjectToken = subjectJwt('alice', {
      ...{ aud: ['calendar'], act: { sub: 'agent' }, exp: seconds(WHOLE) + 36_000 },
    });
    const world = start({ actor: () => fakeJwt({ sub: 'agent' }) });
    const target: Target = { audience: 'calendar', scope: 'read' };
    await world.replica().token(target, subjectToken);
    const [key] = world.values.keys();
    const value = lie(subjectToken);
    world.values.set(key ?? '', value);
    const token = await world.replica().token(target, subjectToken);
    expect(token.accessToken).toBe(world.sts.issued[1]);
    expect(token.claims).toMatchObject({ sub: 'alice', aud: ['calendar'], act: 'agent' });
    // And what the STS issued is there for the others now.
    expect(world.values.get(key ?? '')).not.toBe(value);
  });

  test('but what is good is used', async () => {
    const world = start();
    await world.replica().token();
    const [key] = world.values.keys();
    const token = fakeJwt(good);
    world.values.set(key ?? '', written(token));
    expect((await world.replica().token()).accessToken).toBe(token);
  });

  test('an opaque token is, where that is allowed, but not one of a wrong type or a wider scope', async () => {
    const target: Target = { audience: 'calendar', scope: 'read', allowOpaqueIssued: true };
    for (const [more, shared] of [
      [{}, true],
      [{ issuedTokenType: TOKEN_TYPE.idToken }, false],
      [{ scope: 'read admin' }, false],
    ] as const) {
      const world = start();
      await world.replica().token(target);
      const [key] = world.values.keys();
      world.values.set(key ?? '', written('an-opaque-token', more));
      expect((await world.replica().token(target)).accessToken === 'an-opaque-token').toBe(shared);
    }
  });
});

describe('a token from the store is used no longer', () => {
  const usedFor = async (
    world: World,
    replica: Replica,
    target: Target | string = 'calendar',
  ): Promise<number> => {
    const { accessToken } = await replica.token(target);
    const began = world.clock.now();
    const run = replica.broker.begin({ subjectToken: world.subjectToken });
    while (replica.broker.peek(run, target)?.accessToken === accessToken) world.clock.advance(1_000);
    return world.clock.now() - began;
  };

  test('than its own replica would use it', async () => {
    const world = start({ refreshAhead: false });
    await world.replica().token();
    world.clock.advance(100_000);
    expect(await usedFor(world, world.replica())).toBe(190_000);
  });

  test.each<[string, Partial<BrokerOptions>, number]>([
    ['the longest time that this one is configured for', { maxTtlMs: 60_000 }, 60_000],
    ['this one’s margin', { marginMs: 50_000 }, 250_000],
  ])('than %s', async (_what, options, expected) => {
    const world = start({ refreshAhead: false });
    await world.replica().token();
    expect(await usedFor(world, world.replica(options))).toBeLessThanOrEqual(expected);
  });

  test('than the subject token lasts', async () => {
    const world = start({ refreshAhead: false });
    await world.replica().token();
    const [key, value] = [...world.values][0] ?? ['', ''];
    // What is written there may say anything.
    world.values.set(key, value.replace(/"usableUntil":[\d.]+/, `"usableUntil":${WHOLE + 1e12}`));
    expect(await usedFor(world, world.replica())).toBeLessThanOrEqual(300_000);
  });
});

describe('a token that a server rejected', () => {
  test('is not in the store any more, and everybody gets another', async () => {
    const world = start();
    const [one, two] = [world.replica(), world.replica()];
    const { accessToken } = await one.token();
    await two.token();
    expect(world.values.size).toBe(1);
    one.reject(accessToken);
    await settled();
    expect(world.values.size).toBe(0);
    const next = await one.token();
    expect(next.accessToken).not.toBe(accessToken);
    // The other one has it in its memory still, and finds the new one when it is rejected there, too.
    two.reject(accessToken);
    expect((await two.token()).accessToken).toBe(next.accessToken);
    expect((await world.replica().token()).accessToken).toBe(next.accessToken);
    expect(world.sts.asked).toHaveLength(2);
  });

  test('late does not take the next one with it', async () => {
    const world = start();
    const [one, two] = [world.replica(), world.replica()];
    const { accessToken } = await one.token();
    one.reject(accessToken);
    const next = await one.token();
    two.reject(accessToken);
    one.reject(accessToken);
    await settled();
    expect((await two.token()).accessToken).toBe(next.accessToken);
    expect(world.sts.asked).toHaveLength(2);
  });

  test('is never taken back from the store, whoever puts it there, and however many were rejected since', async () => {
    const world = start();
    const replica = world.replica();
    const rejected = new Set<string>();
    const values: string[] = [];
    let key = '';
    const rejectNext = async (): Promise<void> => {
      const { accessToken } = await replica.token();
      expect(rejected.has(accessToken)).toBe(false);
      for (const [name, value] of world.values) {
        key = name;
        values.push(value);
      }
      rejected.add(accessToken);
      replica.reject(accessToken);
      await settled();
    };
    await rejectNext();
    await rejectNext();
    await rejectNext();
    for (const value of values.slice(0, 3)) {
      world.values.set(key, value);
      await rejectNext();
    }
  });

  test('is not taken back when the store was down as it was rejected', async () => {
    const world = start();
    let down = false;
    const store: SharedStore = {
      ...world.store,
      delete: async (key, matches) => {
        if (down) throw new Error('down');
        await world.store.delete(key, matches);
      },
    };
    const replica = world.replica({ store });
    const { accessToken } = await replica.token();
    const [[key, value] = ['', '']] = [...world.values];
    down = true;
    replica.reject(accessToken);
    await settled();
    expect(world.values.get(key)).toBe(value);
    world.clock.advance(60_000);
    down = false;
    expect((await replica.token()).accessToken).not.toBe(accessToken);
    expect(world.values.get(key)).not.toBe(value);
  });
});

describe('a store that fails', () => {
  test('is done without: everybody makes his own, and keeps it', async () => {
    const world = start();
    const failing = (): Promise<never> => Promise.reject(new Error('down'));
    const store: SharedStore = { get: failing, set: failing, delete: failing, lease: failing };
    const replicas = [1, 2].map(() => world.replica({ store }));
    const tokens = await Promise.all(replicas.map((each) => each.token()));
    expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(2);
    expect(replicas.map((each) => each.peek())).toEqual(tokens);
    expect(replicas.map(({ broker }) => broker.stats().store)).toEqual(['down', 'down']);
    replicas[0]?.reject(tokens[0]?.accessToken ?? '');
    expect((await replicas[0]?.token())?.accessToken).toBe(world.sts.issued[2]);
  });

  test('to answer holds nobody up for longer than it is allowed to, and only the first', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const world = start();
    const never = (): Promise<never> => new Promise(() => {});
    const store: SharedStore = { get: never, set: never, delete: never, lease: never };
    const replica = world.replica({ store, storeTimeoutMs: 100 });
    const first = replica.token();
    await settled();
    expect(world.sts.asked).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(100);
    expect((await first).claims?.sub).toBe('alice');
    // No time passes any more.
    expect((await replica.token('files')).claims?.aud).toEqual(['files']);
  });

  test('is never asked for a token that is in memory, nor while one is peeked at', async () => {
    const world = start();
    const asked: string[] = [];
    const store: SharedStore = {
      ...world.store,
      get: async (key) => {
        asked.push(key);
        return world.store.get(key);
      },
    };
    const replica = world.replica({ store });
    await replica.token();
    asked.length = 0;
    await replica.token();
    replica.peek();
    expect(asked).toEqual([]);
  });
});

test('keys tell nothing of who and what they are for, and are the same in every process', async () => {
  const world = start({ tenant: 'acme' });
  await world.replica().token();
  const [key = ''] = world.values.keys();
  expect(key).toMatch(/^[\w-]{43}$/);
  expectNoLeak([...world.values.keys()], [world.subjectToken, 'calendar', 'alice', 'acme']);
  await world.replica().token();
  expect(world.values.size).toBe(1);
});

test('a run that ends leaves its token to the others, a closed broker gives none away', async () => {
  const world = start();
  const one = world.replica();
  const run = one.broker.begin({ subjectToken: world.subjectToken });
  const { accessToken } = await one.broker.token(run, resolveTarget('calendar'));
  one.broker.end(run);
  one.broker.close();
  expect((await world.replica().token()).accessToken).toBe(accessToken);
});

test('the subject gate comes before the store: who has expired gets nothing from it', async () => {
  const world = start();
  const short = subjectJwt('alice', { exp: seconds(WHOLE) + 60 });
  await world.replica().token('calendar', short);
  const late = world.replica();
  const run = late.broker.begin({ subjectToken: short });
  world.clock.advance(60_000);
  expect((await failureOf(late.broker.token(run, 'calendar'))).code).toBe('subject_expired');
  expect((await failureOf(() => late.token('calendar', short))).code).toBe('subject_expired');
});
