import { describe, expect, test } from 'vitest';
import { exchangeRequest, processExchangeResponse } from '../../../src/core/exchange.ts';
import type { ExchangeParameters } from '../../../src/core/exchange-parameters.ts';
import { identityAssertionTarget, idJag, isIdJag } from '../../../src/core/profiles/id-jag.ts';
import { resolveTarget, type Target } from '../../../src/core/target.ts';
import { createTokenService } from '../../../src/core/token-service.ts';
import type { TokenService } from '../../../src/core/token-service-handle.ts';
import { securityToken, TOKEN_TYPE } from '../../../src/core/token-types.ts';
import { failureOf } from '../../support/failure.ts';
import { fakeJwt } from '../../support/jwt.ts';
import { always, json } from '../../support/loopback.ts';
import { type PlainSts, startPlainSts } from '../../support/sts.ts';

const RESOURCE = 'https://api.chat.example/';
const ISSUER = 'https://auth.chat.example/';

const authorizationServer = (issuer: string | undefined = ISSUER): TokenService =>
  createTokenService({ tokenEndpoint: 'https://auth.chat.example/token', issuer, clientId: 'agent' });

const AS = authorizationServer();

const targetOf = (more: Partial<Target> = {}) =>
  resolveTarget({ resource: RESOURCE, profile: 'id-jag', authorizationServer: AS, ...more });

/** Header and claims of RFC 7523 section 4; the signature is left out there, too. */
const RFC_7523 = [
  { alg: 'ES256', kid: '16' },
  {
    ...{ iss: 'https://jwt-idp.example.com', sub: 'mailto:mike@example.com' },
    ...{ aud: 'https://jwt-rp.example.net', nbf: 1300815780, exp: 1300819380 },
    'http://claims.example.com/member': true,
  },
]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .concat('J9l-ZhwP')
  .join('.');

const assertionOf = (typ: unknown): string => {
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ })).toString('base64url');
  return [header, ...fakeJwt({ sub: 'alice' }).split('.').slice(1)].join('.');
};

describe('the first step', () => {
  /** As an identity provider answers, section 4.3.3 of the draft. */
  const answered = (more: object = {}) => ({
    issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
    access_token: assertionOf('oauth-id-jag+jwt'),
    token_type: 'N_A',
    scope: 'chat.read chat.history',
    expires_in: 300,
    ...more,
  });

  const ask = async (answer: object, given: Partial<Target> = {}) => {
    const idp = await startPlainSts();
    idp.handle(always(answer));
    const subject = securityToken('the-id-token', TOKEN_TYPE.idToken);
    const target = identityAssertionTarget(targetOf({ scope: 'chat.read chat.history', ...given }));
    const parameters = { subject, target };
    const response = await exchangeRequest(idp.service, parameters);
    return { idp, token: processExchangeResponse(idp.service, response, parameters) };
  };

  test('asks the identity provider for an ID-JAG for the resource and its authorization server', async () => {
    const { idp, token } = await ask(answered());
    expect(Object.fromEntries(idp.received[0]?.form ?? [])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
      audience: ISSUER,
      resource: RESOURCE,
      scope: 'chat.history chat.read',
      subject_token: 'the-id-token',
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      client_id: 'agent',
    });
    expect(await token).toMatchObject({ issuedTokenType: TOKEN_TYPE.idJag, expiresInMs: 300_000 });
  });

  test.each(['N_A', 'n_a'])('takes the token type %s: an ID-JAG is no access token', async (token_type) => {
    expect((await (await ask(answered({ token_type }))).token).issuedTokenType).toBe(TOKEN_TYPE.idJag);
  });

  test.each(['Bearer', 'DPoP', 'mac', undefined])('refuses the token type %s', async (token_type) => {
    const { token } = await ask(answered({ token_type }));
    expect(await failureOf(token)).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured' });
  });

  test('refuses an answer that does not say what it issued', async () => {
    const { token } = await ask(answered({ issued_token_type: undefined }));
    expect((await failureOf(token)).message).toContain('issued_token_type');
  });

  test('asks for another audience, where that is what the provider calls the authorization server', () => {
    expect(identityAssertionTarget(targetOf({ audience: 'chat' })).audiences).toEqual(['chat']);
  });

  test('asks for the issuer that was discovered, once it is', async () => {
    const server = await startPlainSts();
    server.handle((_request, response) =>
      json(response, { issuer: server.origin, token_endpoint: `${server.origin}/token` }),
    );
    const metadataUrl = `${server.origin}/.well-known/openid-configuration`;
    const discovered = createTokenService({ metadataUrl, clientId: 'agent' });
    const target = targetOf({ authorizationServer: discovered });
    expect((await failureOf(() => identityAssertionTarget(target))).code).toBe('exchange_unsupported');
    await discovered.discover();
    expect(identityAssertionTarget(target).audiences).toEqual([server.origin]);
  });

  test('is refused when nobody says who the authorization server is', async () => {
    const target = targetOf({
      authorizationServer: createTokenService({
        tokenEndpoint: 'https://a.example/token',
        clientId: 'agent',
      }),
    });
    const error = await failureOf(() => identityAssertionTarget(target));
    expect(error).toMatchObject({ code: 'exchange_unsupported', failure: 'misconfigured' });
    expect(error.message).toMatch(/"issuer".*"audience"/);
  });

  test('is for the same target each time, and leaves out what the target leaves out, but takes nothing opaque', () => {
    const target = targetOf({ unchecked: ['subject'], allowOpaqueIssued: true });
    const assertion = identityAssertionTarget(target);
    expect(identityAssertionTarget(target)).toBe(assertion);
    expect(assertion).toMatchObject({ unchecked: ['subject'], allowOpaqueIssued: false, profile: 'rfc8693' });
    expect(identityAssertionTarget(targetOf())).not.toBe(assertion);
  });
});

