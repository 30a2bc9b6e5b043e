import { generateKeyPair } from 'jose';
import { afterEach, expect, test, vi } from 'vitest';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import type { ClientAuth } from '../../src/core/client-authentication.ts';
import type { ErrorAnswer } from '../../src/core/dialect.ts';
import type { OnbehalfError } from '../../src/core/errors.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, type Handler, json, type Received } from '../support/loopback.ts';
import { AGENT, type PlainSts, serviceOf, startPlainSts, startSts, subjectJwt } from '../support/sts.ts';

afterEach(() => {
  vi.useRealTimers();
});

const failedExchange = async (
  service: TokenService,
  { subject = subjectJwt('alice'), actor, ...target }: Target & { subject?: string; actor?: string } = {},
): Promise<OnbehalfError> => {
  const parameters = {
    subject: securityToken(subject),
    actor: actor === undefined ? undefined : securityToken(actor),
    target: resolveTarget({ audience: 'calendar', ...target }),
  };
  const response = await exchangeRequest(service, parameters);
  return failureOf(processExchangeResponse(service, response, parameters));
};

async function failing(handler: Handler, clientAuth?: ClientAuth): Promise<PlainSts> {
  const sts = await startPlainSts(undefined, { clientAuth, retry: { attempts: 1 } });
  sts.handle(handler);
  return sts;
}

test.each<[string, number, OnbehalfError['failure']]>([
  ['invalid_grant', 400, 'reauthentication_required'],
  ['login_required', 400, 'reauthentication_required'],
  ['interaction_required', 400, 'reauthentication_required'],
  ['consent_required', 400, 'consent_required'],
  ['invalid_client', 401, 'misconfigured'],
  ['unauthorized_client', 400, 'misconfigured'],
  ['unsupported_grant_type', 400, 'misconfigured'],
  ['invalid_request', 400, 'denied'],
  ['invalid_target', 400, 'denied'],
  ['invalid_scope', 400, 'denied'],
  ['access_denied', 403, 'denied'],
  ['something_new', 400, 'denied'],
  ['constructor', 400, 'denied'],
  ['__proto__', 400, 'denied'],
  ['temporarily_unavailable', 400, 'unavailable'],
  ['server_error', 400, 'unavailable'],
  ['invalid_grant', 500, 'unavailable'],
  ['invalid_grant', 429, 'unavailable'],
])('%s with status %i is a failure of the class %s', async (oauthError, status, failure) => {
  const sts = await failing(
    always(JSON.parse(`{"error":"${oauthError}","error_description":"because"}`), { status }),
  );
  const error = await failedExchange(sts.service);
  expect(error).toMatchObject({ code: 'sts_error', failure, oauthError, status });
  expect(error.retryable).toBe(failure === 'unavailable');
  expect(error.message).toContain(`status ${status} (${oauthError}: because)`);
});

test.each<[string, Target, object]>([
  [
    'an audience that it does not grant',
    { audience: 'payroll' },
    { oauthError: 'invalid_target', failure: 'denied' },
  ],
  ['a scope that it does not grant', { scope: 'admin' }, { oauthError: 'invalid_scope', failure: 'denied' }],
])('a real authorization server refuses %s', async (_what, target, expected) => {
  const sts = await startSts();
  const subject = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId });
  expect(await failedExchange(serviceOf(sts), { ...target, subject })).toMatchObject({
    code: 'sts_error',
    status: 400,
    ...expected,
  });
});

test.each<[number, string, object]>([
  [500, 'sts_error', { failure: 'unavailable' }],
  [502, 'sts_error', { failure: 'unavailable' }],
  [503, 'sts_error', { failure: 'unavailable' }],
  [429, 'sts_error', { failure: 'unavailable' }],
  [400, 'sts_invalid_response', { failure: 'misconfigured' }],
  [404, 'sts_invalid_response', { failure: 'misconfigured' }],
])('status %i with a body that says nothing is %s', async (status, code, expected) => {
  for (const body of ['', '<html>', '[]', 'null', '{}', '{"error":5}', '"invalid_grant"']) {
    const sts = await failing((_request, response) => void response.writeHead(status).end(body));
    const error = await failedExchange(sts.service);
    expect(error).toMatchObject({ code, status, ...expected });
    expect(error.oauthError).toBeUndefined();
    await sts.close();
  }
});

