import { expect, test } from 'vitest';
import { readClaims, type TokenClaims } from '../../src/core/claims.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { ExchangeParameters } from '../../src/core/exchange-parameters.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { verifyIssuedToken } from '../../src/core/verify.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { always, startLoopback } from '../support/loopback.ts';
import { AGENT, serviceOf, startPlainSts, startSts } from '../support/sts.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 8693 section 2.3, figure 2, the body as it is printed there. */
const RFC_REQUEST =
  'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange' +
  '&resource=https%3A%2F%2Fbackend.example.com%2Fapi' +
  '&subject_token=accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC' +
  '&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token';
const RFC_AUTHORIZATION = 'Basic cnMwODpsb25nLXNlY3VyZS1yYW5kb20tc2VjcmV0';
/** RFC 8693 section 2.3, figure 3. */
const RFC_RESPONSE = {
  access_token:
    'eyJhbGciOiJFUzI1NiIsImtpZCI6IjllciJ9.eyJhdWQiOiJo' +
    'dHRwczovL2JhY2tlbmQuZXhhbXBsZS5jb20iLCJpc3MiOiJodHRwczovL2FzLmV' +
    '4YW1wbGUuY29tIiwiZXhwIjoxNDQxOTE3NTkzLCJpYXQiOjE0NDE5MTc1MzMsIn' +
    'N1YiI6ImJkY0BleGFtcGxlLmNvbSIsInNjb3BlIjoiYXBpIn0.40y3ZgQedw6rx' +
    'f59WlwHDD9jryFOr0_Wh3CGozQBihNBhnXEQgU85AI9x3KmsPottVMLPIWvmDCM' +
    'y5-kdXjwhw',
  issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  token_type: 'Bearer',
  expires_in: 60,
};

const STS = createTokenService({ tokenEndpoint: 'https://sts.example.com/token', clientId: 'agent' });

const parametersFor = (target: Target, more: Partial<ExchangeParameters> = {}): ExchangeParameters => ({
  subject: securityToken('the-subject-token'),
  target: resolveTarget(target),
  ...more,
});

const answer = (body: object, init?: ResponseInit): Response => Response.json(body, init);

const processed = (body: object) =>
  processExchangeResponse(STS, answer(body), parametersFor({ audience: 'calendar' }));

test('the request holds every parameter under its name in RFC 8693, lists repeated in their order', async () => {
  const sts = await startPlainSts();
  const target = {
    resource: ['https://b.example.com/two', 'https://a.example.com/one'],
    audience: ['calendar', 'files', 'archive'],
    scope: ['write', 'read'],
    requestedTokenType: TOKEN_TYPE.jwt,
  };
  const subject = securityToken('the-subject-token', TOKEN_TYPE.idToken);
  const actor = securityToken('the-actor-token', TOKEN_TYPE.jwt);

  await exchangeRequest(sts.service, parametersFor(target, { subject, actor }));

  const [request] = sts.received;
  expect(request).toMatchObject({ method: 'POST', path: '/token' });
  expect(request?.headers).toMatchObject({
    'content-type': expect.stringMatching(/^application\/x-www-form-urlencoded\b/),
    accept: 'application/json',
  });
  expect([...(request?.form ?? [])]).toEqual([
    ['resource', 'https://b.example.com/two'],
    ['resource', 'https://a.example.com/one'],
    ['audience', 'calendar'],
    ['audience', 'files'],
    ['audience', 'archive'],
    ['scope', 'read write'],
    ['requested_token_type', TOKEN_TYPE.jwt],
    ['subject_token', 'the-subject-token'],
    ['subject_token_type', TOKEN_TYPE.idToken],
    ['actor_token', 'the-actor-token'],
    ['actor_token_type', TOKEN_TYPE.jwt],
    ['grant_type', EXCHANGE],
    ['client_id', 'agent'],
  ]);
});

test.each<[string, Target, string[]]>([
  ['an audience', { audience: 'calendar' }, ['audience']],
  ['a resource', { resource: 'https://mcp.example.com/' }, ['resource']],
  ['a scope', { scope: 'read' }, ['scope']],
])('with %s alone nothing is sent that was not set', async (_what, target, names) => {
  const sts = await startPlainSts();
  await exchangeRequest(sts.service, parametersFor(target));
  expect([...(sts.received[0]?.form.keys() ?? [])]).toEqual([
    ...names,
    'subject_token',
    'subject_token_type',
    'grant_type',
    'client_id',
  ]);
  expect(sts.received[0]?.headers.authorization).toBeUndefined();
});

