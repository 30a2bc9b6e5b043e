import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import { expect, test } from 'vitest';
import type { DevelopmentSts } from '../../src/sts/index.ts';
import {
  ACCESS_TOKEN,
  AGENT,
  basic,
  EXCHANGE,
  exchangeForm,
  type Form,
  ID_TOKEN,
  JWT,
  post,
  startSts,
} from './support.ts';

/** Exchanges and verifies the token as the calendar would: against the live JWKS. */
async function exchanged(sts: DevelopmentSts, more: Form = {}): Promise<Record<string, unknown>> {
  const { status, body } = await post(sts, await exchangeForm(sts, more));
  expect(body, JSON.stringify(body)).toHaveProperty('access_token');
  expect(status).toBe(200);
  const keys = createRemoteJWKSet(new URL(sts.jwksUri));
  return (await jwtVerify(String(body.access_token), keys, { issuer: sts.issuer, typ: 'at+jwt' })).payload;
}

async function agentToken(sts: DevelopmentSts): Promise<string> {
  const { body } = await post(sts, { grant_type: 'client_credentials' });
  return String(body.access_token);
}

test('an exchange gives a signed access token for that audience, subject and client', async () => {
  const sts = await startSts();
  const form = await exchangeForm(sts, { scope: 'read' });

  const { status, headers, body } = await post(sts, form);

  expect(status).toBe(200);
  expect(headers.get('cache-control')).toContain('no-store');
  const { access_token: token, ...rest } = body;
  expect(rest).toEqual({
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: 120,
    scope: 'read',
  });
  const keys = createRemoteJWKSet(new URL(sts.jwksUri));
  const { payload } = await jwtVerify(String(token), keys, { typ: 'at+jwt' });
  expect(payload).toEqual({
    iss: sts.issuer,
    sub: 'alice',
    aud: 'calendar',
    client_id: 'agent',
    scope: 'read',
    iat: expect.any(Number),
    exp: Number(payload.iat) + 120,
    jti: expect.any(String),
  });
});

test('oauth4webapi discovers the server and accepts its answer', async () => {
  const sts = await startSts();
  const insecure = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(sts.issuer);
  const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  const as = await oauth.processDiscoveryResponse(issuer, discovery);
  const client = { client_id: 'agent' };
  const { grant_type, ...parameters } = (await exchangeForm(sts)) as Record<string, string>;

  const response = await oauth.genericTokenEndpointRequest(
    as,
    client,
    oauth.ClientSecretBasic('agent-secret'),
    String(grant_type),
    parameters,
    insecure,
  );
  const result = await oauth.processGenericTokenEndpointResponse(as, client, response);

  expect(result).toMatchObject({ token_type: 'bearer', issued_token_type: ACCESS_TOKEN });
});

test('an actor token puts the actor into act', async () => {
  const sts = await startSts();
  const actor = { actor_token: await agentToken(sts), actor_token_type: ACCESS_TOKEN };
  expect(await exchanged(sts, actor)).toMatchObject({ sub: 'alice', act: { sub: 'agent' } });
});

test('an act of the subject token is nested inside the new one', async () => {
  const sts = await startSts();
  const prior = { sub: 'planner', act: { sub: 'front-end' } };
  const subject_token = await sts.mintSubjectToken({
    sub: 'alice',
    audience: 'agent',
    claims: { act: prior },
  });
  const actor = { actor_token: await agentToken(sts), actor_token_type: JWT };

  expect(await exchanged(sts, { subject_token, ...actor })).toMatchObject({
    act: { sub: 'agent', act: prior },
  });
  expect(await exchanged(sts, { subject_token })).toMatchObject({ act: prior });
});

test('repeated audiences and resources all end up in aud, once each', async () => {
  const sts = await startSts();
  const billing = 'https://mcp.example.com/billing';
  const claims = await exchanged(sts, { audience: ['calendar', 'files', 'calendar'], resource: billing });
  expect(claims.aud).toEqual(['calendar', 'files', billing]);
  expect((await exchanged(sts, { audience: '', resource: billing })).aud).toBe(billing);
});

