import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { createIssuerKeys } from '../../src/agent/issuer-keys.ts';
import { json, startLoopback } from '../support/loopback.ts';

/** An issuer with a path, whose metadata is where it is said. */
async function startIssuer(place: string) {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' };
  const server = await startLoopback(({ path }, response) => {
    const issuer = `${server.origin}/realms/demo`;
    if (path === '/jwks') json(response, { keys: [jwk] });
    else if (path === place) json(response, { issuer, jwks_uri: `${server.origin}/jwks` });
    else json(response, {}, { status: 404 });
  });
  const paths = (): string[] => server.received.map(({ path }) => path);
  return { server, issuer: `${server.origin}/realms/demo`, privateKey, paths };
}

const OPENID = '/realms/demo/.well-known/openid-configuration';
const OAUTH = '/.well-known/oauth-authorization-server/realms/demo';

test.each([
  ['OpenID Connect Discovery', OPENID, [OPENID, '/jwks']],
  ['RFC 8414', OAUTH, [OPENID, OAUTH, '/jwks']],
])('keys are found by the metadata of %s, and fetched once', async (_, place, asked) => {
  const { issuer, privateKey, paths } = await startIssuer(place);
  const keys = createIssuerKeys({ issuer });
  expect([keys.issuer, keys.isReady()]).toEqual([issuer, false]);

  await keys.prepare();
  await keys.prepare();

  expect(keys.isReady()).toBe(true);
  expect(paths()).toEqual(asked);
  const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(privateKey);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const key = await keys.getKey({ alg: 'ES256', kid: 'one' }, { protected: header, payload, signature });
  expect(key).toMatchObject({ type: 'public' });
  expect(paths()).toEqual(asked);
});

test('a key that is asked for fetches them as well, and a failure of it does not keep them from being prepared', async () => {
  const { server, issuer, paths } = await startIssuer(OPENID);
  const [header, token] = [
    { alg: 'ES256', kid: 'one' },
    { payload: '', signature: '' },
  ];
  const keys = createIssuerKeys({ issuer });
  await keys.getKey(header, token);
  expect(keys.isReady()).toBe(true);

  const late = createIssuerKeys({ issuer: `${server.origin}/realms/late` });
  const before = paths().length;
  await expect(late.getKey(header, token)).rejects.toThrow('cannot be found: set "jwks_url"');
  // Whoever sends tokens cannot have it tried with each of them.
  await expect(late.getKey(header, token)).rejects.toThrow('cannot be found');
  expect(paths()).toHaveLength(before + 2);
  await expect(late.prepare()).rejects.toThrow('cannot be found');
  expect(paths()).toHaveLength(before + 4);
});

test.each([
  ['metadata of another issuer', { issuer: 'https://other.example.com' }, 'is not of this issuer'],
  ['metadata without keys', {}, 'has no "jwks_uri"'],
  ['keys in clear text elsewhere', { jwks_uri: 'http://idp.example.com/jwks' }, 'https'],
])('%s is refused', async (_, metadata, why) => {
  const server = await startLoopback((_request, response) =>
    json(response, { issuer: server.origin, ...metadata }),
  );
  const keys = createIssuerKeys({ issuer: server.origin });
  await expect(keys.prepare()).rejects.toThrow(why);
  expect(keys.isReady()).toBe(false);
});

test('an issuer that is no https URL is refused at once', () => {
  expect(() => createIssuerKeys({ issuer: 'http://idp.example.com' })).toThrow('https');
  expect(() =>
    createIssuerKeys({ issuer: 'https://idp.example.com', jwksUrl: 'http://idp.example.com/jwks' }),
  ).toThrow('https');
});
