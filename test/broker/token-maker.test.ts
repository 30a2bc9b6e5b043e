import { describe, expect, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { BreakerEvent, ExchangeEvent, LookUpEvent } from '../../src/broker/observer.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import type { Target } from '../../src/core/target.ts';
import { createTokenService, type TokenServiceOptions } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import { closedAtEnd } from '../support/broker.ts';
import { type Clock, createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, type Handler, json, type Loopback, startLoopback } from '../support/loopback.ts';
import { subjectJwt } from '../support/sts.ts';

const MCP = 'https://mcp.example.com/files';
const REFUSED = always({ error: 'invalid_grant' }, { status: 400 });

const typed = (typ: string, claims: object): string => {
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ })).toString('base64url');
  return fakeJwt(claims as Record<string, unknown>).replace(/^[^.]+/, header);
};
const payloadOf = (token: string | null): Record<string, unknown> =>
  JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString());

/** The user's identity provider: an ID-JAG for whoever is asked for. */
const asserting =
  (clock: Clock, typ = 'oauth-id-jag+jwt'): Handler =>
  ({ form }, response) => {
    const { sub } = payloadOf(form.get('subject_token'));
    const act = form.has('actor_token') ? { sub: payloadOf(form.get('actor_token')).sub } : undefined;
    const [resource, scope] = [form.get('resource'), form.get('scope') ?? undefined];
    const exp = seconds(clock.now()) + 300;
    const assertion = typed(typ, {
      sub,
      aud: form.get('audience'),
      client_id: 'files-agent',
      act,
      resource,
      scope,
      exp,
    });
    const issued_token_type = form.get('requested_token_type');
    json(response, { access_token: assertion, issued_token_type, token_type: 'N_A', expires_in: 300 });
  };

/** The authorization server of a resource: an access token for what stands in the ID-JAG. */
const granting =
  (clock: Clock): Handler =>
  ({ form }, response) => {
    const { resource, scope } = payloadOf(form.get('assertion'));
    const exp = seconds(clock.now()) + 120;
    // It calls the user by a name of its own.
    const access_token = fakeJwt({ sub: 'user-17', aud: resource, scope, exp });
    json(response, { access_token, token_type: 'Bearer', expires_in: 120 });
  };

interface World {
  readonly clock: Clock;
  readonly idp: Loopback;
  readonly as: Loopback;
  readonly authorizationServer: TokenService;
  readonly broker: Broker;
  readonly target: Target;
  readonly exchanges: ExchangeEvent[];
  readonly lookUps: LookUpEvent['result'][];
  readonly breakers: BreakerEvent[];
  /** Another process with the same settings. */
  replica(): Broker;
  token(sub?: string): ReturnType<Broker['token']>;
}

const SECRETS = { idp: 'secret-of-the-agent-at-the-idp', as: 'secret-of-the-agent-at-files' } as const;

/** A broker, an identity provider and the authorization server of a resource. */
async function startWorld(
  options: Partial<BrokerOptions> = {},
  service: Partial<TokenServiceOptions> = {},
): Promise<World> {
  const clock = createClock();
  const [idp, as] = [await startLoopback(asserting(clock)), await startLoopback(granting(clock))];
  const at = (server: Loopback, clientId: string, clientSecret: string): TokenService =>
    createTokenService({
      ...{ issuer: server.origin, tokenEndpoint: `${server.origin}/token`, clientId },
      clientAuth: { method: 'client_secret_post', clientSecret },
      retry: { attempts: 1 },
      ...service,
    });
  const authorizationServer = at(as, 'files-agent', SECRETS.as);
  const exchanges: ExchangeEvent[] = [];
  const lookUps: LookUpEvent['result'][] = [];
  const breakers: BreakerEvent[] = [];
  const replica = (): Broker =>
    closedAtEnd(
      createBroker({
        tokenService: at(idp, 'agent', SECRETS.idp),
        retention: 'subject',
        now: clock.now,
        observer: {
          exchange: (event) => void exchanges.push(event),
          lookUp: ({ result }) => void lookUps.push(result),
          breaker: (event) => void breakers.push(event),
        },
        ...options,
      }),
    );
  const broker = replica();
  const target: Target = { resource: MCP, profile: 'id-jag', authorizationServer };
  const exp = seconds(clock.now()) + 36_000;
  const subjects = new Map(['alice', 'bob'].map((sub) => [sub, subjectJwt(sub, { exp })]));
  return {
    ...{ clock, idp, as, authorizationServer, broker, target, exchanges, lookUps, breakers, replica },
    token: (sub = 'alice') => broker.token(broker.begin({ subjectToken: subjects.get(sub) }), target),
  };
}

