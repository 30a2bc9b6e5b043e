import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { expect, test } from 'vitest';
import type { DevelopmentClient, DevelopmentSts } from '../../src/sts/index.ts';
import { ACCESS_TOKEN, AGENT, basic, EXCHANGE, exchangeForm, type Form, post, startSts } from './support.ts';

const POSTING: DevelopmentClient = { ...AGENT, authentication: 'client_secret_post' };
const PUBLIC: DevelopmentClient = { clientId: 'agent', authentication: 'none', audiences: ['calendar'] };

async function keyedClient(): Promise<{ client: DevelopmentClient; key: CryptoKey }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwks = { keys: [await exportJWK(publicKey)] };
  return {
    client: { clientId: 'agent', authentication: 'private_key_jwt', jwks, audiences: ['calendar'] },
    key: privateKey,
  };
}

/** The answer to a request with `oauth4webapi`'s client authentication. */
async function ask(sts: DevelopmentSts, authentication: oauth.ClientAuth): Promise<number> {
  const as = { issuer: sts.issuer, token_endpoint: sts.tokenEndpoint };
  const { grant_type: _, ...parameters } = (await exchangeForm(sts)) as Record<string, string>;
  const options = { [oauth.allowInsecureRequests]: true };
  const client = { client_id: 'agent' };
  const response = await oauth.genericTokenEndpointRequest(
    as,
    client,
    authentication,
    EXCHANGE,
    parameters,
    options,
  );
  return response.status;
}

test('client_secret_basic works with the right secret only', async () => {
  const sts = await startSts();
  expect(await ask(sts, oauth.ClientSecretBasic('agent-secret'))).toBe(200);
  const { status, body, headers } = await post(
    sts,
    await exchangeForm(sts),
    basic({ ...AGENT, clientSecret: 'wrong' }),
  );
  expect(status).toBe(401);
  expect(body).toMatchObject({ error: 'invalid_client' });
  expect(headers.get('www-authenticate')).toContain('Basic');
  expect(sts.exchanges.at(-1)).toMatchObject({ clientId: 'agent', outcome: 'invalid_client', status: 401 });
});

test('client_secret_post works with the right secret only', async () => {
  const sts = await startSts({ clients: [POSTING] });
  expect(await ask(sts, oauth.ClientSecretPost('agent-secret'))).toBe(200);
  expect(await ask(sts, oauth.ClientSecretPost('wrong'))).toBe(401);
  expect(sts.exchanges.map(({ clientId, outcome }) => [clientId, outcome])).toEqual([
    ['agent', 'issued'],
    ['agent', 'invalid_client'],
  ]);
});

test('private_key_jwt works with the registered key only', async () => {
  const { client, key } = await keyedClient();
  const other = await keyedClient();
  const sts = await startSts({ clients: [client] });
  expect(await ask(sts, oauth.PrivateKeyJwt(key))).toBe(200);
  expect(await ask(sts, oauth.PrivateKeyJwt(other.key))).toBe(401);
  expect(sts.exchanges.map(({ clientId }) => clientId)).toEqual(['agent', 'agent']);
});

test('a client assertion is good for one use and for this server', async () => {
  const { client, key } = await keyedClient();
  const sts = await startSts({ clients: [client] });
  const assertion = (aud: string): Promise<string> =>
    new SignJWT({ iss: 'agent', sub: 'agent', aud, jti: 'once' })
      .setProtectedHeader({ alg: 'ES256' })
      .setExpirationTime('1m')
      .sign(key);
  const form = async (client_assertion: string): Promise<Form> =>
    exchangeForm(sts, {
      client_assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    });
  const good = await assertion(sts.issuer);

  expect((await post(sts, await form(await assertion('https://other.example')), {})).status).toBe(401);
  expect((await post(sts, await form(good), {})).status).toBe(200);
  expect((await post(sts, await form(good), {})).status).toBe(401);
  expect(sts.exchanges.map(({ clientId }) => clientId)).toEqual(['agent', 'agent', 'agent']);
});

test('a public client exchanges by naming itself, and gets no client credentials', async () => {
  const sts = await startSts({ clients: [PUBLIC] });
  expect(await ask(sts, oauth.None())).toBe(200);
  const { status, body } = await post(sts, { grant_type: 'client_credentials', client_id: 'agent' }, {});
  expect(status).toBe(400);
  expect(body).toMatchObject({ error: 'invalid_request' });
});

test('a client with a secret cannot leave it out, use another method, or be somebody unknown', async () => {
  const sts = await startSts();
  const form = await exchangeForm(sts);
  expect((await post(sts, { ...form, client_id: 'agent' }, {})).status).toBe(401);
  expect((await post(sts, form, {})).body).toMatchObject({ error: 'invalid_request' });
  expect((await post(sts, { ...form, client_id: 'nobody' }, {})).status).toBe(401);
});

test('each client has its own audiences, scopes and subject tokens', async () => {
  const other: DevelopmentClient = { ...AGENT, clientId: 'other', audiences: ['billing'] };
  const sts = await startSts({ clients: [AGENT, other] });
  const subject_token = await sts.mintSubjectToken({ sub: 'alice', audience: 'other' });
  const form = { grant_type: EXCHANGE, subject_token, subject_token_type: ACCESS_TOKEN, audience: 'billing' };
  expect((await post(sts, form, basic(other))).status).toBe(200);
  expect((await post(sts, { ...form, audience: 'calendar' }, basic(other))).body).toMatchObject({
    error: 'invalid_target',
  });
  expect((await post(sts, form, basic(AGENT))).body).toMatchObject({ error: 'invalid_request' });
});
