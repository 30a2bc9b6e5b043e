import { connect } from 'node:net';
import { decodeJwt } from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createDevelopmentSts, type DevelopmentStsOptions } from '../../src/sts/index.ts';
import { AGENT, basic, EXCHANGE, exchangeForm, post, postRaw, startSts } from './support.ts';

test('metadata is served for OAuth and for OpenID, and names what there is and nothing else', async () => {
  const sts = await startSts();
  const metadata = (await (await fetch(sts.metadataUrl)).json()) as Record<string, unknown>;
  expect(metadata).toMatchObject({
    issuer: sts.issuer,
    token_endpoint: sts.tokenEndpoint,
    jwks_uri: sts.jwksUri,
    grant_types_supported: [EXCHANGE, 'client_credentials'],
    token_endpoint_auth_methods_supported: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'none',
    ],
    scopes_supported: ['read', 'write'],
    response_types_supported: [],
  });
  expect(metadata).not.toHaveProperty('authorization_endpoint');
  const openid = await fetch(`${sts.issuer}/.well-known/openid-configuration`);
  expect(await openid.json()).toEqual(metadata);
  expect((await fetch(`${sts.issuer}/auth`)).status).toBe(404);
});

test('the JWKS holds public keys only', async () => {
  const sts = await startSts();
  const { keys } = (await (await fetch(sts.jwksUri)).json()) as { keys: Record<string, unknown>[] };
  expect(keys).toEqual([
    {
      kty: 'EC',
      crv: 'P-256',
      alg: 'ES256',
      use: 'sig',
      kid: expect.any(String),
      x: expect.any(String),
      y: expect.any(String),
    },
  ]);
});

test('grants that are not there are refused', async () => {
  const sts = await startSts();
  for (const grant_type of ['refresh_token', 'authorization_code', 'password']) {
    expect((await post(sts, { grant_type })).body).toMatchObject({ error: 'unsupported_grant_type' });
  }
});

test('an option that is undefined is as good as left out', async () => {
  const options: Required<{ [Name in keyof DevelopmentStsOptions]: DevelopmentStsOptions[Name] }> = {
    clients: [
      { ...AGENT, jwks: undefined, scopes: undefined },
      { clientId: 'public', authentication: 'none', clientSecret: undefined, audiences: [] },
    ],
    users: [{ sub: 'alice', name: undefined }],
    host: undefined,
    port: undefined,
    dangerouslyAllowNonLoopback: undefined,
    accessTokenTtl: undefined,
    trustedIssuers: undefined,
    onExchange: undefined,
    onToken: undefined,
  };
  const sts = await createDevelopmentSts(options);
  onTestFinished(() => sts.close());
  sts.inject({ kind: 'wrong-audience', value: undefined, times: undefined, audience: undefined });
  const more = { scope: undefined, expiresIn: undefined, claims: undefined };
  const subject_token = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId, ...more });
  const { status, body } = await post(sts, { ...(await exchangeForm(sts)), subject_token });
  expect(status).toBe(200);
  expect(decodeJwt(String(body.access_token)).aud).toBe('wrong-audience');
});

test('a body that is too long is refused and does not stop the server', async () => {
  const sts = await startSts();
  const form = await exchangeForm(sts);
  for (const size of [60, 200]) {
    const { status } = await postRaw(sts, { ...form, scope: 'x'.repeat(size * 1024) });
    expect([400, 413]).toContain(status);
  }
  expect((await post(sts, form)).status).toBe(200);
});

test('the issuer is 127.0.0.1 with a free port unless a port is given', async () => {
  const first = await startSts();
  expect(first.issuer).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const port = Number(new URL(first.issuer).port);
  await expect(startSts({ port })).rejects.toThrow(/port \d+: the port is in use/);
  await first.close();
  expect((await startSts({ port })).issuer).toBe(first.issuer);
});

test.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com'])(
  '%s is refused',
  async (host) => {
    await expect(startSts({ host })).rejects.toThrow(/loopback.*dangerouslyAllowNonLoopback/);
  },
);