test('an access token of the resource’s authorization server is made in two steps', async () => {
  const { idp, as, broker, target } = await startWorld();
  const subjectToken = subjectJwt('alice');
  const run = broker.begin({ subjectToken });
  const token = await broker.token(run, { ...target, scope: 'read' });
  expect(token.claims).toMatchObject({ sub: 'user-17', aud: [MCP], scope: 'read' });
  expect([...(idp.received[0]?.form ?? [])].sort()).toEqual(
    [
      ['grant_type', TOKEN_EXCHANGE_GRANT],
      ['requested_token_type', TOKEN_TYPE.idJag],
      ['audience', as.origin],
      ['resource', MCP],
      ['scope', 'read'],
      ['subject_token', subjectToken],
      ['subject_token_type', TOKEN_TYPE.accessToken],
      ['client_id', 'agent'],
      ['client_secret', SECRETS.idp],
    ].sort(),
  );
  const assertion = as.received[0]?.form.get('assertion') ?? null;
  expect(payloadOf(assertion)).toMatchObject({ sub: 'alice', aud: as.origin, resource: MCP });
  expect([...(as.received[0]?.form ?? [])].sort()).toEqual(
    [
      ['grant_type', JWT_BEARER_GRANT],
      ['assertion', assertion],
      ['client_id', 'files-agent'],
      ['client_secret', SECRETS.as],
    ].sort(),
  );
  expect([idp.received.length, as.received.length]).toEqual([1, 1]);
});

test('each server is sent what is for it, and nothing that is for the other', async () => {
  const { idp, as, broker, target, token } = await startWorld();
  const other = await startLoopback(granting(createClock()));
  const authorizationServer = createTokenService({
    ...{ issuer: other.origin, tokenEndpoint: `${other.origin}/token`, clientId: 'notes-agent' },
  });
  const subjectToken = subjectJwt('alice');
  const run = broker.begin({ subjectToken });
  const notes = 'https://mcp.example.com/notes';
  await Promise.all([
    token(),
    broker.token(run, target),
    broker.token(run, { ...target, resource: notes, authorizationServer }),
    broker.token(run, 'calendar').catch(() => {}),
  ]);
  for (const { body } of [...as.received, ...other.received]) {
    expect(body).not.toContain(subjectToken);
    expect(body).not.toContain(SECRETS.idp);
  }
  for (const { form } of as.received) expect(payloadOf(form.get('assertion')).aud).toBe(as.origin);
  expect(other.received).toHaveLength(1);
  for (const { form, body } of other.received) {
    expect(payloadOf(form.get('assertion')).aud).toBe(other.origin);
    expect(body).not.toContain(SECRETS.as);
  }
  for (const { body } of idp.received) {
    expect(body).not.toContain(SECRETS.as);
    expect(body).not.toContain('assertion=');
  }
});

test('servers that stand for one resource, or one server and two clients, have a token each', async () => {
  const { clock, as, broker, target, authorizationServer } = await startWorld();
  const other = await startLoopback(granting(clock));
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const service = (server: Loopback, clientId: string): TokenService =>
    createTokenService({ issuer: as.origin, tokenEndpoint: `${server.origin}/token`, clientId });
  const servers = [authorizationServer, service(other, 'files-agent'), service(as, 'another-agent')];
  const tokens = await Promise.all(
    servers.map((each) => broker.token(run, { ...target, authorizationServer: each })),
  );
  expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(3);
  expect([as.received.length, other.received.length]).toEqual([2, 1]);
});