describe('the second step', () => {
  const startServer = async (): Promise<PlainSts> => {
    const clientAuth = { method: 'client_secret_basic', clientSecret: 'fake-client-secret' } as const;
    const server = await startPlainSts(undefined, { clientAuth });
    server.handle(always({ access_token: fakeJwt({ aud: RESOURCE }), token_type: 'Bearer', expires_in: 60 }));
    return server;
  };

  const parametersFor = (
    target: Partial<Target> = {},
    more: Partial<ExchangeParameters> = {},
  ): ExchangeParameters => ({
    subject: securityToken(RFC_7523, TOKEN_TYPE.idJag),
    target: targetOf(target),
    ...more,
  });

  test('RFC 7523 section 4: sends the assertion as grant, and nothing else', async () => {
    expect(RFC_7523.split('.')[0]).toBe('eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0');
    expect([...idJag.form(parametersFor({ audience: 'chat', scope: 'chat.read' }))]).toEqual([
      ['assertion', RFC_7523],
    ]);
    const server = await startServer();
    await exchangeRequest(server.service, parametersFor({ audience: 'chat', scope: 'chat.read' }));
    const [request] = server.received;
    expect([...(request?.form ?? [])]).toEqual([
      ['assertion', RFC_7523],
      ['grant_type', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
    ]);
    expect(request?.headers.authorization).toMatch(/^Basic /);
  });

  test('asks in that way also where the authorization server has a dialect of its own', async () => {
    const server = await startServer();
    const form = (): URLSearchParams => new URLSearchParams({ bent: 'yes' });
    const refuse = (): string => 'never';
    const dialect = { name: 'own', form, refuse, requestedTokenType: TOKEN_TYPE.jwt };
    const tokenEndpoint = `${server.origin}/token`;
    const service = createTokenService({ tokenEndpoint, clientId: 'agent', dialect });
    await exchangeRequest(service, parametersFor());
    expect([...(server.received[0]?.form.keys() ?? [])]).toEqual(['assertion', 'grant_type', 'client_id']);
  });

  test('issues an access token, though the answer does not say so', async () => {
    const server = await startServer();
    const parameters = parametersFor();
    const response = await exchangeRequest(server.service, parameters);
    const token = await processExchangeResponse(server.service, response, parameters);
    expect(token.issuedTokenType).toBe(TOKEN_TYPE.accessToken);
  });

  test.each(['N_A', 'DPoP'])(
    'refuses the token type %s: what is issued here is for a server',
    async (token_type) => {
      const server = await startServer();
      server.handle(always({ access_token: fakeJwt({ aud: RESOURCE }), token_type }));
      const parameters = parametersFor();
      const response = await exchangeRequest(server.service, parameters);
      const error = await failureOf(processExchangeResponse(server.service, response, parameters));
      expect(error.code).toBe('sts_invalid_response');
    },
  );

  test('refuses the ID-JAG itself as answer', async () => {
    const server = await startServer();
    server.handle(always({ access_token: RFC_7523, token_type: 'Bearer' }));
    const parameters = parametersFor();
    const response = await exchangeRequest(server.service, parameters);
    const error = await failureOf(processExchangeResponse(server.service, response, parameters));
    expect(error.code).toBe('issued_token_rejected');
  });

  test.each<[string, Partial<Target>]>([
    ['"resource"', { resource: undefined, audience: 'chat' }],
    ['"requestedTokenType"', { requestedTokenType: TOKEN_TYPE.jwt }],
  ])('is refused (%s), and nothing is sent', async (named, target) => {
    const server = await startServer();
    const error = await failureOf(exchangeRequest(server.service, parametersFor(target)));
    expect(error).toMatchObject({ code: 'exchange_unsupported', failure: 'misconfigured' });
    expect(error.message).toContain(named);
    expect(server.received).toEqual([]);
  });
});

test.each<[unknown, boolean]>([
  ['oauth-id-jag+jwt', true],
  ['OAUTH-ID-JAG+JWT', true],
  ['JWT', false],
  ['at+jwt', false],
  ['id-jag+jwt', false],
  ['application/oauth-id-jag+jwt', true],
  ['text/oauth-id-jag+jwt', false],
  [undefined, false],
  [7, false],
  [['oauth-id-jag+jwt'], false],
])('a token with the "typ" %j is an ID-JAG: %s', (typ, expected) => {
  expect(isIdJag(assertionOf(typ))).toBe(expected);
});

test.each(['', 'opaque', 'a.b.c', '..', 'e30.e30.e30.e30.e30'])('%j is no ID-JAG', (token) => {
  expect(isIdJag(token)).toBe(false);
});
