import { describe, expect, test } from 'vitest';
import type { SharedStore } from '../../src/broker/shared-store.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import type { Target } from '../../src/core/target.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { type Replica, startShared, type World } from './shared-world.ts';
import { settled, WHOLE } from './support.ts';

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
    const world = startShared({ actor: () => fakeJwt({ sub: 'agent' }) });
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
    const world = startShared();
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
      const world = startShared();
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
    const world = startShared({ refreshAhead: false });
    await world.replica().token();
    world.clock.advance(100_000);
    expect(await usedFor(world, world.replica())).toBe(190_000);
  });

  test.each<[string, Partial<BrokerOptions>, number]>([
    ['the longest time that this one is configured for', { maxTtlMs: 60_000 }, 60_000],
    ['this one’s margin', { marginMs: 50_000 }, 250_000],
  ])('than %s', async (_what, options, expected) => {
    const world = startShared({ refreshAhead: false });
    await world.replica().token();
    expect(await usedFor(world, world.replica(options))).toBeLessThanOrEqual(expected);
  });

  test('than the subject token lasts', async () => {
    const world = startShared({ refreshAhead: false });
    await world.replica().token();
    const [key, value] = [...world.values][0] ?? ['', ''];
    // What is written there may say anything.
    world.values.set(key, value.replace(/"usableUntil":[\d.]+/, `"usableUntil":${WHOLE + 1e12}`));
    expect(await usedFor(world, world.replica())).toBeLessThanOrEqual(300_000);
  });
});

describe('a token that a server rejected', () => {
  test('is not in the store any more, and everybody gets another', async () => {
    const world = startShared();
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
    const world = startShared();
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
    const world = startShared();
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
    const world = startShared();
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