test('without a scope parameter the token has no scope', async () => {
  const sts = await startSts();
  expect(await exchanged(sts)).not.toHaveProperty('scope');
});

test('the token never outlives the subject token', async () => {
  const sts = await startSts({ accessTokenTtl: 600 });
  const subject_token = await sts.mintSubjectToken({ sub: 'alice', audience: 'agent', expiresIn: 60 });
  const { body } = await post(sts, await exchangeForm(sts, { subject_token }));
  expect(decodeJwt(String(body.access_token)).exp).toBe(decodeJwt(subject_token).exp);
  expect(body.expires_in).toBeLessThanOrEqual(60);
});

test('asking for a jwt is answered with that token type', async () => {
  const sts = await startSts();
  const { body } = await post(sts, await exchangeForm(sts, { requested_token_type: JWT }));
  expect(body.issued_token_type).toBe(JWT);
  expect(decodeProtectedHeader(String(body.access_token)).alg).toBe('ES256');
});

test.each([ACCESS_TOKEN, JWT, ID_TOKEN])(
  'a subject token may be declared as %s',
  async (subject_token_type) => {
    const sts = await startSts();
    expect(await exchanged(sts, { subject_token_type })).toMatchObject({ sub: 'alice' });
  },
);

test.each<[string, string, Form]>([
  ['an audience this client may not have', 'invalid_target', { audience: 'payroll' }],
  ['one such audience among good ones', 'invalid_target', { audience: ['calendar', 'payroll'] }],
  ['a resource this client may not have', 'invalid_target', { resource: 'https://mcp.example.com/other' }],
  ['a resource that is no absolute URI', 'invalid_target', { resource: 'calendar' }],
  ['no target at all', 'invalid_target', { audience: '' }],
  ['a scope this client may not have', 'invalid_scope', { scope: 'read admin' }],
  ['no subject token', 'invalid_request', { subject_token: '' }],
  ['no subject token type', 'invalid_request', { subject_token_type: '' }],
  ['an unknown subject token type', 'invalid_request', { subject_token_type: 'urn:example:saml' }],
  ['two subject tokens', 'invalid_request', { subject_token: ['one', 'two'] }],
  ['a requested refresh token', 'invalid_request', { requested_token_type: `${ACCESS_TOKEN}x` }],
  ['an actor token type without a token', 'invalid_request', { actor_token_type: ACCESS_TOKEN }],
])('%s is refused with %s', async (_what, error, more) => {
  const sts = await startSts();
  const { status, body } = await post(sts, await exchangeForm(sts, more));
  expect(body).toEqual({ error, error_description: expect.any(String) });
  expect(status).toBe(400);
  expect(sts.exchanges.at(-1)).toMatchObject({ clientId: 'agent', outcome: error, status: 400 });
});

test.each(['', 'urn:example:saml'])(
  'an actor token of the type "%s" is refused',
  async (actor_token_type) => {
    const sts = await startSts();
    const form = await exchangeForm(sts, { actor_token: await agentToken(sts), actor_token_type });
    expect((await post(sts, form)).body).toEqual({
      error: 'invalid_request',
      error_description: expect.stringContaining('actor_token_type'),
    });
  },
);

test('may_act lets the actor it names act and no other', async () => {
  const sts = await startSts();
  const actor = { actor_token: await agentToken(sts), actor_token_type: ACCESS_TOKEN };
  const subject = (sub: string): Promise<string> =>
    sts.mintSubjectToken({ sub: 'alice', audience: 'agent', claims: { may_act: { sub } } });

  expect(await exchanged(sts, { subject_token: await subject('agent'), ...actor })).toHaveProperty('act');
  expect(await exchanged(sts, { subject_token: await subject('agent') })).toMatchObject({ sub: 'alice' });
  for (const more of [actor, {}]) {
    const form = await exchangeForm(sts, { subject_token: await subject('another-agent'), ...more });
    expect((await post(sts, form)).body).toMatchObject({ error: 'invalid_request' });
  }
});

