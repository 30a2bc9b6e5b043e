// Tokens that do not say by which key of their issuer they are signed (RFC 7515 section 4.1.4: "kid" is optional), and what the log is told where
// nobody can say whether a token is good.
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
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
  const server = await serve(
    {
      ...configOf(stage, []),
      authentication: {
        ...{ mode: 'jwt', audience: AGENT },
        issuers: [{ issuer: ISSUER, jwks_url: `${issuer.origin}/jwks` }],
      },
    },
    { onError: (error) => errors.push(error) },
  );
  return { server, pairs: pairs as [Pair, ...Pair[]], stranger, issuer, errors };
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

test('of an address of which many tokens are refused no more are looked at, but for those that were good before', async () => {
  const now = vi.spyOn(Date, 'now');
  onTestFinished(() => now.mockRestore());
  const start = Date.now();
  now.mockImplementation(() => start);
  const { server, pairs, errors } = await setDoor(1);
  const good = await signed(pairs[0]);
  expect((await send(server, good)).status).toBe(200);

  for (let i = 0; i < 1_200; i += 100) {
    const refused = await Promise.all(Array.from({ length: 100 }, () => send(server, UNSIGNED)));
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([401]));
  }

  const { status, headers } = await send(server, UNSIGNED);
  expect([status, headers.get('retry-after')]).toEqual([429, '1']);
  expect((await send(server, await signed(pairs[0], { jti: 'new' }))).status).toBe(429);
  expect((await send(server, good)).status).toBe(200);
  expect((await send(server, undefined)).status).toBe(401);
  now.mockImplementation(() => start + 1_000);
  expect((await send(server, await signed(pairs[0], { jti: 'new' }))).status).toBe(200);
  expect(errors).toEqual([]);
}, 60_000);