test('the ID-JAG and the access token are kept on their own: one ID-JAG makes many access tokens', async () => {
  const { clock, idp, as, token } = await startWorld({ refreshAhead: false });
  const first = await token();
  expect(await token()).toBe(first);
  expect([idp.received.length, as.received.length]).toEqual([1, 1]);
  clock.advance(120_000);
  const second = await token();
  expect(second.accessToken).not.toBe(first.accessToken);
  expect([idp.received.length, as.received.length]).toEqual([1, 2]);
  const assertions = as.received.map(({ form }) => form.get('assertion'));
  expect(assertions[1]).toBe(assertions[0]);
  // The ID-JAG lasts five minutes, and no longer.
  clock.advance(180_000);
  await token();
  expect([idp.received.length, as.received.length]).toEqual([2, 3]);
});

test('an access token that the resource refused is made anew from the same ID-JAG', async () => {
  const { idp, as, broker, target } = await startWorld();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const first = await broker.token(run, target);
  broker.reject(run, target, first.accessToken);
  expect(await broker.token(run, target)).not.toBe(first);
  expect([idp.received.length, as.received.length]).toEqual([1, 2]);
});

test('many who ask at once make one of each', async () => {
  const { idp, as, token } = await startWorld();
  const tokens = await Promise.all(Array.from({ length: 20 }, () => token()));
  expect(new Set(tokens).size).toBe(1);
  expect([idp.received.length, as.received.length]).toEqual([1, 1]);
});

test('users share neither the ID-JAG nor the access token', async () => {
  const { idp, as, token } = await startWorld();
  const [alice, bob] = await Promise.all([token('alice'), token('bob')]);
  expect(alice.accessToken).not.toBe(bob.accessToken);
  expect([idp.received.length, as.received.length]).toEqual([2, 2]);
  const subjects = as.received.map(({ form }) => payloadOf(form.get('assertion')).sub);
  expect(subjects.sort()).toEqual(['alice', 'bob']);
});

test('a kept ID-JAG that is refused is replaced by a fresh one, once, and the access token comes from that', async () => {
  const { clock, idp, as, token } = await startWorld({ refreshAhead: false });
  await token();
  clock.advance(120_000);
  // It takes an ID-JAG once only.
  const used = as.received[0]?.form.get('assertion');
  as.handle((request, response) => {
    (request.form.get('assertion') === used ? REFUSED : granting(clock))(request, response);
  });
  expect((await token()).claims?.aud).toEqual([MCP]);
  expect([idp.received.length, as.received.length]).toEqual([2, 3]);
  const assertions = as.received.map(({ form }) => form.get('assertion'));
  expect(assertions[1]).toBe(used);
  expect(assertions[2]).not.toBe(used);
});

test('when the fresh ID-JAG is refused too, that is the answer; nothing is tried a third time', async () => {
  const { clock, idp, as, token } = await startWorld({ refreshAhead: false });
  await token();
  clock.advance(120_000);
  as.handle(REFUSED);
  expect(await failureOf(token())).toMatchObject({ code: 'sts_error', oauthError: 'invalid_grant' });
  expect([idp.received.length, as.received.length]).toEqual([2, 3]);
});

test('a kept ID-JAG that was refused is not sent again, though there was no fresh one then', async () => {
  const { clock, idp, as, token } = await startWorld({ refreshAhead: false });
  await token();
  clock.advance(120_000);
  const used = as.received[0]?.form.get('assertion');
  as.handle((request, response) => {
    (request.form.get('assertion') === used ? REFUSED : granting(clock))(request, response);
  });
  idp.handle((_request, response) => void response.writeHead(503).end());
  expect(await failureOf(token())).toMatchObject({ status: 503 });
  idp.handle(asserting(clock));
  await token();
  const sent = as.received.map(({ form }) => form.get('assertion') === used);
  expect(sent).toEqual([true, true, false]);
});

test('an ID-JAG that was just made and is refused is not made again', async () => {
  const { idp, as, token } = await startWorld();
  as.handle(REFUSED);
  expect(await failureOf(token())).toMatchObject({
    code: 'sts_error',
    oauthError: 'invalid_grant',
    failure: 'reauthentication_required',
  });
  expect([idp.received.length, as.received.length]).toEqual([1, 1]);
});