test('localhost is loopback, and other addresses are accepted when that is asked for', async () => {
  expect((await startSts({ host: 'localhost' })).issuer).toMatch(/^http:\/\/localhost:\d+$/);
  const open = await startSts({ host: '0.0.0.0', dangerouslyAllowNonLoopback: true });
  expect((await fetch(open.jwksUri.replace('0.0.0.0', '127.0.0.1'))).status).toBe(200);
});

test('close leaves no listener and no open socket, and may be called again', async () => {
  const sts = await startSts();
  const { port, hostname } = new URL(sts.issuer);
  const idle = connect(Number(port), hostname);
  await new Promise((resolve) => idle.once('connect', resolve));
  const ended = new Promise((resolve) => idle.once('close', resolve));

  await sts.close();
  await sts.close();

  await ended;
  await expect(fetch(sts.jwksUri)).rejects.toThrow(TypeError);
});

test('nothing is printed while the server starts, works and refuses', async () => {
  const methods = ['log', 'info', 'warn', 'error', 'debug'] as const;
  const spies = methods.map((name) => vi.spyOn(console, name));
  const streams = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')];
  try {
    const sts = await startSts();
    await post(sts, await exchangeForm(sts));
    await post(sts, await exchangeForm(sts), basic({ ...AGENT, clientSecret: 'wrong' }));
    const page = { ...basic(AGENT), origin: 'https://evil.example' };
    expect((await post(sts, await exchangeForm(sts), page)).body).toMatchObject({ error: 'invalid_request' });
    await sts.close();
    for (const spy of [...spies, ...streams]) expect(spy).not.toHaveBeenCalled();
  } finally {
    vi.restoreAllMocks();
  }
});

test.each<[string, object]>([
  ['the configuration has an unknown field "client"', { client: [] }],
  ['clients must be an array', { clients: undefined }],
  ['clients must name at least one client', { clients: [] }],
  ['clients[0] has an unknown field "secret"', { clients: [{ ...AGENT, secret: 'x' }] }],
  ['clients[0].clientId must be a non-empty string', { clients: [{ ...AGENT, clientId: '' }] }],
  ['clients[0].clientId must be printable ASCII', { clients: [{ ...AGENT, clientId: 'ägent' }] }],
  ['clients[0].authentication must be one of', { clients: [{ ...AGENT, authentication: 'basic' }] }],
  ['clients[0].clientSecret is missing', { clients: [{ ...AGENT, clientSecret: undefined }] }],
  ['clients[0].clientSecret must not be there', { clients: [{ ...AGENT, authentication: 'none' }] }],
  ['clients[0].jwks must not be there', { clients: [{ ...AGENT, jwks: { keys: [] } }] }],
  [
    'clients[0].jwks.keys[0] must be a public key',
    {
      clients: [
        {
          clientId: 'a',
          authentication: 'private_key_jwt',
          audiences: [],
          jwks: { keys: [{ kty: 'EC', d: 'x' }] },
        },
      ],
    },
  ],
  ['clients[0].audiences must be an array', { clients: [{ ...AGENT, audiences: 'calendar' }] }],
  ['clients[0].scopes[1] must be', { clients: [{ ...AGENT, scopes: ['a', 1] }] }],
  ['clients[1].clientId is there twice: agent', { clients: [AGENT, AGENT] }],
  ['users[0].sub must be', { users: [{ name: 'Alice' }] }],
  ['users[1].sub is there twice: a', { users: [{ sub: 'a' }, { sub: 'a' }] }],
  ['trustedIssuers[0] must have exactly one of', { trustedIssuers: [{ issuer: 'https://a.example' }] }],
  ['trustedIssuers[0].jwksUri', { trustedIssuers: [{ issuer: 'a', jwksUri: 'http://a.example/jwks' }] }],
  ['port must be a whole number from 0 to 65535', { port: 65536 }],
  ['accessTokenTtl must be a whole number from 1', { accessTokenTtl: 0 }],
  ['dangerouslyAllowNonLoopback must be true or false', { dangerouslyAllowNonLoopback: 'yes' }],
])('wrong options are refused by path: %s', async (message, options) => {
  const given = { clients: [AGENT], ...options } as DevelopmentStsOptions;
  const error = await createDevelopmentSts(given).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message.startsWith(message), (error as Error).message).toBe(true);
});
