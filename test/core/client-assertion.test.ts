import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  generateSecret,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { type ClientAuth, createClientAuthentication } from '../../src/core/client-authentication.ts';
import type { OnbehalfError } from '../../src/core/errors.ts';
import { type SecurityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { createProjectedVolume, temporaryDirectory } from '../support/files.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { AGENT, serviceOf, startPlainSts, startSts } from '../support/sts.ts';

const { clientId, audiences } = AGENT;
const ISSUER = 'https://sts.example.com';
const method = 'private_key_jwt';

/** No second try: what is looked at is how one request fails. */
const once = { retry: { attempts: 1 } };

/** A real authorization server at which the agent is registered with these public keys. */
const registered = (...keys: readonly object[]): Promise<DevelopmentSts> =>
  startSts({
    clients: [{ clientId, audiences, authentication: method, jwks: { keys: keys as JWK[] } }],
  });

/** Gets the agent's own token. */
const grantedBy = async (sts: Pick<DevelopmentSts, 'issuer'>, clientAuth: ClientAuth) =>
  (await clientCredentialsActor(serviceOf(sts, { clientAuth, ...once }))({})) as SecurityToken;

const granted = expect.objectContaining({ type: TOKEN_TYPE.accessToken });

/** The assertion that a setting makes. */
async function assertionOf(clientAuth: ClientAuth) {
  const { authenticate, sent } = createClientAuthentication(clientAuth, clientId);
  const body = new URLSearchParams();
  await authenticate({ issuer: ISSUER }, { client_id: clientId }, body, new Headers());
  const assertion = body.get('client_assertion') ?? '';
  const [header, claims] = [decodeProtectedHeader(assertion), decodeJwt(assertion)];
  return { header, claims, form: Object.fromEntries(body), sent: sent() };
}

/** How authenticating by a setting fails. */
const failing = (clientAuth: ClientAuth): Promise<OnbehalfError> => failureOf(assertionOf(clientAuth));

const pem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8'): string =>
  key.export({ format: 'pem', type: type as 'pkcs8' }).toString();

/** The lines of a PEM text that must never show. */
const inside = (text: string): string[] => text.split('\n').filter((line) => /^[\w+/=]{8,}/.test(line));

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const edwards = generateKeyPairSync('ed25519');

test.each(['ES256', 'RS256', 'Ed25519'])('private_key_jwt works with a key for %s', async (alg) => {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const sts = await registered({ ...(await exportJWK(publicKey)), kid: 'first', alg });
  for (const keyId of ['first', undefined]) {
    expect(await grantedBy(sts, { method, privateKey, keyId })).toEqual(granted);
  }
});

test.each<[string, string, KeyObject, string | undefined, string]>([
  ['an EC key as PKCS#8', pem(ec.privateKey), ec.publicKey, undefined, 'ES256'],
  ['an EC key as SEC 1', pem(ec.privateKey, 'sec1'), ec.publicKey, undefined, 'ES256'],
  ['an RSA key as PKCS#8', pem(rsa.privateKey), rsa.publicKey, undefined, 'RS256'],
  ['an RSA key as PKCS#1', pem(rsa.privateKey, 'pkcs1'), rsa.publicKey, 'PS256', 'PS256'],
  ['an Ed25519 key as PKCS#8', pem(edwards.privateKey), edwards.publicKey, undefined, 'Ed25519'],
  ['an Ed25519 key by its older name', pem(edwards.privateKey), edwards.publicKey, 'EdDSA', 'EdDSA'],
  [
    'a JWK',
    JSON.stringify({ ...ec.privateKey.export({ format: 'jwk' }), kid: 'of-the-key' }),
    ec.publicKey,
    undefined,
    'ES256',
  ],
  [
    'a JWK that names its algorithm',
    JSON.stringify({ ...rsa.privateKey.export({ format: 'jwk' }), kid: 'of-the-key', alg: 'PS256' }),
    rsa.publicKey,
    undefined,
    'PS256',
  ],
])('a private key may be %s', async (_what, text, publicKey, algorithm, alg) => {
  const volume = await createProjectedVolume({ key: text });
  const sts = await registered({ ...publicKey.export({ format: 'jwk' }), alg, kid: 'of-the-key' });
  for (const privateKey of [text, { file: volume.path('key') }, () => text]) {
    const { header } = await assertionOf({ method, privateKey, algorithm });
    expect(header).toEqual({ alg, ...(text.includes('of-the-key') && { kid: 'of-the-key' }) });
    expect(await grantedBy(sts, { method, privateKey, algorithm })).toEqual(granted);
  }
  expect((await assertionOf({ method, privateKey: text, algorithm, keyId: 'chosen' })).header.kid).toBe(
    'chosen',
  );
});

test('an assertion says what RFC 7523 section 3 asks for, and no two are the same', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 });
  onTestFinished(() => void vi.useRealTimers());
  const one = await assertionOf({ method, privateKey: pem(ec.privateKey) });
  expect(one.form).toEqual({
    client_id: clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: expect.any(String),
  });
  expect(one.claims).toEqual({
    iss: clientId,
    sub: clientId,
    aud: ISSUER,
    iat: 1_800_000_000,
    nbf: 1_800_000_000,
    exp: 1_800_000_060,
    jti: expect.stringMatching(/^[\w-]{20,}$/),
  });
  // So that no error repeats it.
  expect(one.sent).toEqual([one.form.client_assertion]);
  const other = await assertionOf({ method, privateKey: pem(ec.privateKey) });
  expect(other.claims.jti).not.toBe(one.claims.jti);
});

