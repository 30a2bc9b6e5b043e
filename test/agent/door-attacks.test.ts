// Tokens that are no good, at the door over HTTP: each is refused, and neither the STS nor an MCP server hears anything of it.
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { AgentServer } from '../../src/agent/types.ts';
import { createGate } from '../mcp/support.ts';
import { seconds } from '../support/jwt.ts';
import { always, startLoopback } from '../support/loopback.ts';
import {
  AGENT,
  callsAt,
  configOf,
  message,
  playing,
  rpc,
  send,
  serve,
  setStage,
  tokenService,
} from './support.ts';

const ISSUER = 'https://idp.example.com';

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An agent for users of an issuer with one key, and ways to make tokens. */
async function setDoor() {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const [own, foreign] = await Promise.all([keyPair(), keyPair()]);
  const keys = await startLoopback(always({ keys: [own.jwk] }));
  const elsewhere = await startLoopback(always({ keys: [foreign.jwk] }));
  const server = await serve({
    ...configOf(stage, [calendar]),
    authentication: {
      ...{ mode: 'jwt', audience: AGENT },
      issuers: [{ issuer: ISSUER, jwks_url: `${keys.origin}/jwks` }],
    },
  });
  const claims = { iss: ISSUER, sub: 'alice', aud: AGENT, exp: seconds(Date.now()) + 300 };
  const sign = (
    more: JWTPayload = {},
    { key = own, header = {} }: { key?: typeof own; header?: object } = {},
  ): Promise<string> =>
    new SignJWT({ ...claims, ...more })
      .setProtectedHeader({ alg: 'RS256', kid: 'one', ...header })
      .sign(key.privateKey);
  /** Whether anything but the fetching of keys was asked for. */
  const isUntouched = (): void => {
    expect(calendar.requests).toEqual([]);
    expect(stage.sts.exchanges).toEqual([]);
    expect(elsewhere.received).toEqual([]);
  };
  return { stage, calendar, own, foreign, elsewhere, server, claims, sign, isUntouched };
}

async function keyPair() {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
  return { publicKey, privateKey, jwk };
}

const refusedBy = async (server: AgentServer, token: string): Promise<unknown[]> => {
  const { status, headers, text } = await send(server, token);
  return [status, /error="(\w+)"/.exec(headers.get('www-authenticate') ?? '')?.[1], text.includes(token)];
};

test('a token whose claims are no good is refused', async () => {
  const { server, sign, isUntouched } = await setDoor();
  const now = seconds(Date.now());
  const none = undefined as unknown as string;
  const bad: Record<string, JWTPayload> = {
    expired: { exp: now - 10 },
    'expired, but for a clock that is behind': { exp: now - 2 },
    'without an end': { exp: undefined as unknown as number },
    'not valid yet': { nbf: now + 60 },
    'for another audience': { aud: 'calendar' },
    'for others': { aud: ['calendar', `${AGENT}2`] },
    'for nobody': { aud: none },
    'of another issuer': { iss: `${ISSUER}/` },
    'of no issuer': { iss: none },
    'of nobody': { sub: none },
    'of an empty subject': { sub: '' },
  };

  for (const [why, claims] of Object.entries(bad)) {
    expect([why, await refusedBy(server, await sign(claims))]).toEqual([why, [401, 'invalid_token', false]]);
  }
  isUntouched();
  expect((await send(server, await sign({ aud: ['calendar', AGENT] }))).status).toBe(200);
});

