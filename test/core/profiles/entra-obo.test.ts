import { describe, expect, test } from 'vitest';
import { exchangeRequest, processExchangeResponse } from '../../../src/core/exchange.ts';
import type { ExchangeParameters } from '../../../src/core/exchange-parameters.ts';
import { entraObo } from '../../../src/core/profiles/entra-obo.ts';
import { resolveTarget, type Target } from '../../../src/core/target.ts';
import { securityToken, TOKEN_TYPE } from '../../../src/core/token-types.ts';
import { verifyIssuedToken } from '../../../src/core/verify.ts';
import { failureOf } from '../../support/failure.ts';
import { fakeJwt, seconds } from '../../support/jwt.ts';
import { always } from '../../support/loopback.ts';
import { type PlainSts, startPlainSts, subjectJwt } from '../../support/sts.ts';

const API = 'api://00aa00aa-bb11-cc22-dd33-44ee44ee44ee';
const GOOD = { audience: 'calendar', scope: `${API}/.default`, profile: 'entra-obo' } as const;
/** `sub` of the user at the agent, and at the API. */
const SUBJECT = subjectJwt('alice-at-the-agent', { oid: 'alice-oid' });

const parametersFor = (target: Partial<Target> = {}, more: Partial<ExchangeParameters> = {}) => ({
  subject: securityToken(SUBJECT),
  target: resolveTarget({ ...GOOD, ...target }),
  ...more,
});

/** As Microsoft Entra answers: there is no `issued_token_type` in a JWT bearer grant. */
const answered = (more: object = {}) => ({
  token_type: 'Bearer',
  scope: `${API}/read`,
  expires_in: 3269,
  ext_expires_in: 0,
  access_token: fakeJwt({
    ...{ sub: 'alice-at-the-api', oid: 'alice-oid', aud: 'calendar', scp: 'read' },
    exp: seconds(Date.now()) + 3269,
  }),
  ...more,
});

const startEntra = async (answer: object = answered()): Promise<PlainSts> => {
  const clientAuth = { method: 'client_secret_post', clientSecret: 'fake-client-secret' } as const;
  const sts = await startPlainSts(undefined, { clientAuth });
  sts.handle(always(answer));
  return sts;
};

test('the form has what Microsoft documents, and nothing of the target but its scope', () => {
  expect(entraObo.grantType).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
  expect([...entraObo.form(parametersFor({ scope: `${API}/write ${API}/read` }))]).toEqual([
    ['assertion', SUBJECT],
    ['scope', `${API}/read ${API}/write`],
    ['requested_token_use', 'on_behalf_of'],
  ]);
});

test('over the wire it is that form, with the client’s own authentication', async () => {
  const sts = await startEntra();
  await exchangeRequest(sts.service, parametersFor());
  const [request] = sts.received;
  expect(request).toMatchObject({ method: 'POST', path: '/token' });
  expect(Object.fromEntries(request?.form ?? [])).toEqual({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    client_id: 'agent',
    client_secret: 'fake-client-secret',
    assertion: SUBJECT,
    scope: `${API}/.default`,
    requested_token_use: 'on_behalf_of',
  });
  expect([...(request?.form ?? [])]).toHaveLength(6);
});

test('what it issues is an access token, though the answer does not say so, and stands the check', async () => {
  const sts = await startEntra();
  const parameters = parametersFor();
  const token = await processExchangeResponse(
    sts.service,
    await exchangeRequest(sts.service, parameters),
    parameters,
  );
  expect(token).toMatchObject({ issuedTokenType: TOKEN_TYPE.accessToken, expiresInMs: 3_269_000 });
  const subject = { sub: 'alice-at-the-agent', oid: 'alice-oid', aud: [] };
  const held = { service: sts.service, target: parameters.target, actor: undefined, now: Date.now() };
  expect(() => verifyIssuedToken(token, { ...held, subject })).not.toThrow();
  expect(() => verifyIssuedToken(token, { ...held, subject: { ...subject, oid: 'bob-oid' } })).toThrow(
    '"oid"',
  );
});

test('another type than an access token is refused when the answer says so', async () => {
  const sts = await startEntra(answered({ issued_token_type: TOKEN_TYPE.idToken }));
  const parameters = parametersFor();
  const response = await exchangeRequest(sts.service, parameters);
  const token = await processExchangeResponse(sts.service, response, parameters);
  const held = { service: sts.service, target: parameters.target, actor: undefined, now: Date.now() };
  expect(() => verifyIssuedToken(token, { ...held, subject: { oid: 'alice-oid', aud: [] } })).toThrow(
    'issued_token_type',
  );
});

test.each(['N_A', 'DPoP', 'mac', undefined])('the token type %s is refused', async (token_type) => {
  const sts = await startEntra(answered({ token_type }));
  const parameters = parametersFor();
  const response = await exchangeRequest(sts.service, parameters);
  const error = await failureOf(processExchangeResponse(sts.service, response, parameters));
  expect(error.code).toBe('sts_invalid_response');
});

describe('it is refused, and nothing is sent', () => {
  test.each<[string, Partial<Target>, Partial<ExchangeParameters>]>([
    ['actor token', {}, { actor: securityToken('the-actor-token') }],
    ['needs a scope', { scope: undefined }, {}],
    ['"resource"', { resource: 'https://mcp.example.com' }, {}],
    ['"requestedTokenType"', { requestedTokenType: TOKEN_TYPE.accessToken }, {}],
    ['"audience"', { audience: undefined }, {}],
    ['"audience"', { audience: undefined, unchecked: ['scope', 'other_audiences'] }, {}],
  ])('(%s)', async (named, target, more) => {
    const sts = await startEntra();
    const error = await failureOf(exchangeRequest(sts.service, parametersFor(target, more)));
    expect(error).toMatchObject({ code: 'exchange_unsupported', failure: 'misconfigured', retryable: false });
    expect(error.message).toContain(named);
    expect(sts.received).toEqual([]);
  });

  test('but not without an audience, when that is not checked', async () => {
    const sts = await startEntra();
    const target: Partial<Target> = { audience: undefined, unchecked: ['audience'] };
    expect((await exchangeRequest(sts.service, parametersFor(target))).status).toBe(200);
  });
});
