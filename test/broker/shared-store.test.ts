import { afterEach, describe, expect, test, vi } from 'vitest';
import type { SharedStore } from '../../src/broker/shared-store.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { readClaims } from '../../src/core/claims.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { subjectJwt } from '../support/sts.ts';
import { type Replica, startShared, type World } from './shared-world.ts';
import { settled, until, WHOLE } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('replicas on one store', () => {
  test.each([2, 5, 8])(
    '%i of them make one exchange when all ask at once, many times each',
    async (count) => {
      const world = startShared();
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
    const world = startShared();
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
    const world = startShared();
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
    const world = startShared();
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
    const world = startShared();
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
    const world = startShared();
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
    const world = startShared();
    const first = await world.replica().token();
    const other = world.replica(options(world));
    expect((await other.token(target)).accessToken).not.toBe(first.accessToken);
    expect(world.sts.asked).toHaveLength(2);
    expect(world.values.size).toBe(2);
  });

  test('another actor’s tokens, but those of the same actor with another token', async () => {
    const world = startShared();
    const acting = (sub: string, jti: string): Replica =>
      world.replica({ actor: () => fakeJwt({ sub, iss: 'https://idp.example.com', jti }) });
    const [first, same, other] = [acting('agent', '1'), acting('agent', '2'), acting('robot', '3')];
    const one = await first.token();
    expect((await same.token()).accessToken).toBe(one.accessToken);
    expect((await other.token()).claims?.act).toBe('robot');
    expect(world.sts.asked).toHaveLength(2);
  });

  test('another subject token’s, though it is of the same user', async () => {
    const world = startShared();
    const again = subjectJwt('alice', { exp: seconds(WHOLE) + 36_000 });
    const one = await world.replica().token();
    expect((await world.replica().token('calendar', again)).accessToken).not.toBe(one.accessToken);
  });
});

describe('a store that fails', () => {
  test('is done without: everybody makes his own, and keeps it', async () => {
    const world = startShared();
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
    const world = startShared();
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
    const world = startShared();
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
  const world = startShared({ tenant: 'acme' });
  await world.replica().token();
  const [key = ''] = world.values.keys();
  expect(key).toMatch(/^[\w-]{43}$/);
  expectNoLeak([...world.values.keys()], [world.subjectToken, 'calendar', 'alice', 'acme']);
  await world.replica().token();
  expect(world.values.size).toBe(1);
});

test('a run that ends leaves its token to the others, a closed broker gives none away', async () => {
  const world = startShared();
  const one = world.replica();
  const run = one.broker.begin({ subjectToken: world.subjectToken });
  const { accessToken } = await one.broker.token(run, resolveTarget('calendar'));
  one.broker.end(run);
  one.broker.close();
  expect((await world.replica().token()).accessToken).toBe(accessToken);
});

test('the subject gate comes before the store: who has expired gets nothing from it', async () => {
  const world = startShared();
  const short = subjectJwt('alice', { exp: seconds(WHOLE) + 60 });
  await world.replica().token('calendar', short);
  const late = world.replica();
  const run = late.broker.begin({ subjectToken: short });
  world.clock.advance(60_000);
  expect((await failureOf(late.broker.token(run, 'calendar'))).code).toBe('subject_expired');
  expect((await failureOf(() => late.token('calendar', short))).code).toBe('subject_expired');
});
