import { createHmac } from 'node:crypto';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { json, startLoopback } from '../support/loopback.ts';
import { AGENT, callsAt, configOf, send, serve, setStage, startSts } from './support.ts';

const CARD_URL = 'https://assistant.example.com/';

test('a request without a token is answered 401, with the way to get one', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const server = await serve(configOf(stage, [calendar]));

  const { status, headers } = await send(server, undefined);

  expect(status).toBe(401);
  const where = /^Bearer resource_metadata="(.*)"$/.exec(headers.get('www-authenticate') ?? '')?.[1];
  expect(where).toBe(`${server.url}/.well-known/oauth-protected-resource`);
  expect(await (await fetch(String(where))).json()).toEqual({
    resource: server.url,
    authorization_servers: [stage.sts.issuer],
    bearer_methods_supported: ['header'],
  });
  expect(calendar.requests).toEqual([]);
});

test('the metadata is where the card says that the agent is', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, []), { card: { name: 'assistant', url: CARD_URL } });

  const { headers } = await send(server, undefined);

  expect(headers.get('www-authenticate')).toBe(
    'Bearer resource_metadata="https://assistant.example.com/.well-known/oauth-protected-resource"',
  );
});

test('a token for another audience, of another issuer, or that is over is answered 401', async () => {
  const stage = await setStage();
  const stranger = await startSts();
  const calendar = await stage.mcp('calendar');
  const server = await serve(configOf(stage, [calendar]));
  const mint = (sts: typeof stranger, audience: string, expiresIn = 300): Promise<string> =>
    sts.mintSubjectToken({ sub: 'alice', audience, expiresIn });

  const refused = {
    'another audience': await mint(stage.sts, 'calendar'),
    'another issuer': await mint(stranger, AGENT),
    over: await mint(stage.sts, AGENT, -10),
    'over, within the tolerance': await mint(stage.sts, AGENT, -2),
    'no JWT': 'opaque',
  };
  for (const [why, token] of Object.entries(refused)) {
    const { status, headers, text } = await send(server, token);
    expect([why, status]).toEqual([why, 401]);
    expect(headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(text).not.toContain(token);
  }
  expect(calendar.requests).toEqual([]);
  expect((await send(server, await mint(stage.sts, AGENT))).status).toBe(200);
});

test('a token that is not signed, or with a public key as if it were a secret, is answered 401', async () => {
  const stage = await setStage();
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await import('jose').then(({ exportJWK }) => exportJWK(publicKey))), alg: 'RS256' };
  const keys = await startLoopback((_request, response) => json(response, { keys: [jwk] }));
  const issuer = 'https://idp.example.com';
  const server = await serve({
    ...configOf(stage, []),
    authentication: {
      ...{ mode: 'jwt', audience: AGENT },
      issuers: [{ issuer, jwks_url: `${keys.origin}/jwks` }],
    },
  });
  const claims = { iss: issuer, sub: 'alice', aud: AGENT, exp: seconds(Date.now()) + 300 };
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = (header: object): string => `${encode(header)}.${encode(claims)}`;
  const hs256 = signed({ alg: 'HS256' });
  const secret = await exportSPKI(publicKey);

  const good = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(privateKey);
  expect((await send(server, good)).status).toBe(200);
  for (const token of [
    `${signed({ alg: 'none' })}.`,
    `${hs256}.${createHmac('sha256', secret).update(hs256).digest('base64url')}`,
    fakeJwt(claims),
    `${good.slice(0, -8)}AAAAAAAA`,
  ]) {
    expect((await send(server, token)).status).toBe(401);
  }
});

test('keys that cannot be had are answered 503, and asked for again later', async () => {
  const stage = await setStage();
  const keys = await startLoopback((_request, response) => json(response, {}, { status: 500 }));
  const errors: unknown[] = [];
  const server = await serve(
    {
      ...configOf(stage, []),
      authentication: {
        ...{ mode: 'jwt', audience: AGENT },
        issuers: [{ issuer: stage.sts.issuer, jwks_url: `${keys.origin}/jwks` }],
      },
    },
    { onError: (error) => errors.push(error) },
  );
  const token = await stage.token('alice');

  expect((await send(server, token)).status).toBe(503);
  expect(errors.length).toBe(1);
  const real = await (await fetch(stage.sts.jwksUri)).json();
  keys.handle((_request, response) => json(response, real));
  expect((await send(server, token)).status).toBe(200);
});

test('metadata of another issuer is not believed', async () => {
  const stage = await setStage();
  const liar = await startLoopback((_request, response) =>
    json(response, { issuer: stage.sts.issuer, jwks_uri: stage.sts.jwksUri }),
  );
  const errors: unknown[] = [];
  const server = await serve(
    {
      ...configOf(stage, []),
      authentication: { mode: 'jwt', audience: AGENT, issuers: [{ issuer: liar.origin }] },
    },
    { onError: (error) => errors.push(error) },
  );

  const answer = await send(
    server,
    fakeJwt({ iss: liar.origin, sub: 'alice', aud: AGENT, exp: seconds(Date.now()) + 300 }),
  );

  expect(answer.status).toBe(503);
  expect(String(errors[0])).toContain('is not of this issuer');
});

test('behind a trusted proxy the token is only read, and the warning is loud', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const warnings: string[] = [];
  const config = {
    ...configOf(stage, [calendar]),
    authentication: { mode: 'trusted_proxy', audience: AGENT },
  };
  const server = await serve(config, { onWarning: (text) => warnings.push(text) });

  expect(warnings.join()).toContain('tokens are not verified here');
  expect((await send(server, undefined)).status).toBe(401);
  expect((await send(server, await stage.token('alice', 'calendar'))).status).toBe(401);
  expect((await send(server, await stage.token('alice'))).status).toBe(200);
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
});

test('anonymous callers get the agent without its delegated tools', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const warnings: string[] = [];
  const config = { ...configOf(stage, [calendar]), authentication: { mode: 'anonymous' } };
  const server = await serve(config, { onWarning: (text) => warnings.push(text) });

  // Not even with a token: nobody has verified it.
  const { status } = await send(server, await stage.token('alice'));

  expect(status).toBe(200);
  expect(calendar.requests).toEqual([]);
  expect(stage.sts.exchanges).toEqual([]);
  expect(warnings.join('\n')).toContain('http_tools[0]: left out');
  expect(warnings.join('\n')).toContain('all callers are one user');
});
