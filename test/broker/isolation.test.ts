import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { type Check, type ResolvedTarget, resolveTarget, type Target } from '../../src/core/target.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { closedAtEnd, startBroker, startPlainBroker } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { always } from '../support/loopback.ts';
import { type Bend, granting, serviceOf, startPlainSts, startSts, subjectJwt } from '../support/sts.ts';

/** Answers with the type that was asked for, so that any type may be asked for. */
const asAsked: Bend = ({ form }) => ({
  response: { issued_token_type: form.get('requested_token_type') ?? TOKEN_TYPE.accessToken },
});

/** Made of what lists and lengths are written with, so that confusions are likely. */
const tricky = fc.oneof(
  fc.stringMatching(/^[ab:;1]{1,3}$/),
  fc.constantFrom('a', 'b', 'ab', 'a:1', '1:a', 'a b'),
);
const list = fc.array(tricky, { maxLength: 3 });
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });

const target: fc.Arbitrary<Target> = fc
  .record({
    audience: optional(list),
    resource: optional(fc.array(fc.constantFrom('urn:a', 'urn:b', 'urn:ab', 'urn:a:b'), { maxLength: 2 })),
    scope: optional(list),
    requestedTokenType: optional(fc.constantFrom(TOKEN_TYPE.jwt, TOKEN_TYPE.accessToken, 'urn:a')),
    profile: optional(fc.constant('rfc8693' as const)),
    allowOpaqueIssued: optional(fc.boolean()),
    unchecked: optional(fc.uniqueArray(fc.constantFrom<Check>('scope', 'actor', 'other_audiences'))),
  })
  .filter(
    ({ audience = [], resource = [], scope = [] }) => audience.length + resource.length + scope.length > 0,
  );

const SUBJECTS = [subjectJwt('alice'), subjectJwt('alice'), subjectJwt('bob')];

