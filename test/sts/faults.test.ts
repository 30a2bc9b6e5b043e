import { createRemoteJWKSet, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import type { DevelopmentSts, Fault } from '../../src/sts/index.ts';
import { ACCESS_TOKEN, exchangeForm, type Form, post, postRaw, startSts } from './support.ts';

/** The claims of an exchange by delegation with the scope `read`, after a check of the real signature. */
async function delegated(sts: DevelopmentSts): Promise<Record<string, unknown>> {
  const { body } = await post(sts, await delegation(sts));
  expect(body).toMatchObject({ scope: 'read', issued_token_type: ACCESS_TOKEN });
  const keys = createRemoteJWKSet(new URL(sts.jwksUri));
  return (await jwtVerify(String(body.access_token), keys)).payload;
}

async function delegation(sts: DevelopmentSts): Promise<Form> {
  const { body } = await post(sts, { grant_type: 'client_credentials' });
  return exchangeForm(sts, {
    actor_token: String(body.access_token),
    actor_token_type: ACCESS_TOKEN,
    scope: 'read',
  });
}

const TRUTH = { sub: 'alice', aud: 'calendar', scope: 'read', act: { sub: 'agent' } };

test.each<[Fault, Record<string, unknown>]>([
  [{ kind: 'wrong-audience' }, { aud: 'wrong-audience' }],
  [{ kind: 'wrong-audience', value: 'files' }, { aud: 'files' }],
  [{ kind: 'other-subject' }, { sub: 'somebody-else' }],
  [{ kind: 'other-subject', value: 'bob' }, { sub: 'bob' }],
  [{ kind: 'wider-scope' }, { scope: 'read everything' }],
])('the lie %j is signed by the real key and told once', async (fault, lie) => {
  const sts = await startSts();
  sts.inject(fault);
  expect(await delegated(sts)).toMatchObject({ ...TRUTH, ...lie });
  expect(sts.exchanges.at(-1)).toMatchObject({ outcome: 'issued', fault: fault.kind });
  expect(await delegated(sts)).toMatchObject(TRUTH);
  expect(sts.exchanges.at(-1)).not.toHaveProperty('fault');
});

test('no-act leaves out the act claim alone', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'no-act' });
  const { act: _, ...others } = TRUTH;
  const claims = await delegated(sts);
  expect(claims).toMatchObject(others);
  expect(claims).not.toHaveProperty('act');
});

test('opaque answers with a string that is no JWT', async () => {
  const tokens: string[] = [];
  const sts = await startSts({ onToken: (token) => tokens.push(token) });
  sts.inject({ kind: 'opaque' });
  const { body } = await post(sts, await exchangeForm(sts));
  expect(body.access_token).toMatch(/^[\w-]{43}$/);
  expect(tokens).toContain(body.access_token);
});

test('missing-issued-token-type leaves out that field alone', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'missing-issued-token-type' });
  const { status, body } = await post(sts, await exchangeForm(sts));
  expect(status).toBe(200);
  expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'token_type']);
});

test('a status comes with Retry-After when it has one', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'status', status: 503, retryAfter: 7 });
  sts.inject({ kind: 'status', status: 429 });
  const first = await postRaw(sts, await exchangeForm(sts));
  const second = await postRaw(sts, await exchangeForm(sts));
  expect([first.status, first.headers.get('retry-after')]).toEqual([503, '7']);
  expect([second.status, second.headers.get('retry-after')]).toEqual([429, null]);
  expect(sts.exchanges).toMatchObject([
    { outcome: 'fault', status: 503, fault: 'status', clientId: 'agent', audience: ['calendar'] },
    { outcome: 'fault', status: 429, fault: 'status' },
  ]);
});

test('garbage is 200, says it is JSON and is not', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'garbage' });
  const response = await postRaw(sts, await exchangeForm(sts));
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('application/json'),
  ]);
  await expect(response.json()).rejects.toThrow(SyntaxError);
});

test('content-type is 200 with HTML', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'content-type' });
  const response = await postRaw(sts, await exchangeForm(sts));
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('text/html'),
  ]);
  expect(await response.text()).toContain('<!doctype html>');
});

test('error-body is 200 with an OAuth error', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'error-body' });
  const { status, body } = await post(sts, await exchangeForm(sts));
  expect(status).toBe(200);
  expect(body).toEqual({ error: 'server_error', error_description: expect.any(String) });
});

test('disconnect destroys the socket, and the next request is served', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'disconnect' });
  await expect(postRaw(sts, await exchangeForm(sts))).rejects.toThrow(TypeError);
  expect(sts.exchanges).toMatchObject([{ outcome: 'fault', status: 0, fault: 'disconnect' }]);
  expect((await post(sts, await exchangeForm(sts))).status).toBe(200);
});

test('latency delays the real answer by at least that long', async () => {
  const sts = await startSts();
  const form = await exchangeForm(sts);
  sts.inject({ kind: 'latency', ms: 60 });
  const before = performance.now();
  const { status } = await post(sts, form);
  expect(performance.now() - before).toBeGreaterThanOrEqual(59);
  expect(status).toBe(200);
  expect(sts.exchanges.at(-1)).toMatchObject({ outcome: 'issued', fault: 'latency' });
});

test('closing does not wait for a latency fault', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'latency', ms: 3_600_000 });
  const pending = postRaw(sts, await exchangeForm(sts)).catch((error: unknown) => error);
  await sts.close();
  expect(await pending).toBeInstanceOf(TypeError);
});

test('a fault for an audience leaves other exchanges and grants alone', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'status', status: 503, audience: 'files', times: 2 });
  sts.inject({ kind: 'status', status: 500, audience: 'https://mcp.example.com/billing' });
  const status = async (more: Form): Promise<number> =>
    (await post(sts, await exchangeForm(sts, more))).status;

  expect((await post(sts, { grant_type: 'client_credentials', audience: 'files' })).status).toBe(200);
  expect(await status({ audience: 'calendar' })).toBe(200);
  expect(await status({ audience: 'files' })).toBe(503);
  expect(await status({ audience: ['calendar', 'files'] })).toBe(503);
  expect(await status({ audience: 'files' })).toBe(200);
  expect(await status({ resource: 'https://mcp.example.com/billing' })).toBe(500);
});

test('a fault may last for ever, until faults are cleared', async () => {
  const sts = await startSts();
  sts.inject({ kind: 'status', status: 500, times: Infinity });
  const form = await exchangeForm(sts);
  for (let attempt = 0; attempt < 3; attempt += 1) expect((await post(sts, form)).status).toBe(500);
  sts.clearFaults();
  expect((await post(sts, form)).status).toBe(200);
});

test.each<[string, object]>([
  ['fault.kind', { kind: 'unknown' }],
  ['fault.times', { kind: 'garbage', times: 0 }],
  ['fault.ms', { kind: 'latency', ms: -1 }],
  ['fault.status', { kind: 'status', status: 200 }],
  ['fault.retryAfter', { kind: 'status', status: 503, retryAfter: 1.5 }],
])('a wrong %s is refused', async (field, fault) => {
  const sts = await startSts();
  expect(() => sts.inject(fault as Fault)).toThrow(field);
});
