import { expect, test } from 'vitest';
import { createActorCache } from '../../src/broker/actor-cache.ts';
import { createKeyring } from '../../src/broker/key.ts';
import type { ActorSource } from '../../src/core/actor.ts';
import { type JwtBearerOptions, jwtBearerActor } from '../../src/core/jwt-bearer-actor.ts';
import { type SecurityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { createProjectedVolume } from '../support/files.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { json, never } from '../support/loopback.ts';
import { AGENT, type PlainSts, serviceOf, startPlainSts } from '../support/sts.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const WORKLOAD = { iss: 'https://cluster.example.com', sub: 'system:serviceaccount:agents:one' };
const workload = (more: object = {}): string => fakeJwt({ ...WORKLOAD, ...more });

/** An STS that turns every assertion into the token `agent-token`. */
async function startGranting(more: object = {}): Promise<PlainSts> {
  const sts = await startPlainSts();
  sts.handle((_request, response) =>
    json(response, { access_token: 'agent-token', token_type: 'Bearer', ...more }),
  );
  return sts;
}

const ask = async (source: ActorSource): Promise<SecurityToken> => (await source({})) as SecurityToken;

test('the assertion goes to the token endpoint as a JWT bearer grant, and nothing else goes unasked', async () => {
  const sts = await startGranting({ expires_in: 90 });
  const assertion = workload();
  const token = await ask(jwtBearerActor(sts.service, { assertion }));
  expect(sts.received.map(({ method, path, form }) => [method, path, [...form]])).toEqual([
    [
      'POST',
      '/token',
      [
        ['assertion', assertion],
        ['grant_type', GRANT],
        ['client_id', 'agent'],
      ],
    ],
  ]);
  expect(sts.received[0]?.headers).toMatchObject({
    'content-type': expect.stringMatching(/^application\/x-www-form-urlencoded(;|$)/),
  });
  expect(sts.received[0]?.headers).not.toHaveProperty('authorization');
  expect(token.token).toBe('agent-token');
  expect(token).toMatchObject({ type: TOKEN_TYPE.accessToken, expiresInMs: 90_000 });
  expectNoLeak(token, ['agent-token', assertion]);
});

test('audience, resource and scope are asked for in their order', async () => {
  const sts = await startGranting();
  const assertion = workload();
  await ask(
    jwtBearerActor(sts.service, {
      assertion,
      audience: ['sts', 'calendar'],
      resource: 'https://mcp.example.com',
      scope: ['write', 'read'],
    }),
  );
  expect([...(sts.received[0]?.form ?? [])]).toEqual([
    ['assertion', assertion],
    ['resource', 'https://mcp.example.com'],
    ['audience', 'sts'],
    ['audience', 'calendar'],
    ['scope', 'read write'],
    ['grant_type', GRANT],
    ['client_id', 'agent'],
  ]);
});

test('the client authenticates as it is registered, beside the assertion', async () => {
  const sts = await startGranting();
  const service = serviceOf({ issuer: 'https://sts.example.com' }, { tokenEndpoint: `${sts.origin}/token` });
  await ask(jwtBearerActor(service, { assertion: workload() }));
  const basic = Buffer.from(`${AGENT.clientId}:agent-secret`).toString('base64');
  expect(sts.received[0]?.headers.authorization).toBe(`Basic ${basic}`);
});

test('a projected assertion that was replaced is seen with the next token', async () => {
  const sts = await startGranting();
  const [first, second] = [workload({ jti: '1' }), workload({ jti: '2' })];
  const volume = await createProjectedVolume({ token: `${first}\n` });
  const source = jwtBearerActor(sts.service, { assertion: { file: volume.path('token') } });
  await ask(source);
  await volume.project({ token: second });
  await ask(source);
  expect(sts.received.map(({ form }) => form.get('assertion'))).toEqual([first, second]);
});

test('a function is called for each token', async () => {
  const sts = await startGranting();
  let calls = 0;
  const source = jwtBearerActor(sts.service, { assertion: async () => workload({ jti: `${++calls}` }) });
  await ask(source);
  await ask(source);
  expect([calls, sts.received.length]).toEqual([2, 2]);
});

test('an assertion that the STS refuses is not sent again, and not repeated', async () => {
  const sts = await startPlainSts();
  const assertion = workload();
  sts.handle(({ form }, response) => {
    const description = `${form.get('assertion')} is over`;
    json(response, { error: 'invalid_grant', error_description: description }, { status: 400 });
  });
  const error = await failureOf(() => ask(jwtBearerActor(sts.service, { assertion })));
  expect(error).toMatchObject({
    ...{ code: 'sts_error', status: 400, oauthError: 'invalid_grant', retryable: false },
    message: 'the STS answered with status 400 (invalid_grant: [redacted] is over)',
  });
  expect(sts.received).toHaveLength(1);
  expectNoLeak(error, [assertion]);
});

test('an assertion that an error repeats escaped is not shown either, however short', async () => {
  const sts = await startPlainSts();
  // Too short to look like a token by itself.
  const assertion = 'e30.e30.c2ln';
  sts.handle((_request, response) =>
    json(response, { error: 'invalid_grant', error_description: 'got e30%2Ee30.c2ln' }, { status: 400 }),
  );
  const error = await failureOf(() => ask(jwtBearerActor(sts.service, { assertion })));
  expect(error.message).toBe('the STS answered with status 400 (invalid_grant: [redacted])');
});

test('for a broker, a refused assertion is a setting to change: nobody has to sign in again', async () => {
  const sts = await startPlainSts();
  sts.handle((_request, response) => json(response, { error: 'invalid_grant' }, { status: 400 }));
  const source = jwtBearerActor(sts.service, { assertion: workload() });
  const actor = createActorCache(source, createKeyring(), { now: Date.now, deadlineMs: 5_000 });
  expect(await failureOf(actor.current())).toMatchObject({
    ...{ code: 'actor_unavailable', failure: 'misconfigured', oauthError: 'invalid_grant' },
  });
});

test('an STS that cannot answer now is asked again with the same assertion', async () => {
  const sts = await startPlainSts();
  sts.handle((_request, response) => {
    if (sts.received.length === 1) json(response, {}, { status: 503 });
    else json(response, { access_token: 'agent-token', token_type: 'Bearer' });
  });
  const assertion = workload();
  expect((await ask(jwtBearerActor(sts.service, { assertion }))).token).toBe('agent-token');
  expect(sts.received.map(({ form }) => form.get('assertion'))).toEqual([assertion, assertion]);
});

test('a token of another type than bearer is refused', async () => {
  const sts = await startGranting({ token_type: 'DPoP' });
  const error = await failureOf(() => ask(jwtBearerActor(sts.service, { assertion: workload() })));
  expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured' });
});

const over = workload({ exp: seconds(Date.now()) - 60 });

test.each<[string, JwtBearerOptions['assertion'], 'unavailable' | 'misconfigured', string]>([
  ['is not there', { file: '/nowhere/token' }, 'unavailable', 'ENOENT'],
  ['is empty', () => '', 'unavailable', 'empty'],
  ['is cut off', () => workload().slice(0, 60), 'unavailable', 'no JWT'],
  ['is no text', (() => 5) as unknown as () => string, 'misconfigured', 'no string'],
  ['is over', () => over, 'unavailable', 'expired'],
  ['is over for good', over, 'misconfigured', 'expired'],
])('an assertion that %s is not sent', async (_what, assertion, failure, message) => {
  const sts = await startGranting();
  const error = await failureOf(() => ask(jwtBearerActor(sts.service, { assertion })));
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure });
  expect(error.message).toContain('"assertion"');
  expect(error.message).toContain(message);
  expect(sts.received).toEqual([]);
  expectNoLeak(error, [over]);
});

