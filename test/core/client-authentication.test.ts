import { type CryptoKey, exportJWK, generateKeyPair } from 'jose';
import { expect, test } from 'vitest';
import type { ClientAuth } from '../../src/core/client-authentication.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { IssuedToken } from '../../src/core/issued-token.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { securityToken } from '../../src/core/token-types.ts';
import type { DevelopmentClient, DevelopmentSts } from '../../src/sts/index.ts';
import { failureOf } from '../support/failure.ts';
import { AGENT, serviceOf, startPlainSts, startSts } from '../support/sts.ts';

const target = resolveTarget('calendar');
const { clientId, audiences } = AGENT;

async function exchangeAs(sts: DevelopmentSts, clientAuth: ClientAuth): Promise<IssuedToken> {
  const service = serviceOf(sts, { clientAuth });
  const subject = securityToken(await sts.mintSubjectToken({ sub: 'alice', audience: clientId }));
  return processExchangeResponse(service, await exchangeRequest(service, { subject, target }), {
    subject,
    target,
  });
}

const registered = (more: Partial<DevelopmentClient>): Promise<DevelopmentSts> =>
  startSts({ clients: [{ clientId, audiences, authentication: 'none', ...more }] });

/** Every character that a form, a header or a URL gives a meaning to. */
const AWKWARD = 'p@ss w0rd+%&=:;,~/"\'?#[]-_.!*()';

test('a public client names itself and proves nothing', async () => {
  const sts = await registered({ authentication: 'none' });
  expect((await exchangeAs(sts, { method: 'none' })).claims?.sub).toBe('alice');
  expect(sts.exchanges).toMatchObject([{ clientId: 'agent', outcome: 'issued' }]);
});

test.each(['client_secret_basic', 'client_secret_post'] as const)(
  '%s is accepted by a real authorization server, also with awkward characters',
  async (method) => {
    for (const clientSecret of ['agent-secret', AWKWARD]) {
      const sts = await registered({ authentication: method, clientSecret });
      expect((await exchangeAs(sts, { method, clientSecret })).claims?.sub).toBe('alice');
    }
  },
);

test.each(['ES256', 'RS256', 'Ed25519'])('private_key_jwt works with a key for %s', async (alg) => {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'first', alg }] };
  const sts = await registered({ authentication: 'private_key_jwt', jwks });
  for (const keyId of ['first', undefined]) {
    const token = await exchangeAs(sts, { method: 'private_key_jwt', privateKey, keyId });
    expect(token.claims?.sub).toBe('alice');
  }
});

test.each<[string, Partial<DevelopmentClient>, ClientAuth]>([
  [
    'a wrong secret',
    { authentication: 'client_secret_basic', clientSecret: 'right-secret' },
    { method: 'client_secret_basic', clientSecret: 'wrong-secret' },
  ],
  [
    'a wrong posted secret',
    { authentication: 'client_secret_post', clientSecret: 'right-secret' },
    { method: 'client_secret_post', clientSecret: 'wrong-secret' },
  ],
  [
    'no proof where one is needed',
    { authentication: 'client_secret_basic', clientSecret: 'right-secret' },
    { method: 'none' },
  ],
])('%s is a matter of configuration', async (_what, client, clientAuth) => {
  const sts = await registered(client);
  const error = await failureOf(exchangeAs(sts, clientAuth));
  expect(error).toMatchObject({
    code: 'sts_error',
    oauthError: 'invalid_client',
    failure: 'misconfigured',
    status: 401,
  });
  expect(error.retryable).toBe(false);
});

test('a key that is not the registered one is refused', async () => {
  const [right, wrong] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')];
  const jwks = { keys: [await exportJWK(right.publicKey)] };
  const sts = await registered({ authentication: 'private_key_jwt', jwks });
  const error = await failureOf(exchangeAs(sts, { method: 'private_key_jwt', privateKey: wrong.privateKey }));
  expect(error).toMatchObject({ oauthError: 'invalid_client', failure: 'misconfigured' });
});

test('client_secret_basic puts no credential into the body, client_secret_post none into the header', async () => {
  const subject = securityToken('the-subject-token');
  const request = async (clientAuth: ClientAuth) => {
    const sts = await startPlainSts(undefined, { clientAuth });
    await exchangeRequest(sts.service, { subject, target });
    return sts.received[0];
  };
  const basic = await request({ method: 'client_secret_basic', clientSecret: 'agent-secret' });
  expect(basic?.body).not.toContain('secret');
  expect(basic?.form.has('client_id')).toBe(false);
  const posted = await request({ method: 'client_secret_post', clientSecret: 'agent-secret' });
  expect(posted?.headers.authorization).toBeUndefined();
  expect(posted?.form.get('client_secret')).toBe('agent-secret');
});

test('a client assertion is for this STS, short-lived and used once', async () => {
  const { privateKey } = await generateKeyPair('ES256');
  const issuer = 'https://sts.example.com';
  const clientAuth = { method: 'private_key_jwt', privateKey, keyId: 'first' } as const;
  const sts = await startPlainSts(undefined, { clientAuth, issuer });
  const subject = securityToken('the-subject-token');
  await exchangeRequest(sts.service, { subject, target });
  await exchangeRequest(sts.service, { subject, target });

  const assertions = sts.received.map(({ form }) => {
    const [header = '', payload = ''] = String(form.get('client_assertion')).split('.');
    return [header, payload].map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  });
  expect(assertions[0]?.[0]).toMatchObject({ alg: 'ES256', kid: 'first' });
  expect(assertions[0]?.[1]).toMatchObject({ iss: 'agent', sub: 'agent' });
  expect([assertions[0]?.[1].aud].flat()).toContain(issuer);
  expect(assertions[0]?.[1].exp - Date.now() / 1000).toBeLessThanOrEqual(300);
  expect(assertions[0]?.[1].jti).not.toBe(assertions[1]?.[1].jti);
});

test.each<[string, object]>([
  ['clientAuth.method', { method: 'password' }],
  ['clientAuth.method', {}],
  ['clientAuth.clientSecret', { method: 'client_secret_basic' }],
  ['clientAuth.clientSecret', { method: 'client_secret_post', clientSecret: '' }],
])('a wrong %s is found when the service is made', (field, clientAuth) => {
  const make = () =>
    createTokenService({
      tokenEndpoint: 'https://sts.example.com/token',
      clientId: 'agent',
      clientAuth: clientAuth as ClientAuth,
    });
  expect(make).toThrow(TypeError);
  expect(make).toThrow(field);
});

test('a key that cannot sign is found when the service is made', async () => {
  const { publicKey } = await generateKeyPair('ES256');
  for (const privateKey of [publicKey, undefined, '-----BEGIN PRIVATE KEY-----']) {
    expect(() =>
      createTokenService({
        tokenEndpoint: 'https://sts.example.com/token',
        clientId: 'agent',
        clientAuth: { method: 'private_key_jwt', privateKey: privateKey as CryptoKey },
      }),
    ).toThrow(TypeError);
  }
});