test('a real authorization server that is overloaded says when to come back', async () => {
  const sts = await startSts();
  const service = serviceOf(sts, { retry: { attempts: 1 } });
  const subject = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId });
  sts.inject({ kind: 'status', status: 429, retryAfter: 7 });
  sts.inject({ kind: 'status', status: 503 });
  expect(await failedExchange(service, { subject })).toMatchObject({
    code: 'sts_error',
    failure: 'unavailable',
    status: 429,
    retryAfterMs: 7000,
  });
  const second = await failedExchange(service, { subject });
  expect(second).toMatchObject({ failure: 'unavailable', status: 503 });
  expect(second.retryAfterMs).toBeUndefined();
});

test.each<[string, number | undefined]>([
  ['0', 0],
  ['120', 120_000],
  ['Tue, 01 Dec 2026 10:00:30 GMT', 30_000],
  ['Tue, 01 Dec 2026 09:00:00 GMT', 0],
  ['soon', undefined],
  ['99999999999999999999', undefined],
])('Retry-After: %s', async (value, expected) => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-12-01T10:00:00Z') });
  const sts = await failing(always({}, { status: 429, headers: { 'retry-after': value } }));
  expect((await failedExchange(sts.service)).retryAfterMs).toBe(expected);
});

test('a claims challenge is told with the error, for the next sign-in of the user', async () => {
  const claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
  const sts = await failing(always({ error: 'interaction_required', claims }, { status: 400 }));
  expect(await failedExchange(sts.service)).toMatchObject({
    code: 'sts_error',
    failure: 'reauthentication_required',
    claimsChallenge: claims,
    retryable: false,
  });
  sts.handle(always({ error: 'interaction_required', claims: { access_token: {} } }, { status: 400 }));
  expect((await failedExchange(sts.service)).claimsChallenge).toBeUndefined();
});

test('the page that the STS names is told with the error, if it is one to open', async () => {
  const page = 'https://sts.example.com/consent?client=assistant';
  const sts = await failing(always({ error: 'consent_required', error_uri: page }, { status: 400 }));
  expect(await failedExchange(sts.service)).toMatchObject({ failure: 'consent_required', errorUri: page });
  sts.handle(always({ error: 'consent_required', error_uri: 'javascript:alert(1)' }, { status: 400 }));
  expect((await failedExchange(sts.service)).errorUri).toBeUndefined();
});

test('a dialect says what an error of its provider means, except where the status does', async () => {
  const heard: ErrorAnswer[] = [];
  const classify = (answer: ErrorAnswer) => {
    heard.push(answer);
    return answer.body.suberror === 'own' ? ('consent_required' as const) : undefined;
  };
  const options = { dialect: { name: 'own', classify }, retry: { attempts: 1 } };
  const sts = await startPlainSts(undefined, options);
  const body = { error: 'invalid_grant', error_description: 'because', suberror: 'own' };
  const told = async (more: object, status: number) => {
    sts.handle(always({ ...body, ...more }, { status }));
    return (await failedExchange(sts.service)).failure;
  };
  expect(await told({}, 400)).toBe('consent_required');
  expect(heard).toEqual([{ status: 400, error: 'invalid_grant', description: 'because', body }]);
  expect(await told({ suberror: 'another' }, 400)).toBe('reauthentication_required');
  expect(await told({}, 500)).toBe('unavailable');
  expect(await told({}, 429)).toBe('unavailable');
});

/** Everything that was sent, whole and in pieces, decoded and as it was on the wire. */
function piecesOf({ form, body, headers }: Received): string[] {
  const { authorization = '' } = headers;
  const decoded = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString();
  return [...form.values(), ...body.split('&'), body, authorization, decoded, decoded.split(':')[1] ?? ''];
}