test('what a function throws is not passed on', async () => {
  const sts = await startGranting();
  const assertion = (): never => {
    throw new Error('a-fake-secret of the platform');
  };
  const error = await failureOf(() => ask(jwtBearerActor(sts.service, { assertion })));
  expect(error.code).toBe('client_auth_unavailable');
  expectNoLeak(error, ['a-fake-secret']);
});

test('a caller that leaves is obeyed, for its own reason', async () => {
  const sts = await startPlainSts();
  sts.handle(never);
  const controller = new AbortController();
  const source = jwtBearerActor(sts.service, { assertion: workload() });
  const asking = thrownBy(async () => source({ signal: controller.signal }));
  await sts.arrived(1);
  const reason = new Error('enough');
  controller.abort(reason);
  expect(await asking).toBe(reason);
});

test.each<[string, unknown, string]>([
  ['nothing', undefined, 'assertion'],
  ['no assertion', {}, '"assertion"'],
  ['an assertion that is no JWT', { assertion: 'a-fake-secret' }, '"assertion" must be a JWT'],
  ['an assertion of no form', { assertion: { path: 'x' } }, '"assertion"'],
  ['a resource that is no URI', { assertion: workload(), resource: 'x' }, '"resource"'],
  ['a misspelt option', { assertion: workload(), audiences: 'x' }, '"audiences"'],
])('with %s it is told when the source is made', async (_what, options, message) => {
  const { service } = await startGranting();
  const error = await thrownBy(() => jwtBearerActor(service, options as JwtBearerOptions));
  expect(error).toBeInstanceOf(TypeError);
  expect((error as TypeError).message).toContain(message);
  expectNoLeak(error, ['a-fake-secret']);
});

test('a token service that is none is told when the source is made', () => {
  expect(() => jwtBearerActor({} as never, { assertion: workload() })).toThrow('"tokenService"');
});