test.each<ClientAuth['method']>(['private_key_jwt', 'client_secret_jwt'])(
  'the assertion of %s can be made to say something else',
  async (by) => {
    const audience = `${ISSUER}/token`;
    const clientSecret = 'a-fake-secret-of-32-bytes-or-more';
    const proof = by === method ? { method, privateKey: pem(ec.privateKey) } : { method: by, clientSecret };
    expect((await assertionOf({ ...proof, audience } as ClientAuth)).claims.aud).toBe(audience);
    const modifyAssertion = (header: Record<string, unknown>, claims: Record<string, unknown>) => {
      header['x5t#S256'] = 'thumbprint';
      claims.aud = [claims.aud, 'more'];
    };
    const changed = await assertionOf({ ...proof, audience, modifyAssertion } as ClientAuth);
    expect(changed.header).toMatchObject({ 'x5t#S256': 'thumbprint' });
    expect(changed.claims.aud).toEqual([audience, 'more']);
  },
);

test('a key that was replaced in its file signs the next assertion', async () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid, alg: 'ES256' });
  const volume = await createProjectedVolume({ key: JSON.stringify(jwk(ec.privateKey, 'first')) });
  const sts = await registered(jwk(ec.publicKey, 'first'), jwk(other.publicKey, 'second'));
  const clientAuth: ClientAuth = { method, privateKey: { file: volume.path('key') } };
  const actor = clientCredentialsActor(serviceOf(sts, { clientAuth, ...once }));
  expect(await actor({})).toEqual(granted);
  await volume.project({ key: JSON.stringify(jwk(other.privateKey, 'second')) });
  expect(await actor({})).toEqual(granted);
  await volume.project({ key: JSON.stringify(jwk(ec.privateKey, 'second')) });
  expect(await failureOf(async () => actor({}))).toMatchObject({ oauthError: 'invalid_client' });
});

test('a key that is not the registered one is refused', async () => {
  const [right, wrong] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')];
  const sts = await registered(await exportJWK(right.publicKey));
  const error = await failureOf(grantedBy(sts, { method, privateKey: wrong.privateKey }));
  expect(error).toMatchObject({ oauthError: 'invalid_client', failure: 'misconfigured' });
});

const half = (text: string): string => text.slice(0, text.length / 2);
const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
const encrypted = ec.privateKey
  .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString();

test.each<[string, string, 'unavailable' | 'misconfigured', string?]>([
  ['a part of a PEM text', half(pem(ec.privateKey)), 'unavailable'],
  ['a part of a JWK', half(JSON.stringify(ec.privateKey.export({ format: 'jwk' }))), 'unavailable'],
  ['a public key', ec.publicKey.export({ format: 'pem', type: 'spki' }).toString(), 'misconfigured'],
  ['a public JWK', JSON.stringify(ec.publicKey.export({ format: 'jwk' })), 'misconfigured'],
  ['a key with a passphrase', encrypted, 'misconfigured'],
  ['an RSA key that is too short', pem(short.privateKey), 'misconfigured'],
  ['a key that signs nothing', pem(generateKeyPairSync('x25519').privateKey), 'misconfigured'],
  ['a key for another algorithm', pem(ec.privateKey), 'misconfigured', 'RS256'],
])('%s is no private key for signing: found at once as value, and told when it is read', async (...row) => {
  const [, text, failure, algorithm] = row;
  const misuse = await thrownBy(() =>
    createClientAuthentication({ method, privateKey: text, algorithm }, clientId),
  );
  expect(misuse).toBeInstanceOf(TypeError);
  expect((misuse as Error).message).toContain('"clientAuth.privateKey"');
  expectNoLeak(misuse, inside(text));
  const file = join(await temporaryDirectory(), 'key');
  await writeFile(file, text);
  const error = await failing({ method, privateKey: { file }, algorithm });
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure });
  expect(error.message).toBe((misuse as Error).message);
  expectNoLeak(error, inside(text));
});

test('a text that is no key is not shown', async () => {
  const text = '{"kty":"EC","d":"fake-private-part"}';
  expectNoLeak(await failing({ method, privateKey: () => text }), ['fake-private-part']);
  const misuse = await thrownBy(() => createClientAuthentication({ method, privateKey: text }, clientId));
  expectNoLeak(misuse, ['fake-private-part']);
});

test('neither the authentication nor a function that fails to change its assertion shows the key', async () => {
  const text = JSON.stringify(ec.privateKey.export({ format: 'jwk' }));
  const { d = '' } = ec.privateKey.export({ format: 'jwk' });
  const clientAuth: ClientAuth = {
    method,
    privateKey: text,
    modifyAssertion: () => {
      throw new Error(`cannot change with ${text}`);
    },
  };
  expectNoLeak(createClientAuthentication(clientAuth, clientId), [d]);
  const error = await failing(clientAuth);
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'misconfigured' });
  expectNoLeak(error, [d]);
});

