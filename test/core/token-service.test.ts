import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ClientAuth } from '../../src/core/client-authentication.ts';
import type { Dialect } from '../../src/core/dialect.ts';
import {
  assertTokenService,
  createTokenService,
  dialectOf,
  processTokenResponse,
  tokenRequest,
} from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, json, never, startLoopback } from '../support/loopback.ts';
import { serviceOf, startPlainSts, startSts } from '../support/sts.ts';

const make = (options: Partial<TokenServiceOptions> = {}): TokenService =>
  createTokenService({ tokenEndpoint: 'https://sts.example.com/token', clientId: 'agent', ...options });

const empty = () => ({ parameters: new URLSearchParams() });

describe('a token service', () => {
  test('has an id of its own, though another is set up alike', () => {
    const ids = Array.from({ length: 20 }, () => make().id);
    expect(new Set(ids).size).toBe(20);
    const service = make();
    expect(service.id).toBe(service.id);
  });

  test('tells what it is, and shows no secret', () => {
    const clientSecret = 'fake-client-secret';
    const service = make({
      clientAuth: { method: 'client_secret_basic', clientSecret },
      dialect: { name: 'own' },
    });
    expect({ ...service, id: '' }).toEqual({
      ...{ id: '', clientId: 'agent', dialect: 'own', issuer: undefined, breaker: 'closed' },
      tokenEndpoint: 'https://sts.example.com/token',
      discover: expect.any(Function),
    });
    expect(inspect(service)).toContain('agent');
    expectNoLeak(service, [clientSecret]);
  });

  test('cannot be changed', () => {
    const service = make();
    expect(Object.isFrozen(service)).toBe(true);
    for (const name of Object.keys(service)) {
      expect(() => Object.assign(service, { [name]: 'other' })).toThrow(TypeError);
    }
  });

  test('is told from what only looks like one', () => {
    const service = make();
    expect(() => assertTokenService(service)).not.toThrow();
    for (const other of [{ ...service }, Object.create(service), {}, undefined, null, 'sts']) {
      expect(() => assertTokenService(other)).toThrow('"tokenService" must come from createTokenService()');
    }
  });
});

describe('the issuer', () => {
  const issuer = 'https://sts.example.com';

  test('is the one that was configured, with a token endpoint or without', () => {
    expect(make({ issuer }).issuer).toBe(issuer);
    expect(make({ issuer, tokenEndpoint: undefined }).issuer).toBe(issuer);
  });

  test('is not known from a token endpoint alone', async () => {
    const service = make();
    await service.discover();
    expect(service.issuer).toBeUndefined();
  });

  test('is known from metadata once they were read', async () => {
    const sts = await startSts();
    const service = make({ tokenEndpoint: undefined, metadataUrl: sts.metadataUrl });
    expect(service.issuer).toBeUndefined();
    await service.discover();
    expect(service.issuer).toBe(sts.issuer);
    expect(serviceOf(sts).issuer).toBe(sts.issuer);
  });
});

test('the dialect is the one that was given', () => {
  const dialect: Dialect = { name: 'own' };
  expect(dialectOf(make({ dialect }))).toEqual(dialect);
  expect(make({ dialect }).dialect).toBe('own');
  expect(dialectOf(make())).toBeUndefined();
  expect(make().dialect).toBeUndefined();
});

test('a public client is not named where the provider knows no clients, any other is', async () => {
  const dialect = { name: 'own', omitsClientId: true };
  const clientAuth: ClientAuth = { method: 'client_secret_post', clientSecret: 'fake-client-secret' };
  const names = async (options: Partial<TokenServiceOptions>): Promise<string[]> => {
    const sts = await startPlainSts(undefined, options);
    await tokenRequest(sts.service, 'urn:x', empty());
    return [...(sts.received[0]?.form.keys() ?? [])];
  };
  expect(await names({ dialect })).toEqual(['grant_type']);
  expect(await names({})).toEqual(['grant_type', 'client_id']);
  expect(await names({ dialect, clientAuth })).toEqual(['grant_type', 'client_id', 'client_secret']);
});