/** Repeats one of these pieces in every place where an error can say something. */
function echo(number: number): Handler {
  return (request, response) => {
    const piece = piecesOf(request)[number] ?? '';
    const inHeader = piece.replaceAll(/[^\x20-\x7e]|"/g, '');
    const headers = { 'retry-after': inHeader, 'www-authenticate': `Bearer error="${inHeader}"` };
    const claims = JSON.stringify({ access_token: { [piece]: piece } });
    const page = `https://sts.example.com/?${encodeURI(piece)}`;
    const body = { error: piece, error_description: `no good: ${piece}`, claims, error_uri: page };
    json(response, body, { status: 400, headers });
  };
}

const SECRET = 's3cret&with space';

const METHODS: readonly (readonly [string, () => Promise<ClientAuth> | ClientAuth])[] = [
  ['none', () => ({ method: 'none' })],
  ['client_secret_basic', () => ({ method: 'client_secret_basic', clientSecret: SECRET })],
  ['client_secret_post', () => ({ method: 'client_secret_post', clientSecret: SECRET })],
  [
    'private_key_jwt',
    async () => ({
      method: 'private_key_jwt',
      privateKey: (await generateKeyPair('ES256')).privateKey,
    }),
  ],
];

test.each(METHODS)('an STS that repeats what it was sent gives nothing away (%s)', async (_method, auth) => {
  const sts = await startPlainSts(undefined, { clientAuth: await auth(), retry: { attempts: 1 } });
  // Opaque and short: neither looks like a token.
  const [subject, actor] = ['alice+42/x', 'robot~7.y'];
  await failedExchange(failing500(sts), { subject, actor });
  const count = piecesOf(sts.received[0] as Received).length;
  expect(count).toBeGreaterThan(12);

  for (let number = 0; number < count; number += 1) {
    sts.handle(echo(number));
    const error = await failedExchange(sts.service, { subject, actor });
    expect(error).toMatchObject({ code: 'sts_error', status: 400 });
    const { form, headers } = sts.received.at(-1) as Received;
    const secrets = [
      ...spellings(subject),
      actor,
      ...spellings(SECRET),
      headers.authorization?.replace('Basic ', '') ?? '',
      form.get('client_assertion') ?? '',
    ].filter((secret) => secret !== '');
    expectNoLeak(error, secrets);
  }
});

const failing500 = (sts: PlainSts): TokenService => {
  sts.handle(always({}, { status: 500 }));
  return sts.service;
};

const spellings = (value: string): string[] => [
  value,
  encodeURIComponent(value),
  new URLSearchParams({ value }).toString().slice('value='.length),
];

test('an STS that repeats short credentials in their Basic form gives nothing away', async () => {
  const clientAuth = { method: 'client_secret_basic', clientSecret: 'abcdefgh' } as const;
  const sts = await startPlainSts(undefined, { clientAuth, clientId: 'a' });
  let authorization = '';
  sts.handle((request, response) => {
    authorization = String(request.headers.authorization);
    json(
      response,
      { error: 'invalid_client', error_description: `bad header: ${authorization}` },
      { status: 401 },
    );
  });
  const error = await failedExchange(sts.service);
  expect(error.message).toContain('bad header');
  expectNoLeak(error, ['abcdefgh', authorization.replace('Basic ', '')]);
});

test('an STS that repeats JWTs gives nothing away, whole or cut short', async () => {
  const subject = subjectJwt('alice', { padding: 'x'.repeat(600) });
  const actor = fakeJwt({ sub: 'agent' });
  for (const cut of [subject.length, 120, 60, 30]) {
    const error_description = `bad token ${subject.slice(0, cut)} of ${actor}`;
    const sts = await failing(always({ error: 'invalid_request', error_description }, { status: 400 }));
    const error = await failedExchange(sts.service, { subject, actor });
    expect(error.message).toContain('bad token [redacted]');
    expectNoLeak(error, [subject, actor, subject.slice(0, 30)]);
    await sts.close();
  }
});

test('a failed client credentials grant does not give the client secret away', async () => {
  const sts = await failing(
    (request, response) =>
      json(response, { error: 'invalid_client', error_description: request.body }, { status: 401 }),
    { method: 'client_secret_post', clientSecret: 'hunter2-hunter2' },
  );
  const error = await failureOf(async () => clientCredentialsActor(sts.service)({}));
  expect(error).toMatchObject({ code: 'sts_error', failure: 'misconfigured' });
  expectNoLeak(error, ['hunter2-hunter2']);
});

test('an answer of 200 that is not a token response shows nothing of itself', async () => {
  const token = fakeJwt({ sub: 'alice' });
  for (const body of [{ error: token }, { access_token: token }, { access_token: token, token_type: 'x' }]) {
    const sts = await failing(always(body));
    const error = await failedExchange(sts.service);
    expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured', status: 200 });
    expectNoLeak(error, [token]);
    await sts.close();
  }
});

test('an error text without an end is cut and holds no control character', async () => {
  const error_description = `line\r\nX-Injected: 1\u001b[31m${'why '.repeat(10_000)}`;
  const sts = await failing(always({ error: 'invalid_request', error_description }, { status: 400 }));
  const { message } = await failedExchange(sts.service);
  expect(message.length).toBeLessThan(400);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
  expect(message).not.toMatch(/[\u0000-\u001f]/);
});