test('the agent gets its own token with client credentials, for the server or for a target', async () => {
  const sts = await startSts();
  const grant_type = 'client_credentials';

  const own = await post(sts, { grant_type });
  const targeted = await post(sts, { grant_type, audience: ['calendar', 'files'], scope: 'read' });

  expect(own.body).toMatchObject({ token_type: 'Bearer', expires_in: 120 });
  expect(decodeJwt(String(own.body.access_token))).toMatchObject({
    sub: 'agent',
    client_id: 'agent',
    aud: sts.issuer,
  });
  expect(decodeJwt(String(targeted.body.access_token))).toMatchObject({
    aud: ['calendar', 'files'],
    scope: 'read',
  });
  expect((await post(sts, { grant_type, audience: 'payroll' })).body).toMatchObject({
    error: 'invalid_target',
  });
  expect(sts.exchanges).toEqual([]);
});

test('the agent may exchange its own client credentials token', async () => {
  const sts = await startSts();
  const claims = await exchanged(sts, { subject_token: await agentToken(sts) });
  expect(claims).toMatchObject({ sub: 'agent', aud: 'calendar' });
});

test('that does not extend to its token for a target, nor to a token it holds for a user', async () => {
  const sts = await startSts();
  const targeted = await post(sts, { grant_type: 'client_credentials', audience: 'calendar' });
  sts.inject({ kind: 'wrong-audience', value: sts.issuer });
  const users = await post(sts, await exchangeForm(sts));
  for (const { body } of [targeted, users]) {
    const form = await exchangeForm(sts, { subject_token: String(body.access_token) });
    expect((await post(sts, form)).body).toMatchObject({ error: 'invalid_request' });
  }
});

test('the log and the token hook tell who asked for what, the log without a token', async () => {
  const tokens: string[] = [];
  const seen: unknown[] = [];
  const sts = await startSts({
    onToken: (token) => tokens.push(token),
    onExchange: (record) => seen.push(record),
  });
  const actor = { actor_token: await agentToken(sts), actor_token_type: ACCESS_TOKEN };
  const form = await exchangeForm(sts, { ...actor, scope: 'read' });
  const { body } = await post(sts, form);
  await post(sts, { ...form, audience: String(form.subject_token) });
  await post(sts, { ...form, subject_token: `${form.subject_token}x` });

  expect(tokens).toEqual([actor.actor_token, form.subject_token, body.access_token]);
  expect(sts.exchanges).toEqual(seen);
  const party = { at: expect.stringMatching(/^\d{4}-.*Z$/), clientId: 'agent', resource: [], scope: 'read' };
  expect(sts.exchanges).toEqual([
    { ...party, sub: 'alice', act: 'agent', audience: ['calendar'], outcome: 'issued', status: 200 },
    {
      ...party,
      sub: 'alice',
      act: 'agent',
      audience: ['[redacted]'],
      outcome: 'invalid_target',
      status: 400,
    },
    { ...party, audience: ['calendar'], outcome: 'invalid_request', status: 400 },
  ]);
  for (const token of tokens) {
    for (const part of token.split('.')) expect(JSON.stringify(sts.exchanges)).not.toContain(part);
  }
});

test('the log keeps the last thousand attempts', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'status', status: 503, times: Infinity });
  const attempt = (scope: string) => post(sts, { grant_type: EXCHANGE, scope }, basic(AGENT));
  await attempt('first');
  for (let batch = 0; batch < 10; batch += 1) {
    await Promise.all(Array.from({ length: 100 }, () => attempt('later')));
  }
  expect(sts.exchanges).toHaveLength(1000);
  expect(sts.exchanges[0]?.scope).toBe('later');
});