describe('a request', () => {
  test('leaves the parameters that it was given as they are', async () => {
    const sts = await startPlainSts();
    const parameters = new URLSearchParams({ audience: 'calendar' });
    await tokenRequest(sts.service, 'urn:x', { parameters });
    expect([...parameters]).toEqual([['audience', 'calendar']]);
  });

  test('whose caller leaves while a secret is read ends at once, for the reason of the caller', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const clientSecret = (): Promise<string> => {
      begin();
      return new Promise(() => {});
    };
    const sts = await startPlainSts(undefined, {
      clientAuth: { method: 'client_secret_post', clientSecret },
    });
    const controller = new AbortController();
    const reason = new Error('the user has left');
    const leaving = thrownBy(tokenRequest(sts.service, 'urn:x', { ...empty(), signal: controller.signal }));
    await begun;
    controller.abort(reason);
    expect(await leaving).toBe(reason);
    expect(sts.received).toEqual([]);
    // Nobody goes on waiting for the secret, either.
    expect(vi.getTimerCount()).toBe(0);
  }, 5_000);

  test('of one caller goes on when another leaves during the discovery that they share', async () => {
    const server = await startLoopback(never);
    const service = make({ tokenEndpoint: undefined, issuer: server.origin, retry: { attempts: 1 } });
    let answer = (): void => {};
    server.handle((_request, response) => {
      answer = () => json(response, { issuer: server.origin, token_endpoint: `${server.origin}/token` });
    });
    const controller = new AbortController();
    const reason = new Error('the user has left');
    const leaving = thrownBy(tokenRequest(service, 'urn:x', { ...empty(), signal: controller.signal }));
    const staying = tokenRequest(service, 'urn:x', empty());
    await server.arrived(1);
    controller.abort(reason);
    expect(await leaving).toBe(reason);
    server.handle(always({}));
    answer();
    expect((await staying).status).toBe(200);
    expect(server.received.map(({ path }) => path)).toEqual(['/.well-known/openid-configuration', '/token']);
  });
});

describe('an answer', () => {
  const process = (answer: object, requestedTokenType?: string) =>
    processTokenResponse(make(), Response.json({ access_token: 'x', ...answer }), requestedTokenType);

  test.each<[string | undefined, string, boolean]>([
    [undefined, 'Bearer', true],
    [undefined, 'bEARER', true],
    [undefined, 'N_A', false],
    [undefined, 'DPoP', false],
    [TOKEN_TYPE.accessToken, 'Bearer', true],
    [TOKEN_TYPE.accessToken, 'N_A', false],
    [TOKEN_TYPE.jwt, 'N_A', false],
    [TOKEN_TYPE.idToken, 'N_A', false],
    [TOKEN_TYPE.idJag, 'N_A', true],
    [TOKEN_TYPE.idJag, 'n_a', true],
    [TOKEN_TYPE.idJag, 'Bearer', false],
    [TOKEN_TYPE.idJag, 'DPoP', false],
  ])('to a request for %s with the token type %s is taken: %s', async (requested, token_type, taken) => {
    const answer = process({ token_type }, requested);
    if (taken) expect((await answer).access_token).toBe('x');
    else await expect(answer).rejects.toThrow();
  });

  test.each<[string, unknown]>([
    [
      'of another issuer',
      fakeJwt({ iss: 'https://other.example.com', sub: 'alice', aud: 'agent', exp: 1, iat: 1 }),
    ],
    ['that is none', 'opaque'],
    ['that is no string', 7],
  ])('may bring an ID token along %s: nobody reads that', async (_what, id_token) => {
    expect((await process({ token_type: 'Bearer', id_token })).access_token).toBe('x');
  });

  test.each<[unknown, number | undefined]>([
    [300, 300],
    [0, 0],
    [1.5, 1.5],
    ['300', 300],
    [undefined, undefined],
  ])('names a lifetime of %j', async (expires_in, expected) => {
    expect((await process({ token_type: 'Bearer', expires_in })).expires_in).toBe(expected);
  });

  test.each(['300s', ' 300', '0x10', '1e3', '-1', '', '9'.repeat(400), [300], null, true, -1])(
    'does not name a lifetime of %j (RFC 6749 section 5.1)',
    async (expires_in) => {
      await expect(process({ token_type: 'Bearer', expires_in })).rejects.toThrow();
    },
  );

  test('may bring a refresh token along, and what else an STS thinks of', async () => {
    const answer = { token_type: 'Bearer', refresh_token: 'fake', ext_expires_in: 0, not_before_policy: 0 };
    expect((await process(answer)).access_token).toBe('x');
  });
});

test.each<[string, object]>([
  ['"dialect" must be', { dialect: 'keycloak' }],
  ['"retry" must be', { retry: 3 }],
  ['"breaker" must be', { breaker: false }],
  ['"timeoutMs" must be', { timeoutMs: 0 }],
  ['"timeoutMs" must be', { timeoutMs: 2 ** 31 }],
  ['"maxResponseBytes" must be', { maxResponseBytes: 0 }],
  ['"fetch" must be', { fetch: 'fetch' }],
  ['"clientAuth" must be', { clientAuth: 'none' }],
  ['"profile" is no option', { profile: 'entra-obo' }],
])('a wrong option is named when the service is made: %s', async (named, options) => {
  expect(await thrownBy(() => make(options))).toBeInstanceOf(TypeError);
  expect(() => make(options)).toThrow(named);
});

test('what an STS says of a failure is not shown with the query of its endpoint', async () => {
  const server = await startLoopback(always({}, { status: 500 }));
  await server.close();
  const tokenEndpoint = `${server.origin}/token?api_key=key-of-the-tenant`;
  const error = await failureOf(
    tokenRequest(make({ tokenEndpoint, retry: { attempts: 1 } }), 'urn:x', empty()),
  );
  expect(error.message).toContain(server.origin);
  expectNoLeak(error, ['key-of-the-tenant', 'api_key']);
});