test.each(['invalid_client', 'invalid_scope', 'temporarily_unavailable'])(
  'a kept ID-JAG stays when the authorization server answers %s',
  async (error) => {
    const { clock, idp, as, token } = await startWorld({ refreshAhead: false, refusalTtlMs: 0 });
    await token();
    clock.advance(120_000);
    as.handle(always({ error }, { status: 400 }));
    expect(await failureOf(token())).toMatchObject({ oauthError: error });
    as.handle(granting(clock));
    await token();
    expect([idp.received.length, as.received.length]).toEqual([1, 3]);
  },
);

test.each(['at+jwt', 'JWT', 'oauth-id-jag', ''])(
  'what the provider gives with the type %j is no ID-JAG: it is sent nowhere and not kept',
  async (typ) => {
    const { clock, idp, as, token } = await startWorld();
    idp.handle(asserting(clock, typ));
    const error = await failureOf(token());
    expect(error).toMatchObject({ code: 'issued_token_rejected', failure: 'misconfigured' });
    expect(as.received).toEqual([]);
    // Once the provider is set right, nothing of it is left.
    idp.handle(asserting(clock));
    clock.advance(60_000);
    expect((await token()).claims?.aud).toEqual([MCP]);
  },
);

test('an ID-JAG for another user, or for another server, is sent nowhere', async () => {
  for (const lie of [{ sub: 'mallory' }, { aud: 'https://elsewhere.example.com' }]) {
    const { clock, idp, as, token } = await startWorld();
    idp.handle(({ form }, response) => {
      const { sub } = payloadOf(form.get('subject_token'));
      const claims = { sub, aud: form.get('audience'), exp: seconds(clock.now()) + 300, ...lie };
      const access_token = typed('oauth-id-jag+jwt', claims);
      json(response, { access_token, issued_token_type: TOKEN_TYPE.idJag, token_type: 'N_A' });
    });
    expect((await failureOf(token())).code).toBe('issued_token_rejected');
    expect(as.received).toEqual([]);
  }
});

test('an access token for another resource is refused', async () => {
  const { clock, as, token } = await startWorld();
  as.handle((_request, response) => {
    const access_token = fakeJwt({
      sub: 'user-17',
      aud: 'https://else.example.com',
      exp: seconds(clock.now()) + 60,
    });
    json(response, { access_token, token_type: 'Bearer' });
  });
  expect((await failureOf(token())).code).toBe('issued_token_rejected');
});

test('an authorization server of which nobody knows the issuer is asked for nothing', async () => {
  const { idp, as, broker } = await startWorld();
  const authorizationServer = createTokenService({
    tokenEndpoint: `${as.origin}/token`,
    clientId: 'files-agent',
  });
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const target: Target = { resource: MCP, profile: 'id-jag', authorizationServer };
  expect((await failureOf(broker.token(run, target))).code).toBe('exchange_unsupported');
  expect([...idp.received, ...as.received]).toEqual([]);
  // It may be named as audience.
  expect((await broker.token(run, { ...target, audience: as.origin })).claims?.aud).toEqual([MCP]);
});

test('an authorization server is discovered first, and its issuer is the audience', async () => {
  const { clock, idp, as, broker } = await startWorld();
  as.handle((request, response) => {
    const metadata = { issuer: as.origin, token_endpoint: `${as.origin}/oauth/token` };
    if (request.method === 'GET') json(response, metadata);
    else granting(clock)(request, response);
  });
  const authorizationServer = createTokenService({ issuer: as.origin, clientId: 'files-agent' });
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const target: Target = { resource: MCP, profile: 'id-jag', authorizationServer };
  expect(broker.peek(run, target)).toBeUndefined();
  const token = await broker.token(run, target);
  expect(broker.peek(run, target)).toBe(token);
  expect(idp.received[0]?.form.get('audience')).toBe(as.origin);
  expect(as.received.map(({ method, form }) => [method, form.has('assertion')])).toEqual([
    ['GET', false],
    ['POST', true],
  ]);
  expect(as.received[1]?.path).toBe('/oauth/token');
});

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