test('values arrive as they were given, whatever characters they hold', async () => {
  const sts = await startPlainSts();
  const audience = 'urn:x:a+b&c=d %20 é 🗓';
  await exchangeRequest(sts.service, parametersFor({ audience }));
  expect(sts.received[0]?.form.getAll('audience')).toEqual([audience]);
});

test('RFC 8693 section 2.3: the example request is what goes over the wire', async () => {
  const server = await startLoopback(always(RFC_RESPONSE));
  const service = createTokenService({
    tokenEndpoint: `${server.origin}/as/token.oauth2`,
    clientId: 'rs08',
    clientAuth: { method: 'client_secret_basic', clientSecret: 'long-secure-random-secret' },
  });
  const expected = new URLSearchParams(RFC_REQUEST);
  const subject = securityToken(String(expected.get('subject_token')));

  await exchangeRequest(service, parametersFor({ resource: 'https://backend.example.com/api' }, { subject }));

  const [request] = server.received;
  expect(request).toMatchObject({ method: 'POST', path: '/as/token.oauth2' });
  expect(Object.fromEntries(request?.form ?? [])).toEqual(Object.fromEntries(expected));
  expect([...(request?.form ?? [])]).toHaveLength([...expected].length);
  expect(credentials(request?.headers.authorization)).toBe(credentials(RFC_AUTHORIZATION));
});

/** RFC 6749 section 2.3.1: both halves are form-encoded before they are joined; that may differ in spelling. */
function credentials(authorization = ''): string {
  const [id = '', secret = ''] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
    .toString()
    .split(':');
  return new URLSearchParams(`id=${id}&secret=${secret}`).toString();
}

test('RFC 8693 section 2.3: the example response is read to the last claim', async () => {
  const token = await processed(RFC_RESPONSE);
  expect(token.accessToken).toBe(RFC_RESPONSE.access_token);
  expect({ ...token }).toEqual({
    issuedTokenType: TOKEN_TYPE.accessToken,
    expiresInMs: 60_000,
    scope: undefined,
  });
  expect(token.claims).toEqual({
    iss: 'https://as.example.com',
    sub: 'bdc@example.com',
    aud: ['https://backend.example.com'],
    exp: 1_441_917_593_000,
    scope: 'api',
    act: undefined,
  });
});

test('RFC 8693 section 2.3: the example token is for the audience it names, so a resource alone is not enough', async () => {
  const token = await processed(RFC_RESPONSE);
  const resource = 'https://backend.example.com/api';
  const common = {
    service: STS,
    subject: { sub: 'bdc@example.com', aud: [] },
    actor: undefined,
    now: 1_441_917_533_000,
  };
  const target = resolveTarget({ resource, audience: 'https://backend.example.com' });
  expect(() => verifyIssuedToken(token, { ...common, target })).not.toThrow();
  expect(() => verifyIssuedToken(token, { ...common, target: resolveTarget({ resource }) })).toThrow('"aud"');
});

const RFC_CLAIMS = {
  'section 4.1, figure 5': {
    aud: 'https://consumer.example.com',
    iss: 'https://issuer.example.com',
    exp: 1443904177,
    nbf: 1443904077,
    sub: 'user@example.com',
    act: { sub: 'admin@example.com' },
  },
  'section 4.1, figure 6': {
    aud: 'https://service26.example.com',
    iss: 'https://issuer.example.com',
    exp: 1443904100,
    nbf: 1443904000,
    sub: 'user@example.com',
    act: { sub: 'https://service16.example.com', act: { sub: 'https://service77.example.com' } },
  },
  'section 4.2': {
    aud: 'https://consumer.example.com',
    iss: 'https://issuer.example.com',
    exp: 1443904177,
    nbf: 1443904077,
    sub: 'dgaf4mvfs75Fci_FL3heQA',
    scope: 'email profile phone address',
  },
  'section 4.4': {
    aud: 'https://consumer.example.com',
    iss: 'https://issuer.example.com',
    exp: 1443904177,
    nbf: 1443904077,
    sub: 'user@example.com',
    may_act: { sub: 'admin@example.com' },
  },
};

