import { expect, test } from 'vitest';
import { createActorCache } from '../../src/broker/actor-cache.ts';
import { createKeyring } from '../../src/broker/key.ts';
import type { ActorSource } from '../../src/core/actor.ts';
import { OnbehalfError } from '../../src/core/errors.ts';
import { securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { createClock } from '../support/clock.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';

const START = 1_800_000_000_000;

function createCache(source: ActorSource) {
  const clock = createClock(START);
  let asked = 0;
  const counted: ActorSource = (options) => {
    asked += 1;
    return source(options);
  };
  return {
    clock,
    cache: createActorCache(counted, createKeyring(), { now: clock.now, deadlineMs: 30_000 }),
    get asked() {
      return asked;
    },
  };
}

const lasting = (ms: number, more: object = {}) =>
  fakeJwt({ sub: 'agent', exp: seconds(START + ms), ...more });

test.each<[string, ActorSource]>([
  ['a string', () => lasting(60_000)],
  ['a promise of a string', async () => lasting(60_000)],
  ['a security token', () => securityToken(lasting(60_000), TOKEN_TYPE.accessToken)],
  ['a promise of a security token', async () => securityToken(lasting(60_000))],
  ['a plain object', () => ({ token: lasting(60_000), type: TOKEN_TYPE.accessToken })],
])('a source may give %s', async (_what, source) => {
  const { cache } = createCache(source);
  expect(cache.identity).toBeUndefined();
  const actor = await cache.current();
  expect(actor).toMatchObject({ sub: 'agent', token: { type: TOKEN_TYPE.accessToken } });
  expect(cache.identity).toBe(actor.identity);
});

test('the source is asked once by all who wait, and again only when the token is about to expire', async () => {
  const state = createCache(async () => lasting(100_000));
  await Promise.all(Array.from({ length: 10 }, () => state.cache.current()));
  state.clock.advance(89_999);
  await state.cache.current();
  expect(state.asked).toBe(1);
  state.clock.advance(1);
  await state.cache.current();
  expect(state.asked).toBe(2);
});

test('a token that says no expiry is asked for again after a minute, a long one after an hour', async () => {
  for (const [token, usable] of [
    ['an-opaque-token', 50_000],
    [fakeJwt({ sub: 'agent' }), 50_000],
    [lasting(86_400_000), 3_590_000],
  ] as const) {
    const state = createCache(() => token);
    await state.cache.current();
    state.clock.advance(usable - 1);
    await state.cache.current();
    expect(state.asked).toBe(1);
    state.clock.advance(1);
    await state.cache.current();
    expect(state.asked).toBe(2);
  }
});

test('a rotated token of the same actor is the same identity, another actor is another', async () => {
  const keyring = createKeyring();
  const identityOf = async (given: Awaited<ReturnType<ActorSource>>) =>
    (await createActorCache(() => given, keyring, { now: () => START, deadlineMs: 30_000 }).current())
      .identity;
  const agent = await identityOf(lasting(60_000, { iss: 'https://a.example.com' }));

  expect(await identityOf(lasting(90_000, { iss: 'https://a.example.com', jti: 'other' }))).toBe(agent);
  const others = [
    lasting(60_000, { iss: 'https://a.example.com', sub: 'robot' }),
    lasting(60_000, { iss: 'https://b.example.com' }),
    lasting(60_000),
    lasting(60_000, { iss: 'https://a.example.coma', sub: 'gent' }),
    securityToken(lasting(60_000, { iss: 'https://a.example.com' }), TOKEN_TYPE.jwt),
    'an-opaque-token',
    'another-opaque-token',
    'agent',
  ];
  const identities = await Promise.all(others.map(identityOf));
  expect(new Set([agent, ...identities]).size).toBe(others.length + 1);
});

test('identity changes when the source gives another actor', async () => {
  let sub = 'agent';
  const { cache, clock } = createCache(() => lasting(600_000 + clock.now() - START, { sub }));
  const first = (await cache.current()).identity;
  sub = 'robot';
  clock.advance(600_000);
  const second = await cache.current();
  expect(second.sub).toBe('robot');
  expect(second.identity).not.toBe(first);
  expect(cache.identity).toBe(second.identity);
});

const SECRET = 'the-password-of-the-token-store';

test.each<[string, ActorSource]>([
  [
    'throws',
    () => {
      throw new Error(SECRET);
    },
  ],
  ['rejects', () => Promise.reject(new Error(SECRET))],
  ['rejects with a string', () => Promise.reject(SECRET)],
  [
    'throws a file system error',
    () => Promise.reject(Object.assign(new Error(SECRET), { code: 'ENOENT', path: SECRET })),
  ],
])('a source that %s is a failure that may pass, told without its words', async (_what, source) => {
  const error = await failureOf(createCache(source).cache.current());
  expect(error).toMatchObject({ code: 'actor_unavailable', failure: 'unavailable' });
  expectNoLeak(error, [SECRET]);
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['an empty string', ''],
  ['a number', 42],
  ['an empty object', {}],
  ['an empty token', securityToken('')],
  ['a token that is no string', { token: 42, type: 'urn:x' }],
  ['a token without a type', { token: 'x' }],
])('a source that gives %s gives no token', async (_what, given) => {
  const { cache } = createCache((async () => given) as ActorSource);
  expect(await failureOf(cache.current())).toMatchObject({
    code: 'actor_unavailable',
    failure: 'misconfigured',
  });
  expect(cache.identity).toBeUndefined();
});

test('what this package says of a failed source is kept: whether it may pass, and what the STS said', async () => {
  const from = (failure: 'denied' | 'unavailable') =>
    failureOf(
      createCache(() => {
        throw new OnbehalfError('sts_error', 'the STS said no', { failure, status: 429, retryAfterMs: 7000 });
      }).cache.current(),
    );
  expect(await from('unavailable')).toMatchObject({
    code: 'actor_unavailable',
    failure: 'unavailable',
    status: 429,
    retryAfterMs: 7000,
  });
  expect(await from('denied')).toMatchObject({ code: 'actor_unavailable', failure: 'misconfigured' });
});

test('a token that is doubted is asked for anew, and used as long as there is no other', async () => {
  let fail = false;
  let sub = 'agent';
  const state = createCache(() => {
    if (fail) throw new Error('not now');
    return lasting(600_000, { sub });
  });
  const first = await state.cache.current();
  state.clock.advance(10_000);
  state.cache.reject(first);
  expect(state.cache.stale).toBe(true);
  fail = true;
  expect(await state.cache.current()).toBe(first);
  expect(state.asked).toBe(2);
  // Not each time, and not for ever.
  expect(await state.cache.current()).toBe(first);
  expect(state.asked).toBe(2);
  state.clock.advance(10_000);
  state.cache.reject(first);
  fail = false;
  sub = 'robot';
  expect((await state.cache.current()).sub).toBe('robot');
  expect(state.asked).toBe(3);

  fail = true;
  state.clock.advance(600_000);
  expect(await failureOf(state.cache.current())).toMatchObject({ code: 'actor_unavailable' });
});

test('who leaves while a doubted token is asked for anew leaves with his own reason', async () => {
  const reason = new Error('the user has left');
  let hang = false;
  const state = createCache(() => (hang ? new Promise<string>(() => {}) : lasting(600_000)));
  const first = await state.cache.current();
  state.clock.advance(10_000);
  state.cache.reject(first);
  hang = true;
  const controller = new AbortController();
  const leaving = thrownBy(state.cache.current(controller.signal));
  controller.abort(reason);
  expect(await leaving).toBe(reason);
});

test('an actor token that has expired is refused, and the source is asked again next time', async () => {
  let token = lasting(0);
  const state = createCache(() => token);
  const error = await failureOf(state.cache.current());
  expect(error).toMatchObject({ code: 'actor_expired', failure: 'misconfigured' });
  expectNoLeak(error, [token]);
  token = lasting(60_000);
  expect((await state.cache.current()).sub).toBe('agent');
  expect(state.asked).toBe(2);
});

test('an actor token whose expiry is no time is refused', async () => {
  const error = await failureOf(createCache(() => fakeJwt({ sub: 'agent', exp: 'never' })).cache.current());
  expect(error).toMatchObject({ code: 'actor_expired', failure: 'misconfigured' });
});

test('a failure is not kept', async () => {
  let fail = true;
  const state = createCache(() => {
    if (fail) throw new Error('not now');
    return lasting(60_000);
  });
  await failureOf(state.cache.current());
  fail = false;
  await state.cache.current();
  expect(state.asked).toBe(2);
});

test('one who leaves does not take the source from the others; when all have left it is told', async () => {
  const reason = new Error('the user has left');
  const signals: (AbortSignal | undefined)[] = [];
  let give = (_token: string): void => {};
  const state = createCache(({ signal }) => {
    signals.push(signal);
    return new Promise<string>((resolve, reject) => {
      give = resolve;
      signal?.addEventListener('abort', () => reject(signal.reason));
    });
  });
  const [one, two] = [new AbortController(), new AbortController()];
  const leaving = thrownBy(state.cache.current(one.signal));
  const staying = state.cache.current(two.signal);
  one.abort(reason);
  expect(await leaving).toBe(reason);
  give(lasting(50_000));
  expect((await staying).sub).toBe('agent');

  state.clock.advance(60_000);
  const last = thrownBy(state.cache.current(two.signal));
  two.abort(reason);
  expect(await last).toBe(reason);
  expect(signals.map((signal) => signal?.aborted)).toEqual([false, true]);
});
