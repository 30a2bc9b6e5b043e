import { describe, expect, test } from 'vitest';
import type { Broker } from '../../src/broker/types.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import type { Clock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import type { Loopback } from '../support/loopback.ts';
import { subjectJwt } from '../support/sts.ts';

import { granting, MCP, payloadOf, REFUSED, SECRETS, startWorld, typed, type World } from './id-jag-world.ts';

describe('with an actor', () => {
  const acting = (sub: string, clock: Clock): string =>
    fakeJwt({ sub, iss: 'https://idp.example.com', exp: seconds(clock.now()) + 60 });

  test('the ID-JAG names it, and the access token is found again, and forgotten when it is rejected', async () => {
    const { idp, as, broker, target } = await startWorld({
      actor: () => fakeJwt({ sub: 'agent' }),
      refreshAhead: false,
    });
    const run = broker.begin({ subjectToken: subjectJwt('alice') });
    const token = await broker.token(run, target);
    for (let times = 0; times < 3; times++) expect(await broker.token(run, target)).toBe(token);
    expect(broker.peek(run, target)).toBe(token);
    expect(broker.reader(run, target)()).toBe(token);
    expect([idp.received.length, as.received.length]).toEqual([1, 1]);
    expect(payloadOf(as.received[0]?.form.get('assertion') ?? null).act).toEqual({ sub: 'agent' });
    // It is in the ID-JAG, so the second server is sent no actor.
    expect(as.received[0]?.form.has('actor_token')).toBe(false);
    broker.reject(run, target, token.accessToken);
    expect(broker.peek(run, target)).toBeUndefined();
    expect(broker.stats().entries).toBe(1);
  });

  test('another one has an ID-JAG and an access token of its own', async () => {
    let sub = 'agent';
    const world: World = await startWorld({ actor: () => acting(sub, world.clock), refreshAhead: false });
    const first = await world.token();
    sub = 'robot';
    world.clock.advance(60_000);
    const second = await world.token();
    // The actor is asked for when it is needed: what is kept for the last one seen is still good.
    expect([first, second].map((each) => world.exchanges.length > 0 && each.claims?.aud)).toEqual([
      [MCP],
      [MCP],
    ]);
    world.clock.advance(60_000);
    await world.token();
    const acts = world.as.received.map(({ form }) => payloadOf(form.get('assertion')).act);
    expect(acts[0]).toEqual({ sub: 'agent' });
    expect(acts.at(-1)).toEqual({ sub: 'robot' });
  });

  test('that becomes another one on the way leaves nothing of it to those who share a store', async () => {
    let sub = 'agent';
    let meanwhile: (() => Promise<unknown>) | undefined;
    const memory = createMemorySharedStore();
    const lease: typeof memory.lease = async (key, ttlMs) => {
      const act = meanwhile;
      meanwhile = undefined;
      await act?.();
      return memory.lease(key, ttlMs);
    };
    const world: World = await startWorld({
      actor: () => acting(sub, world.clock),
      ...{ store: { ...memory, lease }, storeTimeoutMs: 10_000, refreshAhead: false },
    });
    const { broker, target, clock, as } = world;
    const exp = seconds(clock.now()) + 3600;
    const run = broker.begin({ subjectToken: subjectJwt('alice', { exp }) });
    meanwhile = async () => {
      sub = 'robot';
      clock.advance(60_000);
      // It has the same ID-JAG, and another access token.
      await broker.token(run, { ...target, allowOpaqueIssued: true });
    };
    const error = await failureOf(broker.token(run, target));
    expect(error).toMatchObject({ code: 'actor_unavailable', failure: 'unavailable' });
    expect((await broker.token(run, target)).claims?.aud).toEqual([MCP]);
    const acts = as.received.map(({ form }) => payloadOf(form.get('assertion')).act);
    expect(acts).toEqual([{ sub: 'robot' }, { sub: 'robot' }]);
  });

  test('replicas share both steps', async () => {
    const store = createMemorySharedStore();
    const { idp, as, broker, replica, target } = await startWorld({
      actor: () => fakeJwt({ sub: 'agent' }),
      store,
    });
    const subjectToken = subjectJwt('alice');
    for (const each of [broker, replica(), replica()]) {
      const run = each.begin({ subjectToken });
      const token = await each.token(run, target);
      expect(await each.token(run, target)).toBe(token);
      expect(each.peek(run, target)).toBe(token);
    }
    expect([idp.received.length, as.received.length]).toEqual([1, 1]);
  });
});

test('two issuers at one endpoint have a token each', async () => {
  const { as, broker, target } = await startWorld();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const tokens = await Promise.all(
    ['tenant-1', 'tenant-2'].map((tenant) => {
      const issuer = `${as.origin}/${tenant}`;
      const authorizationServer = createTokenService({
        ...{ issuer, tokenEndpoint: `${as.origin}/token`, clientId: 'files-agent' },
      });
      return broker.token(run, { ...target, authorizationServer });
    }),
  );
  expect(tokens[0]?.accessToken).not.toBe(tokens[1]?.accessToken);
  const audiences = as.received.map(({ form }) => payloadOf(form.get('assertion')).aud);
  expect(audiences.sort()).toEqual([`${as.origin}/tenant-1`, `${as.origin}/tenant-2`]);
});

test('under run retention the end of the run takes the ID-JAG, too', async () => {
  const { broker, target } = await startWorld({ retention: 'run' });
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  await broker.token(run, target);
  expect(broker.stats().entries).toBe(2);
  broker.end(run);
  expect(broker.stats().entries).toBe(0);
});