test.each<[keyof typeof RFC_CLAIMS, Pick<TokenClaims, 'act' | 'scope' | 'mayAct'>]>([
  ['section 4.1, figure 5', { act: 'admin@example.com' }],
  ['section 4.1, figure 6', { act: 'https://service16.example.com' }],
  ['section 4.2', { scope: 'email profile phone address' }],
  ['section 4.4', { mayAct: { sub: 'admin@example.com', iss: undefined } }],
])('RFC 8693 %s: the claims are read, the current actor is the outermost', async (example, expected) => {
  const { iss, sub, aud, exp } = RFC_CLAIMS[example];
  expect(readClaims(fakeJwt(RFC_CLAIMS[example]))).toEqual({
    iss,
    sub,
    aud: [aud],
    exp: exp * 1000,
    ...expected,
  });
});

test('a real authorization server grants the exchange, and its answer is read', async () => {
  const sts = await startSts();
  const subject = securityToken(await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId }));
  const service = serviceOf(sts);
  const parameters = parametersFor(
    { audience: ['calendar', 'files'], resource: 'https://mcp.example.com/billing', scope: 'read' },
    { subject },
  );
  const token = await processExchangeResponse(
    service,
    await exchangeRequest(service, parameters),
    parameters,
  );
  expect(token).toMatchObject({
    issuedTokenType: TOKEN_TYPE.accessToken,
    scope: 'read',
    claims: {
      iss: sts.issuer,
      sub: 'alice',
      aud: ['calendar', 'files', 'https://mcp.example.com/billing'],
      scope: 'read',
    },
  });
  expect(token.expiresInMs).toBeGreaterThan(0);
  expect(sts.exchanges).toMatchObject([
    { audience: ['calendar', 'files'], resource: ['https://mcp.example.com/billing'], scope: 'read' },
  ]);
});

const GOOD = {
  access_token: 'opaque',
  issued_token_type: TOKEN_TYPE.accessToken,
  token_type: 'Bearer',
  expires_in: 60,
};

test.each(['Bearer', 'bearer', 'BEARER'])(
  'the token type %s is a bearer token in any case',
  async (token_type) => {
    expect((await processed({ ...GOOD, token_type })).accessToken).toBe('opaque');
  },
);

test.each<[string, unknown]>([
  ['missing', undefined],
  ['N_A, so no access token', 'N_A'],
  ['DPoP, for which no key was shown', 'DPoP'],
  ['unknown', 'mac'],
  ['no string', 7],
])('a token type that is %s is refused', async (_what, token_type) => {
  const error = await failureOf(processed({ ...GOOD, token_type }));
  expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured', status: 200 });
});

test.each<[string, object]>([
  ['no access_token', { access_token: undefined }],
  ['an empty access_token', { access_token: '' }],
  ['an access_token that is no string', { access_token: { value: 'x' } }],
  ['no issued_token_type', { issued_token_type: undefined }],
  ['an empty issued_token_type', { issued_token_type: '' }],
  ['an issued_token_type that is no string', { issued_token_type: 1 }],
  ['a negative expires_in', { expires_in: -1 }],
  ['an expires_in that is no number', { expires_in: 'soon' }],
  ['a scope that is no string', { scope: ['read'] }],
])('an answer with %s is refused', async (_what, more) => {
  const error = await failureOf(processed({ ...GOOD, ...more }));
  expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured', status: 200 });
});

test('an answer without expires_in has no lifetime to go by', async () => {
  const token = await processed({ ...GOOD, expires_in: undefined });
  expect(token.expiresInMs).toBeUndefined();
});

test('a JSON array, null and a bare string are no token response', async () => {
  for (const body of [[], null, 'token']) {
    const error = await failureOf(processed(body as object));
    expect(error.code).toBe('sts_invalid_response');
  }
});

test('the answer of one STS is not processed for something else that looks like a service', async () => {
  const fake: TokenService = { ...STS, discover: async () => '' };
  await expect(exchangeRequest(fake, parametersFor({ audience: 'calendar' }))).rejects.toThrow(
    '"tokenService" must come from createTokenService()',
  );
});
