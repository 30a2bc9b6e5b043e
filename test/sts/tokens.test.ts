import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { ACCESS_TOKEN, AGENT, createIssuer, exchangeForm, ID_TOKEN, JWT, post, startSts } from './support.ts';

const OUTSIDE = 'https://idp.example.com';

test('a subject token for another client is refused', async () => {
  const sts = await startSts();
  const subject_token = await sts.mintSubjectToken({ sub: 'alice', audience: ['other', sts.issuer] });
  const { body } = await post(sts, await exchangeForm(sts, { subject_token }));
  expect(body).toEqual({ error: 'invalid_request', error_description: expect.stringContaining('aud') });
});

test('a token that was exchanged already cannot be exchanged by the client again', async () => {
  const sts = await startSts();
  const first = await post(sts, await exchangeForm(sts));
  const form = await exchangeForm(sts, { subject_token: String(first.body.access_token), audience: 'files' });
  expect((await post(sts, form)).body).toMatchObject({ error: 'invalid_request' });
});

test('an expired, early, garbled or foreign subject token is refused with its reason', async () => {
  const sts = await startSts();
  const foreign = await createIssuer(OUTSIDE);
  const impostor = await createIssuer(sts.issuer);
  const mint = (more: object) => sts.mintSubjectToken({ sub: 'alice', audience: 'agent', ...more });
  const good = await mint({});
  const [header, , signature] = good.split('.');
  const bobs = Buffer.from(JSON.stringify({ ...decodeJwt(good), sub: 'bob' })).toString('base64url');
  const unsigned = Buffer.from('{"alg":"none"}').toString('base64url');

  const reasons = {
    'has expired': await mint({ expiresIn: -1 }),
    nbf: await mint({ claims: { nbf: Math.floor(Date.now() / 1000) + 60 } }),
    'is not a JWT': 'garbage',
    'not a trusted issuer': await foreign.sign({ sub: 'alice', aud: 'agent' }),
    'does not publish': await impostor.sign({ sub: 'alice', aud: 'agent' }),
    'does not verify': `${header}.${bobs}.${signature}`,
    'could not be verified': `${unsigned}.${bobs}.`,
  };
  for (const [reason, subject_token] of Object.entries(reasons)) {
    const { status, body } = await post(sts, await exchangeForm(sts, { subject_token }));
    expect(status).toBe(400);
    expect(body).toEqual({ error: 'invalid_request', error_description: expect.stringContaining(reason) });
    expect(JSON.stringify(body)).not.toContain(subject_token);
  }
});

test('a subject token of a trusted issuer is accepted when its aud holds this server or the client', async () => {
  const outside = await createIssuer(OUTSIDE);
  const sts = await startSts({ trustedIssuers: [{ issuer: OUTSIDE, jwks: outside.jwks }] });
  for (const aud of [sts.issuer, ['agent', 'x']]) {
    const subject_token = await outside.sign({ sub: 'carol', aud });
    const form = await exchangeForm(sts, { subject_token, subject_token_type: ID_TOKEN });
    const { body } = await post(sts, form);
    expect(decodeJwt(String(body.access_token))).toMatchObject({
      sub: 'carol',
      iss: sts.issuer,
      aud: 'calendar',
    });
  }
  const subject_token = await outside.sign({ sub: 'carol', aud: 'somebody' });
  expect((await post(sts, await exchangeForm(sts, { subject_token }))).body).toMatchObject({
    error: 'invalid_request',
  });
});