test('both steps are told, each with where and as whom, and no token shows', async () => {
  const { clock, idp, as, token, exchanges, broker } = await startWorld({ refreshAhead: false });
  const first = await token();
  clock.advance(120_000);
  as.handle(REFUSED);
  await failureOf(token());
  const asked = (server: Loopback, clientId: string, profile: string, outcome: string) => ({
    ...{
      tokenEndpoint: `${server.origin}/token`,
      clientId,
      profile,
      outcome,
      sub: 'alice',
      resources: [MCP],
    },
  });
  expect(exchanges).toMatchObject([
    asked(idp, 'agent', 'rfc8693', 'issued'),
    asked(as, 'files-agent', 'id-jag', 'issued'),
    asked(as, 'files-agent', 'id-jag', 'failed'),
    asked(idp, 'agent', 'rfc8693', 'issued'),
    asked(as, 'files-agent', 'id-jag', 'failed'),
  ]);
  expect(new Set(exchanges.map(({ id }) => id)).size).toBe(5);
  expect(broker.stats()).toMatchObject({ exchanges: 5, failures: 2 });
  const assertions = as.received.map(({ form }) => form.get('assertion') ?? '');
  expectNoLeak(exchanges, [first.accessToken, ...assertions, ...Object.values(SECRETS)]);
});

test('a request is told as one, whatever it takes', async () => {
  const { clock, token, lookUps, broker } = await startWorld({ refreshAhead: false });
  await token();
  await token();
  clock.advance(120_000);
  await token();
  expect(lookUps).toEqual(['exchanged', 'hit', 'exchanged']);
  expect(broker.stats().hits).toBe(1);
});

test('the breaker of the resource’s authorization server is told, also when that needs no discovery', async () => {
  const { as, token, breakers } = await startWorld({}, { breaker: { failures: 1 } });
  await token('bob');
  as.handle((_request, response) => void response.writeHead(503).end());
  await failureOf(token());
  expect(breakers).toEqual([{ state: 'open', sts: as.origin }]);
});

describe('replicas that share a store', () => {
  /** A world with a store whose values a test may look at and change. */
  async function startShared() {
    const memory = createMemorySharedStore();
    const values = new Map<string, string>();
    const store = {
      ...memory,
      get: async (key: string) => values.get(key),
      set: async (key: string, value: string) => void values.set(key, value),
      delete: async (key: string, matches: (value: string) => boolean) => {
        if (matches(values.get(key) ?? '')) values.delete(key);
      },
    };
    const world = await startWorld({ store, refreshAhead: false });
    const subjectToken = subjectJwt('alice', { exp: seconds(world.clock.now()) + 36_000 });
    /** Which value is the ID-JAG's, and which the access token's. */
    const keyOf = (what: 'id-jag' | 'access_token'): string =>
      [...values].find(([, value]) => JSON.parse(value).issuedTokenType.endsWith(what))?.[0] ?? '';
    const put = (accessToken: string): void => {
      const key = keyOf('id-jag');
      values.set(key, JSON.stringify({ ...JSON.parse(values.get(key) ?? '{}'), accessToken }));
      values.delete(keyOf('access_token'));
    };
    return {
      ...{ ...world, values, keyOf, put },
      tokenOf: (broker: Broker) => broker.token(broker.begin({ subjectToken }), world.target),
    };
  }

  test('share both steps: neither is made twice', async () => {
    const { idp, as, broker, replica, tokenOf, values } = await startShared();
    const tokens = await Promise.all([broker, replica(), replica()].map(tokenOf));
    expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(1);
    expect([idp.received.length, as.received.length, values.size]).toEqual([1, 1, 2]);
  });

  test('share the ID-JAG, though the access token is gone', async () => {
    const { idp, as, broker, replica, tokenOf, values, keyOf } = await startShared();
    await tokenOf(broker);
    values.delete(keyOf('access_token'));
    await tokenOf(replica());
    expect([idp.received.length, as.received.length]).toEqual([1, 2]);
  });

  test('replace an ID-JAG that was refused for all of them', async () => {
    const { clock, as, idp, broker, replica, tokenOf, values, keyOf } = await startShared();
    await tokenOf(broker);
    const used = as.received[0]?.form.get('assertion');
    values.delete(keyOf('access_token'));
    as.handle((request, response) => {
      (request.form.get('assertion') === used ? REFUSED : granting(clock))(request, response);
    });
    await tokenOf(replica());
    expect([idp.received.length, as.received.length]).toEqual([2, 3]);
    values.delete(keyOf('access_token'));
    await tokenOf(replica());
    expect(as.received.map(({ form }) => form.get('assertion') === used)).toEqual([true, true, false, false]);
    expect(idp.received).toHaveLength(2);
  });

  test.each<[string, string, object]>([
    ['is of another type', 'at+jwt', {}],
    ['is for another user', 'oauth-id-jag+jwt', { sub: 'mallory' }],
    ['is for another server', 'oauth-id-jag+jwt', { aud: 'https://elsewhere.example.com' }],
    ['has expired', 'oauth-id-jag+jwt', { exp: 1 }],
  ])('send no ID-JAG from the store that %s', async (_what, typ, lie) => {
    const { clock, idp, as, broker, replica, tokenOf, put } = await startShared();
    await tokenOf(broker);
    const exp = seconds(clock.now()) + 300;
    const poison = typed(typ, { sub: 'alice', aud: as.origin, resource: MCP, exp, ...lie });
    put(poison);
    expect((await tokenOf(replica())).claims?.aud).toEqual([MCP]);
    expect(as.received.map(({ form }) => form.get('assertion'))).not.toContain(poison);
    expect(idp.received).toHaveLength(2);
  });
});
