// Tokens that do not say by which key of their issuer they are signed (RFC 7515 section 4.1.4: "kid" is optional), and what the log is told where
// nobody can say whether a token is good.
import type { IncomingMessage } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createDoor, createVerifier, type Verifier } from '../../src/agent/door.ts';
import type { RuntimeConfig } from '../../src/config/runtime-config.ts';
import { seconds } from '../support/jwt.ts';
import { always, json, startLoopback } from '../support/loopback.ts';
import { AGENT, configOf, send, serve, setStage } from './support.ts';

const ISSUER = 'https://idp.example.com';
const CLAIMS = { iss: ISSUER, sub: 'alice', aud: AGENT };

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const UNSIGNED = `${encode({ alg: 'RS256' })}.${encode(CLAIMS)}.AAAA`;

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

const signed = ({ privateKey }: Pair, more: object = {}): Promise<string> =>
  new SignJWT({ ...CLAIMS, exp: seconds(Date.now()) + 300, ...more })
    .setProtectedHeader({ alg: 'RS256' })
    .sign(privateKey);

/** An agent for users of an issuer with so many keys. */
async function setDoor(count: number) {
  const stage = await setStage();
  const pairs = await Promise.all(Array.from({ length: count }, () => generateKeyPair('RS256')));
  const [stranger] = await Promise.all([generateKeyPair('RS256')]);
  const keys = await Promise.all(
    pairs.map(async ({ publicKey }, index) => ({
      ...(await exportJWK(publicKey)),
      ...{ kid: `key-${index}`, alg: 'RS256' },
    })),
  );
  const issuer = await startLoopback(always({ keys }));
  const errors: unknown[] = [];
  const issuers = [{ issuer: ISSUER, jwks_url: `${issuer.origin}/jwks` }];
  const config = { ...configOf(stage, []), authentication: { mode: 'jwt', audience: AGENT, issuers } };
  const server = await serve(config, { onError: (error) => errors.push(error) });
  return {
    server,
    config: config as unknown as RuntimeConfig,
    pairs: pairs as [Pair, ...Pair[]],
    stranger,
    issuer,
    errors,
  };
}

const statusOf = async (...asked: Parameters<typeof send>): Promise<unknown[]> => {
  const { status, text } = await send(...asked);
  return status === 200 ? [200] : [status, JSON.parse(text).error];
};

test('a token without the name of its key is good by any key of its issuer, and bad by none', async () => {
  const { server, pairs, stranger, errors } = await setDoor(3);

  for (const pair of pairs) expect(await statusOf(server, await signed(pair))).toEqual([200]);
  const last = pairs.at(-1) as Pair;
  for (const token of [
    await signed(stranger),
    UNSIGNED,
    await signed(last, { exp: seconds(Date.now()) - 60 }),
    await signed(last, { aud: 'calendar' }),
  ]) {
    expect(await statusOf(server, token)).toEqual([401, 'invalid_token']);
  }
  expect(errors).toEqual([]);
});

test('of many keys only so many are tried', async () => {
  const { server, pairs, errors } = await setDoor(9);

  expect(await statusOf(server, await signed(pairs[7] as Pair))).toEqual([200]);
  expect(await statusOf(server, await signed(pairs[8] as Pair))).toEqual([401, 'invalid_token']);
  expect(errors).toEqual([]);
});

test('that keys cannot be had is told once in a while, with how often', async () => {
  const now = vi.spyOn(Date, 'now');
  onTestFinished(() => now.mockRestore());
  const start = Date.now();
  const { server, pairs, issuer, errors } = await setDoor(1);
  issuer.handle((_request, response) => json(response, {}, { status: 500 }));
  const token = await signed(pairs[0]);

  for (let i = 0; i < 20; i++) expect((await send(server, token)).status).toBe(503);
  expect(errors).toEqual([expect.objectContaining({ message: expect.not.stringContaining('more') })]);
  now.mockImplementation(() => start + 60_000);
  expect((await send(server, token)).status).toBe(503);

  expect(errors.length).toBe(2);
  expect(errors[1]).toMatchObject({ message: expect.stringContaining('(19 more since it was told)') });
});

test('of an address of which many tokens are forged no more are looked at, but for those that were good before', async () => {
  const now = vi.spyOn(Date, 'now');
  onTestFinished(() => now.mockRestore());
  const start = Date.now();
  now.mockImplementation(() => start);
  const { pairs, stranger, config } = await setDoor(1);
  const { verify } = createVerifier(config) as Verifier;
  const door = createDoor({ verify, resourceMetadata: undefined, maxForgedPerMinute: 60 });
  const statusFor = async (token: string, address = '10.0.0.1'): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await door({
      headers,
      rawHeaders: [],
      socket: { remoteAddress: address },
    } as unknown as IncomingMessage);
    return 'status' in answer ? answer.status : 200;
  };
  const good = await signed(pairs[0]);
  expect(await statusFor(good)).toBe(200);

  // What is refused before anything is verified costs nothing, and may be an honest client's that tries again and again.
  const cheap = [
    'no-token',
    await signed(stranger, { iss: 'https://other.example.com' }),
    await signed(pairs[0], { exp: seconds(start) - 60 }),
    await signed(pairs[0], { aud: 'calendar' }),
  ];
  for (let times = 0; times < 30; times++)
    for (const token of cheap) expect(await statusFor(token)).toBe(401);
  const forged = [UNSIGNED, await signed(stranger)];
  for (let times = 0; times < 30; times++)
    for (const token of forged) expect(await statusFor(token)).toBe(401);

  expect(await statusFor(UNSIGNED)).toBe(429);
  const fresh = await signed(pairs[0], { jti: 'new' });
  expect([await statusFor(fresh), await statusFor(fresh, '10.0.0.2')]).toEqual([429, 200]);
  expect(await statusFor(good)).toBe(200);
  now.mockImplementation(() => start + 1_000);
  expect(await statusFor(await signed(pairs[0], { jti: 'newer' }))).toBe(200);
});