test('a trusted issuer may publish its keys at a URL, as for a workload that acts', async () => {
  const outside = await createIssuer(OUTSIDE);
  const server = createServer((_request, response) => response.end(JSON.stringify(outside.jwks)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const sts = await startSts({ trustedIssuers: [{ issuer: OUTSIDE, jwksUri }] });
  const sub = 'system:serviceaccount:agents:assistant';

  const actor_token = await outside.sign({ sub, aud: sts.issuer });
  const { body } = await post(sts, await exchangeForm(sts, { actor_token, actor_token_type: JWT }));

  expect(decodeJwt(String(body.access_token))).toMatchObject({ sub: 'alice', act: { sub } });
});

test('the keys of one trusted issuer do not speak for another', async () => {
  const one = await createIssuer('https://one.example.com');
  const two = await createIssuer('https://two.example.com');
  const sts = await startSts({ trustedIssuers: [one, two].map(({ issuer, jwks }) => ({ issuer, jwks })) });
  const subject_token = await one.sign({ iss: two.issuer, sub: 'carol', aud: 'agent' });
  expect((await post(sts, await exchangeForm(sts, { subject_token }))).status).toBe(400);
});

test('an actor token that was made for some service proves nothing here', async () => {
  const sts = await startSts();
  const { body } = await post(sts, { grant_type: 'client_credentials', audience: 'calendar' });
  const actor = { actor_token: String(body.access_token), actor_token_type: ACCESS_TOKEN };
  const answer = await post(sts, await exchangeForm(sts, actor));
  expect(answer.body).toEqual({
    error: 'invalid_request',
    error_description: expect.stringContaining('actor_token'),
  });
});

test('an expired actor token is refused', async () => {
  const outside = await createIssuer(OUTSIDE);
  const sts = await startSts({ trustedIssuers: [{ issuer: OUTSIDE, jwks: outside.jwks }] });
  const actor_token = await outside.sign({ sub: 'workload', aud: sts.issuer, exp: 1 });
  const { body } = await post(sts, await exchangeForm(sts, { actor_token, actor_token_type: JWT }));
  expect(body.error_description).toBe('actor_token has expired');
});

test('a minted subject token carries what was asked for and the name of the user', async () => {
  const sts = await startSts();
  const token = await sts.mintSubjectToken({
    sub: 'alice',
    audience: ['agent', 'other'],
    scope: 'chat',
    expiresIn: 30,
    claims: { tenant: 'acme', sub: 'bob' },
  });
  const claims = decodeJwt(token);
  expect(claims).toMatchObject({
    sub: 'alice',
    name: 'Alice',
    aud: ['agent', 'other'],
    scope: 'chat',
    tenant: 'acme',
  });
  expect(Number(claims.exp) - Number(claims.iat)).toBe(30);
});

test('a subject token is minted for configured users only', async () => {
  const sts = await startSts();
  await expect(sts.mintSubjectToken({ sub: 'mallory', audience: 'agent' })).rejects.toThrow('mallory');
});

test('the development endpoint mints a subject token that can be exchanged', async () => {
  const sts = await startSts();
  const response = await fetch(`${sts.issuer}/development/subject-token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sub: 'bob', audience: AGENT.clientId }),
  });
  const { subject_token } = (await response.json()) as { subject_token: string };
  const { body } = await post(sts, await exchangeForm(sts, { subject_token }));
  expect(decodeJwt(String(body.access_token)).sub).toBe('bob');
});

test('the development endpoint refuses unknown users, other bodies and web pages', async () => {
  const sts = await startSts();
  const json = { 'content-type': 'application/json' };
  const good = JSON.stringify({ sub: 'bob', audience: 'agent' });
  const refusals: [RequestInit, string][] = [
    [{ method: 'POST', headers: json, body: '{"sub":"mallory","audience":"agent"}' }, 'mallory is not'],
    [{ method: 'POST', headers: json, body: '{"audience":"agent"}' }, 'sub must be'],
    [{ method: 'POST', headers: json, body: '{"sub":"bob","audience":[]}' }, 'audience must be'],
    [{ method: 'POST', headers: json, body: '{"sub":' }, 'JSON object'],
    [{ method: 'POST', body: good }, 'JSON'],
    [{ method: 'GET' }, 'POST'],
    [{ method: 'POST', headers: { ...json, origin: 'https://evil.example' }, body: good }, 'web pages'],
  ];
  for (const [init, why] of refusals) {
    const response = await fetch(`${sts.issuer}/development/subject-token`, init);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: 'invalid_request',
      error_description: expect.stringContaining(why),
    });
  }
});