const request = fc.record({
  target,
  subjectToken: fc.constantFrom(...SUBJECTS),
  subjectTokenType: fc.constantFrom(TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt),
  session: fc.constantFrom('one', 'two', 'on'),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

const spelt = (value: ResolvedTarget): string =>
  JSON.stringify([
    ...[value.audiences, value.resources, value.scopes, value.requestedTokenType ?? null],
    ...[value.allowOpaqueIssued, value.unchecked],
  ]);

const sharing = (one: Request, two: Request, retention: 'run' | 'subject'): boolean =>
  one.subjectToken === two.subjectToken &&
  one.subjectTokenType === two.subjectTokenType &&
  (retention === 'subject' || one.session === two.session) &&
  spelt(resolveTarget(one.target)) === spelt(resolveTarget(two.target));

test.each(['run', 'subject'] as const)(
  'under %s retention two requests share a token if they are the same, and only then',
  async (retention) => {
    const { broker } = await startPlainBroker({ retention }, asAsked);
    await fc.assert(
      fc.asyncProperty(
        // The second request is often a small change of the first.
        fc.tuple(
          request,
          request,
          fc.subarray(['target', 'subjectToken', 'subjectTokenType', 'session'] as const),
        ),
        fc.boolean(),
        async ([one, other, changed], together) => {
          const two = { ...one, ...Object.fromEntries(changed.map((name) => [name, other[name]])) };
          const begin = ({ target: _target, ...run }: Request) => broker.begin(run);
          const runs = [begin(one), begin(two)] as const;
          const asking = broker.token(runs[0], one.target);
          if (!together) await asking;
          const [first, second] = await Promise.all([asking, broker.token(runs[1], two.target)]);
          expect(first.accessToken === second.accessToken).toBe(sharing(one, two, retention));
          for (const run of runs) broker.end(run);
        },
      ),
      { numRuns: 120 },
    );
  },
);

test('a list of audiences is not the same as one that reads like it', async () => {
  const { broker, sts } = await startPlainBroker({}, asAsked);
  const run = broker.begin({ subjectToken: SUBJECTS[0] });
  const targets: (Target | string)[] = [
    { audience: ['a', 'b'] },
    { audience: ['b', 'a'] },
    { audience: ['a', 'a'] },
    'a',
    'ab',
    'a b',
    'a,b',
    'a:1',
    'a1:b',
    '1:a1:b',
    { audience: 'a', scope: 'b' },
    { scope: 'a b' },
    { scope: 'ab' },
    { resource: 'urn:a' },
    { audience: 'urn:a' },
    { scope: 'urn:a' },
    { audience: 'a', resource: 'urn:a' },
    { audience: 'a', requestedTokenType: TOKEN_TYPE.jwt },
    { audience: 'a', requestedTokenType: TOKEN_TYPE.accessToken },
    { audience: 'a', allowOpaqueIssued: true },
    { audience: 'a', unchecked: ['audience'] },
    { audience: 'a', unchecked: ['audience', 'scope'] },
    { audience: 'a', unchecked: ['audience'], allowOpaqueIssued: true },
  ];
  const tokens = await Promise.all(targets.map((each) => broker.token(run, each)));
  expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(targets.length);
  expect(sts.exchanges).toBe(targets.length);
});

test('the same target is the same, however it was written', async () => {
  const { broker, sts } = await startPlainBroker();
  const run = broker.begin({ subjectToken: SUBJECTS[0] });
  const targets: Target[] = [
    { audience: 'a', scope: 'read write' },
    { audience: ['a'], scope: ['write', 'read'] },
    { audience: ['a'], scope: 'write  read read', resource: [] },
    resolveTarget({ audience: 'a', scope: 'read write' }) as Target,
    { audience: 'a', scope: 'read write', profile: 'rfc8693' },
    { audience: 'a', scope: 'read write', allowOpaqueIssued: false, unchecked: [] },
  ];
  const tokens = await Promise.all(targets.map((each) => broker.token(run, each)));
  expect(new Set(tokens).size).toBe(1);
  expect(sts.exchanges).toBe(1);
});

test('brokers that differ in tenant, generation, client or endpoint share nothing', async () => {
  const [one, other] = [await startPlainSts(), await startPlainSts(undefined, { clientId: 'robot' })];
  const brokers = [
    createBroker({ tokenService: one.service }),
    createBroker({ tokenService: one.service, tenant: 'acme' }),
    createBroker({ tokenService: one.service, generation: '2' }),
    createBroker({ tokenService: other.service }),
  ].map(closedAtEnd);
  const tokens = await Promise.all(
    brokers.map((broker) => broker.token(broker.begin({ subjectToken: SUBJECTS[0] }), 'calendar')),
  );
  expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(4);
});

test('many users in one session at once each get a token of their own', async () => {
  const users = Array.from({ length: 25 }, (_, index) => ({ sub: `user-${index}` }));
  const sts = await startSts({ users });
  const broker = closedAtEnd(createBroker({ tokenService: serviceOf(sts) }));
  const outcomes = await Promise.all(
    users.map(async ({ sub }) => {
      const subjectToken = await sts.mintSubjectToken({ sub, audience: 'agent' });
      const run = broker.begin({ subjectToken, session: 'shared' });
      const tokens = await Promise.all([broker.token(run, 'calendar'), broker.token(run, 'files')]);
      return { sub, tokens };
    }),
  );
  for (const { sub, tokens } of outcomes) {
    expect(tokens.map(({ claims }) => [claims?.sub, claims?.aud])).toEqual([
      [sub, ['calendar']],
      [sub, ['files']],
    ]);
  }
  expect(sts.exchanges).toHaveLength(50);
});

test('an actor is asked for once by two sessions, and again when its token is about to expire', async () => {
  const clock = createClock();
  let asked = 0;
  const { broker, sts } = await startPlainBroker({
    now: clock.now,
    actor: async () => {
      asked += 1;
      return fakeJwt({ sub: 'agent', exp: seconds(clock.now()) + 100, serial: asked });
    },
  });
  const exp = seconds(clock.now()) + 3600;
  const runs = ['one', 'two'].map((session) =>
    broker.begin({ subjectToken: subjectJwt('alice', { exp }), session }),
  );
  const tokens = await Promise.all(runs.map((run) => broker.token(run, 'calendar')));
  expect(tokens.map(({ claims }) => claims?.act)).toEqual(['agent', 'agent']);
  expect(asked).toBe(1);
  clock.advance(91_000);
  await Promise.all(runs.map((run) => broker.token(run, 'files')));
  expect(asked).toBe(2);
  const sent = new Set(sts.received.map(({ form }) => form.get('actor_token')));
  expect(sent.size).toBe(2);
  // A rotated token of the same actor is no miss.
  expect(runs.map((run) => broker.peek(run, 'calendar'))).toEqual(tokens);
});

test('another actor never gets the tokens of the first', async () => {
  const clock = createClock();
  let sub = 'agent';
  const { broker, sts } = await startPlainBroker({
    now: clock.now,
    actor: () => fakeJwt({ iss: 'https://idp.example.com', sub, exp: seconds(clock.now()) + 60 }),
  });
  const run = broker.begin({ subjectToken: subjectJwt('alice', { exp: seconds(clock.now()) + 3600 }) });
  const first = await broker.token(run, 'calendar');
  sub = 'robot';
  clock.advance(60_000);
  expect((await broker.token(run, 'files')).claims?.act).toBe('robot');
  expect(broker.peek(run, 'calendar')).toBeUndefined();
  const second = await broker.token(run, 'calendar');
  expect([first.claims?.act, second.claims?.act]).toEqual(['agent', 'robot']);
  expect(sts.exchanges).toBe(3);
  broker.end(run);
  expect(broker.stats().entries).toBe(0);
});

test('an actor that changes while it is asked for is the one the token is kept for', async () => {
  const clock = createClock();
  let sub = 'agent';
  const { broker } = await startPlainBroker({
    now: clock.now,
    actor: () => fakeJwt({ sub, exp: seconds(clock.now()) + 60 }),
  });
  const run = broker.begin({ subjectToken: subjectJwt('alice', { exp: seconds(clock.now()) + 3600 }) });
  await broker.token(run, 'files');
  sub = 'robot';
  clock.advance(60_000);
  const token = await broker.token(run, 'calendar');
  expect(token.claims?.act).toBe('robot');
  expect(broker.peek(run, 'calendar')).toBe(token);
  sub = 'agent';
  clock.advance(60_000);
  await broker.token(run, 'notes');
  expect(broker.peek(run, 'calendar')).toBeUndefined();
});

test('an answer that comes when another actor has taken over is not kept for that one', async () => {
  const clock = createClock();
  let sub = 'agent';
  const { broker, sts } = await startPlainBroker({
    now: clock.now,
    actor: () => fakeJwt({ sub, exp: seconds(clock.now()) + 60 }),
  });
  const run = broker.begin({ subjectToken: subjectJwt('alice', { exp: seconds(clock.now()) + 3600 }) });
  const held: (() => void)[] = [];
  sts.handle((request, response) => void held.push(() => granting()(request, response)));
  const slow = broker.token(run, 'calendar');
  await sts.arrived(1);
  sub = 'robot';
  clock.advance(60_000);
  sts.handle(granting());
  expect((await broker.token(run, 'files')).claims?.act).toBe('robot');
  held[0]?.();
  expect((await slow).claims?.act).toBe('agent');
  expect(broker.peek(run, 'calendar')).toBeUndefined();
  expect((await broker.token(run, 'calendar')).claims?.act).toBe('robot');
  broker.end(run);
  expect(broker.stats().entries).toBe(0);
});

test('without an actor token there is no exchange, and the reason is told without the words of the source', async () => {
  let fail = true;
  const { broker, sts } = await startPlainBroker({
    actor: async () => {
      if (fail) throw new Error('ENOENT /var/run/secrets/tokens/s3cret');
      return fakeJwt({ sub: 'agent' });
    },
  });
  const run = broker.begin({ subjectToken: SUBJECTS[0] });
  const error = await failureOf(broker.token(run, 'calendar'));
  expect(error).toMatchObject({ code: 'actor_unavailable', failure: 'unavailable' });
  expect(error.message).not.toContain('s3cret');
  expect(sts.received).toEqual([]);
  fail = false;
  expect((await broker.token(run, 'calendar')).claims?.act).toBe('agent');
});

test('one user whose token is refused takes the actor’s token from nobody', async () => {
  const clock = createClock();
  let fail = false;
  const { broker, sts } = await startPlainBroker({
    now: clock.now,
    actor: () => {
      if (fail) throw new Error('the source is down');
      return fakeJwt({ sub: 'agent', exp: seconds(clock.now()) + 3600 });
    },
  });
  const [alice, mallory] = ['alice', 'mallory'].map((sub) => broker.begin({ subjectToken: subjectJwt(sub) }));
  if (!alice || !mallory) throw new Error('unreachable');
  await broker.token(alice, 'files');
  clock.advance(10_000);
  sts.handle(always({ error: 'invalid_grant' }, { status: 400 }));
  await failureOf(broker.token(mallory, 'files'));
  sts.handle(granting());
  fail = true;
  expect((await broker.token(alice, 'calendar')).claims?.act).toBe('agent');
});

test('an actor token that has expired is refused, and there is no exchange', async () => {
  const { broker, sts } = await startPlainBroker({ actor: () => fakeJwt({ sub: 'agent', exp: 1 }) });
  const run = broker.begin({ subjectToken: SUBJECTS[0] });
  expect((await failureOf(broker.token(run, 'calendar'))).code).toBe('actor_expired');
  expect(sts.received).toEqual([]);
});

test('an actor whose credentials are refused is a matter of configuration, not of the user', async () => {
  const sts = await startSts();
  const tokenService = serviceOf(sts);
  const wrong = serviceOf(sts, {
    clientAuth: { method: 'client_secret_basic', clientSecret: 'wrong-secret' },
  });
  const broker = closedAtEnd(createBroker({ tokenService, actor: clientCredentialsActor(wrong) }));
  const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
  const error = await failureOf(broker.token(broker.begin({ subjectToken }), 'calendar'));
  expect(error).toMatchObject({
    code: 'actor_unavailable',
    failure: 'misconfigured',
    oauthError: 'invalid_client',
    status: 401,
  });
  expect(sts.exchanges).toEqual([]);
});

test('a real authorization server names the actor in every token', async () => {
  const sts = await startSts();
  const tokenService = serviceOf(sts);
  const broker = closedAtEnd(createBroker({ tokenService, actor: clientCredentialsActor(tokenService) }));
  const { broker: impersonating, begin } = await startBroker();
  const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
  const run = broker.begin({ subjectToken });
  const tokens = await Promise.all(['calendar', 'files'].map((audience) => broker.token(run, audience)));
  expect(tokens.map(({ claims }) => claims?.act)).toEqual(['agent', 'agent']);
  expect((await impersonating.token(begin('alice'), 'calendar')).claims?.act).toBeUndefined();
});