test('a token that no key of its issuer has signed is refused, whatever it says of its key', async () => {
  const { server, own, foreign, elsewhere, claims, sign, isUntouched } = await setDoor();
  const unsigned = (header: object): string => `${encode(header)}.${encode(claims)}`;
  const byPublicKey = (secret: string): string => {
    const text = unsigned({ alg: 'HS256', kid: 'one' });
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const good = await sign();
  const [head = '', , signature = ''] = good.split('.');
  const bad: Record<string, string> = {
    'alg none': `${unsigned({ alg: 'none' })}.`,
    'alg None': `${unsigned({ alg: 'None' })}.`,
    'alg none with a signature': `${unsigned({ alg: 'none', kid: 'one' })}.${signature}`,
    'no alg': `${unsigned({ kid: 'one' })}.${signature}`,
    'the public key as a secret, as PEM': byPublicKey(await exportSPKI(own.publicKey)),
    'the public key as a secret, as JSON': byPublicKey(JSON.stringify(own.jwk)),
    'the modulus as a secret': byPublicKey(own.jwk.n as string),
    'an empty secret': byPublicKey(''),
    'another key of the same name': await sign({}, { key: foreign }),
    'a key that it brings': await sign({}, { key: foreign, header: { jwk: foreign.jwk } }),
    'a key elsewhere': await sign({}, { key: foreign, header: { jku: `${elsewhere.origin}/jwks` } }),
    'a certificate that it brings': await sign({}, { key: foreign, header: { x5c: ['AAAA'] } }),
    'a key of another name': await sign({}, { header: { kid: '../../one' } }),
    'a signature of another algorithm': `${encode({ alg: 'ES256', kid: 'one' })}.${encode(claims)}.${signature}`,
    'other claims': `${head}.${encode({ ...claims, sub: 'bob' })}.${signature}`,
    'no signature': `${head}.${encode(claims)}.`,
    'half a signature': good.slice(0, -100),
    'what must be understood': `${encode({ alg: 'RS256', kid: 'one', crit: ['b64'], b64: false })}.${encode(claims)}.${signature}`,
    'an encrypted one': `${encode({ alg: 'dir', enc: 'A256GCM' })}..AAAA.AAAA.AAAA`,
  };

  for (const [why, token] of Object.entries(bad)) {
    expect([why, await refusedBy(server, token)]).toEqual([why, [401, 'invalid_token', false]]);
  }
  isUntouched();
  expect((await send(server, good)).status).toBe(200);
});

test('a token that is too large is refused, and costs others nothing', async () => {
  const { server, sign, isUntouched } = await setDoor();
  const post = (headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = request(server.url, { method: 'POST', headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.on('error', reject).end('{}');
    });

  expect(await post({ authorization: `Bearer ${'a'.repeat(20_000)}` })).toBe(431);
  expect(await post({ authorization: `Bearer ${await sign({ pad: 'x'.repeat(100_000) })}` })).toBe(431);
  expect(await post({ authorization: `Bearer ${'a.'.repeat(7_000)}` })).toBe(401);
  expect(await post({ authorization: `Bearer ${encode({ alg: 'RS256' })}.${'W1'.repeat(6_000)}.AAAA` })).toBe(
    401,
  );
  isUntouched();
  expect((await send(server, await sign())).status).toBe(200);
});

test('a token is taken from one Authorization field, and from nowhere else', async () => {
  const { server, sign, isUntouched } = await setDoor();
  const good = await sign();
  const post = (
    path: string,
    headers: Record<string, string | string[]>,
    body = '{}',
  ): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = request(`${server.url}${path}`, { method: 'POST', headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.on('error', reject).end(body);
    });

  expect(await post(`/?access_token=${good}`, {})).toBe(401);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  expect(await post('/', form, `access_token=${good}`)).toBe(401);
  expect(await post('/', { cookie: `token=${good}`, 'x-forwarded-access-token': good })).toBe(401);
  expect(await post('/', { authorization: `Basic ${good}` })).toBe(401);
  expect(await post('/', { authorization: [`Bearer ${good}`, `Bearer ${good}`] })).toBe(400);
  isUntouched();
});

/** Only the time of day: whoever waits for a server does so really. Before the server starts, which keeps the clock that it finds. */
function stopClock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  return (ms) => void vi.setSystemTime(Date.now() + ms);
}

test('a token that was good is refused once it has expired, in its own conversation too, and what was kept for it is not used', async () => {
  const pass = stopClock();
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const services = { token_services: { sts: tokenService(stage.sts) }, retention: 'subject' };
  const server = await serve(configOf(stage, [calendar], { token_exchange: services }));
  const alice = await stage.token('alice');
  const { contextId, id } = (await send(server, alice)).body.result;
  // While it is good it may be used again: nothing is exchanged anew.
  await send(server, alice, { contextId });
  const before = [stage.sts.exchanges.length, callsAt(calendar).length];
  expect(callsAt(calendar)).toHaveLength(2);
  expect(before[0]).toBe(1);

  pass(301_000);

  expect((await refusedBy(server, alice)).slice(0, 2)).toEqual([401, 'invalid_token']);
  for (const [method, params] of [
    ['message/send', message('Go.', { contextId })],
    ['message/stream', message('Go.', { contextId })],
    ['tasks/get', { id }],
    ['tasks/cancel', { id }],
  ] as const) {
    expect([method, (await rpc(server, alice, method, params)).status]).toEqual([method, 401]);
  }
  expect([stage.sts.exchanges.length, callsAt(calendar).length]).toEqual(before);

  const fresh = await send(server, await stage.token('alice'), { contextId });
  expect(fresh.body.result.status.state).toBe('completed');
  expect(stage.sts.exchanges).toHaveLength(2);
});

test('a token that expires while its run is under way is exchanged no more, and what was kept for it is not used', async () => {
  const pass = stopClock();
  const stage = await setStage();
  const gate = createGate();
  onTestFinished(() => gate.open());
  const calendar = await stage.mcp('calendar', { onCall: () => gate.wait() });
  const mail = await stage.mcp('mail');
  const services = { token_services: { sts: tokenService(stage.sts) }, retention: 'subject' };
  const server = await serve(
    configOf(stage, [calendar, mail], {
      token_exchange: services,
      model: playing(['calendar_tool'], ['calendar_tool'], ['mail_tool']),
    }),
  );
  const running = send(server, await stage.token('alice'));
  await gate.reached(1);

  pass(301_000);
  gate.open();
  const { text, body } = await running;

  expect(body.result.status.state).toBe('auth-required');
  expect(text).toContain('subject_expired');
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  expect(callsAt(mail)).toEqual([]);
  expect(stage.sts.exchanges).toHaveLength(1);
});

test('a token that another client sends again is the same user there, and no more', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const server = await serve(configOf(stage, [calendar]));
  const [alice, bob] = [await stage.token('alice'), await stage.token('bob')];
  const hers = (await send(server, alice)).body.result;
  const his = (await send(server, bob)).body.result;

  const again = (await send(server, alice, { contextId: 'of-another-client' })).body.result;
  expect(again.status.state).toBe('completed');
  const before = [stage.sts.exchanges.length, callsAt(calendar).length];
  expect((await rpc(server, alice, 'tasks/get', { id: hers.id })).body.result.id).toBe(hers.id);
  expect((await send(server, alice, { contextId: his.contextId })).body.error.code).toBe(-32602);
  expect((await rpc(server, alice, 'tasks/get', { id: his.id })).body.error.code).toBe(-32001);
  expect((await send(server, bob, { contextId: 'of-another-client' })).body.error.code).toBe(-32602);

  expect([stage.sts.exchanges.length, callsAt(calendar).length]).toEqual(before);
  expect(callsAt(calendar)).toEqual(
    ['alice', 'bob', 'alice'].map((sub) => `${sub} for calendar by ${AGENT}: 200`),
  );
});