test.each<
  [string, (keys: { public: CryptoKey; secret: CryptoKey; weak: CryptoKey; deriving: CryptoKey }) => unknown]
>([
  ['a public key', (keys) => keys.public],
  ['a key that is shared', (keys) => keys.secret],
  ['too short an RSA key', (keys) => keys.weak],
  ['a private key that does not sign', (keys) => keys.deriving],
  ['nothing', () => undefined],
  ['a PEM text without a key', () => '-----BEGIN PRIVATE KEY-----'],
  ['an object of another kind', () => ({ kty: 'EC' })],
])('%s is found when the client authentication is made', async (_what, choose) => {
  const { publicKey } = await generateKeyPair('ES256');
  const weak = (await crypto.subtle.importKey(
    'pkcs8',
    short.privateKey.export({ format: 'der', type: 'pkcs8' }),
    { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    false,
    ['sign'],
  )) as CryptoKey;
  const secret = (await generateSecret('HS256')) as CryptoKey;
  const { privateKey: deriving } = await generateKeyPair('ECDH-ES');
  const privateKey = choose({ public: publicKey, secret, weak, deriving }) as CryptoKey;
  const make = () => createClientAuthentication({ method, privateKey }, clientId);
  expect(make).toThrow(TypeError);
  expect(make).toThrow('"clientAuth.privateKey"');
});

test.each(['none', 'HS256', 'RS1'])('%s is no algorithm for a private key', (algorithm) => {
  const make = () =>
    createClientAuthentication({ method, privateKey: pem(rsa.privateKey), algorithm }, clientId);
  expect(make).toThrow('"clientAuth.algorithm"');
});

test('a CryptoKey has its algorithm, and is given no other', async () => {
  const { privateKey } = await generateKeyPair('ES256');
  const make = () => createClientAuthentication({ method, privateKey, algorithm: 'ES256' }, clientId);
  expect(make).toThrow(TypeError);
  expect(make).toThrow('"clientAuth.algorithm"');
});

/** An assertion as another party makes it for the agent. */
async function mint(sts: DevelopmentSts, more: { exp?: number; jti?: string } = {}): Promise<string> {
  const key = await importJWK(ec.privateKey.export({ format: 'jwk' }) as JWK, 'ES256');
  const { exp = seconds(Date.now()) + 60, jti = crypto.randomUUID() } = more;
  return new SignJWT({ iss: clientId, sub: clientId, aud: sts.issuer, iat: seconds(Date.now()), exp, jti })
    .setProtectedHeader({ alg: 'ES256' })
    .sign(key);
}

test('an assertion that another party made is sent as it is now, and accepted', async () => {
  const sts = await registered(ec.publicKey.export({ format: 'jwk' }));
  const volume = await createProjectedVolume({ token: `${await mint(sts)}\n` });
  const clientAuth: ClientAuth = { method: 'client_assertion', assertion: { file: volume.path('token') } };
  const actor = clientCredentialsActor(serviceOf(sts, { clientAuth, ...once }));
  expect(await actor({})).toEqual(granted);
  // The STS takes an assertion once only, so a second success is by the new one.
  await volume.project({ token: await mint(sts) });
  expect(await actor({})).toEqual(granted);
});

test('a projected service-account token is sent as RFC 7523 section 2.2 says', async () => {
  const assertion = fakeJwt({ iss: 'https://kubernetes.example.com', sub: 'system:serviceaccount:a:b' });
  const { form } = await assertionOf({ method: 'client_assertion', assertion: () => assertion });
  expect(form).toEqual({
    client_id: clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
});

test.each<[string, string, () => string]>([
  ['has expired', 'has expired', () => fakeJwt({ exp: seconds(Date.now()) })],
  ['expires at no time', 'has expired', () => fakeJwt({ exp: 'tomorrow' })],
  ['is a part of one', 'a part of one', () => half(fakeJwt({ sub: 'agent', more: 'x'.repeat(300) }))],
  ['is no JWT', 'no JWT', () => 'an-opaque-token-of-a-test'],
])('an assertion that %s is not sent', async (_what, reason, make) => {
  const file = join(await temporaryDirectory(), 'token');
  const clientAuth: ClientAuth = { method: 'client_assertion', assertion: { file } };
  const sts = await startPlainSts(undefined, { clientAuth, ...once });
  const bad = make();
  await writeFile(file, bad);
  const error = await failureOf(async () => clientCredentialsActor(sts.service)({}));
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'unavailable' });
  expect(error.message).toContain('"clientAuth.assertion"');
  expect(error.message).toContain(reason);
  expectNoLeak(error, [bad]);
  expect(sts.received).toEqual([]);
});

test('an assertion given as value will not be renewed by itself', async () => {
  const assertion = fakeJwt({ exp: seconds(Date.now()) - 1 });
  expect(await failing({ method: 'client_assertion', assertion })).toMatchObject({
    code: 'client_auth_unavailable',
    failure: 'misconfigured',
  });
});
