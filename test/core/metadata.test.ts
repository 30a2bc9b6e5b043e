import { describe, expect, test } from 'vitest';
import { discoverMetadata, type MetadataOptions } from '../../src/core/metadata.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { failureOf } from '../support/failure.ts';
import { always, type Handler, json, type Loopback, never, startLoopback } from '../support/loopback.ts';
import { serviceOf, startSts } from '../support/sts.ts';

const OPENID = '/.well-known/openid-configuration';
const OAUTH = '/.well-known/oauth-authorization-server';

/** A server whose paths answer as the table says, anything else with 404. */
async function startMetadata(
  table: (origin: string) => Readonly<Record<string, object | Handler>>,
): Promise<Loopback> {
  const server = await startLoopback((_request, response) => json(response, {}, { status: 500 }));
  const paths = table(server.origin);
  server.handle((request, response) => {
    const found = paths[request.path];
    if (typeof found === 'function') found(request, response);
    else json(response, found ?? { error: 'not found' }, { status: found === undefined ? 404 : 200 });
  });
  return server;
}

const goodAt = (path: string) => (issuer: string) => ({
  [path]: { issuer, token_endpoint: `${issuer}/token` },
});

/** Tried once, so that a failure is told as soon as it is there. */
const service = (options: Partial<TokenServiceOptions>) =>
  createTokenService({ clientId: 'agent', retry: { attempts: 1 }, ...options });

const pathsOf = (server: Loopback): string[] => server.received.map(({ path }) => path);

test('the issuer of a real authorization server is enough to find its token endpoint', async () => {
  const sts = await startSts();
  const found = serviceOf(sts);
  expect(found.tokenEndpoint).toBeUndefined();
  expect(await found.discover()).toBe(sts.tokenEndpoint);
  expect(found.tokenEndpoint).toBe(sts.tokenEndpoint);
});

test('the metadata URL of a real authorization server is enough, too', async () => {
  const sts = await startSts();
  const found = service({ metadataUrl: sts.metadataUrl });
  expect(await found.discover()).toBe(sts.tokenEndpoint);
});

test('the issuer is asked for its OpenID configuration first, and for no more when that is there', async () => {
  const server = await startMetadata(goodAt(OPENID));
  expect(await service({ issuer: server.origin }).discover()).toBe(`${server.origin}/token`);
  expect(pathsOf(server)).toEqual([OPENID]);
});

test('an issuer whose path begins with two slashes is asked itself, and not a host of that name', async () => {
  const elsewhere = await startLoopback(always({}));
  const { host } = new URL(elsewhere.origin);
  const server = await startLoopback((request, response) => {
    const issuer = `${server.origin}//${host}`;
    const isThere = request.path === `//${host}${OPENID}`;
    json(response, { issuer, token_endpoint: `${server.origin}/token` }, { status: isThere ? 200 : 404 });
  });
  const found = service({ issuer: `${server.origin}//${host}` });
  expect(await found.discover()).toBe(`${server.origin}/token`);
  expect(elsewhere.received).toEqual([]);
});

test('a document that names an issuer whose path is like a host that cannot be is refused', async () => {
  const server = await startMetadata(() => ({ [OPENID]: { issuer: 'http://localhost//%00' } }));
  const failure = await failureOf(service({ metadataUrl: `${server.origin}${OPENID}` }).discover());
  expect(failure.code).toBe('sts_metadata_invalid');
});

test('without an OpenID configuration the issuer is asked for RFC 8414 metadata', async () => {
  const server = await startMetadata(goodAt(OAUTH));
  expect(await service({ issuer: server.origin }).discover()).toBe(`${server.origin}/token`);
  expect(pathsOf(server)).toEqual([OPENID, OAUTH]);
});

test('an issuer with a path has its metadata where each of the two specifications says', async () => {
  const issuer = (origin: string) => `${origin}/realms/acme`;
  const server = await startMetadata((origin) => ({
    [`${OAUTH}/realms/acme`]: { issuer: issuer(origin), token_endpoint: `${origin}/realms/acme/token` },
  }));
  expect(await service({ issuer: issuer(server.origin) }).discover()).toBe(
    `${server.origin}/realms/acme/token`,
  );
  expect(pathsOf(server)).toEqual([`/realms/acme${OPENID}`, `${OAUTH}/realms/acme`]);
});

test('a metadata URL is the one that is asked, and no other', async () => {
  const server = await startMetadata(goodAt('/elsewhere'));
  const url = `${server.origin}/elsewhere`;
  expect(await service({ metadataUrl: url, issuer: server.origin }).discover()).toBe(
    `${server.origin}/token`,
  );
  expect(pathsOf(server)).toEqual(['/elsewhere']);
});

test('a metadata URL alone takes the document of the issuer whose it is, and no other', async () => {
  const path = '/.well-known/oauth-authorization-server';
  const own = await startMetadata(goodAt(path));
  expect(await service({ metadataUrl: `${own.origin}${path}` }).discover()).toBe(`${own.origin}/token`);
  // Assertions are made for the issuer: it must not be able to have them made for another server.
  const other = await startMetadata(goodAt('/elsewhere'));
  const error = await failureOf(service({ metadataUrl: `${other.origin}/elsewhere` }).discover());
  expect(error).toMatchObject({ code: 'sts_metadata_invalid', failure: 'misconfigured' });
  expect(error.message).toContain('set "issuer"');
});

test.each<[string, (origin: string) => object]>([
  ['names another issuer', (origin) => ({ issuer: `${origin}/other`, token_endpoint: `${origin}/token` })],
  ['names no issuer', (origin) => ({ token_endpoint: `${origin}/token` })],
  ['names no token endpoint', (origin) => ({ issuer: origin })],
  ['names a number as token endpoint', (origin) => ({ issuer: origin, token_endpoint: 1 })],
  ['names a relative token endpoint', (origin) => ({ issuer: origin, token_endpoint: '/token' })],
  ['names a token endpoint of another scheme', (origin) => ({ issuer: origin, token_endpoint: 'ftp://a/' })],
  [
    'puts credentials into the token endpoint',
    (origin) => ({ issuer: origin, token_endpoint: origin.replace('//', '//user:password@') }),
  ],
  ['is an array', () => []],
])('metadata that %s is refused with a code', async (_what, body) => {
  const server = await startMetadata((origin) => ({ [OPENID]: body(origin) }));
  const error = await failureOf(service({ issuer: server.origin }).discover());
  expect(error).toMatchObject({ code: 'sts_metadata_invalid', failure: 'misconfigured' });
});

test('metadata at a given URL is refused when it is not of the configured issuer', async () => {
  const server = await startMetadata(goodAt('/elsewhere'));
  const metadataUrl = `${server.origin}/elsewhere`;
  const error = await failureOf(service({ metadataUrl, issuer: 'https://sts.example.com' }).discover());
  expect(error.code).toBe('sts_metadata_invalid');
});

test('metadata cannot send the subject token to another host', async () => {
  const thief = await startLoopback(always({}));
  const server = await startMetadata((origin) => ({
    [OPENID]: { issuer: origin, token_endpoint: `${thief.origin}/token` },
  }));
  const found = service({ issuer: server.origin });
  const error = await failureOf(found.discover());
  expect(error).toMatchObject({ code: 'sts_metadata_invalid', failure: 'misconfigured' });
  expect(found.tokenEndpoint).toBeUndefined();
  expect(thief.received).toEqual([]);
});

test('the same host on another port is another host', async () => {
  const server = await startMetadata((origin) => ({
    [OPENID]: { issuer: origin, token_endpoint: 'http://127.0.0.1:1/token' },
  }));
  expect((await failureOf(service({ issuer: server.origin }).discover())).code).toBe('sts_metadata_invalid');
});

test('a token endpoint in clear text off loopback is refused', async () => {
  const server = await startMetadata((origin) => ({
    [OPENID]: { issuer: origin, token_endpoint: 'http://sts.example.com/token' },
  }));
  expect((await failureOf(service({ issuer: server.origin }).discover())).code).toBe('insecure_url');
});

test('a given token endpoint is used without asking for metadata', async () => {
  const found = service({
    tokenEndpoint: 'https://sts.example.com/token',
    issuer: 'https://other.example.com',
  });
  expect(found.tokenEndpoint).toBe('https://sts.example.com/token');
  expect(await found.discover()).toBe('https://sts.example.com/token');
});

test('a host replaces the one in the metadata; scheme, path and query stay', async () => {
  const server = await startMetadata((origin) => ({
    [OPENID]: { issuer: origin, token_endpoint: 'https://sts.example.com/oauth/token?tenant=acme' },
  }));
  const found = service({ issuer: server.origin, host: 'sts.internal:8443' });
  expect(await found.discover()).toBe('https://sts.internal:8443/oauth/token?tenant=acme');
});

test('a host replaces the one of a given token endpoint; scheme and path stay', () => {
  const tokenEndpoint = (host: string, endpoint: string) =>
    service({ tokenEndpoint: endpoint, host }).tokenEndpoint;
  expect(tokenEndpoint('sts.internal:8443', 'https://sts.example.com/token')).toBe(
    'https://sts.internal:8443/token',
  );
  expect(tokenEndpoint('[::1]:8080', 'http://127.0.0.1/token')).toBe('http://[::1]:8080/token');
  expect(tokenEndpoint('localhost:8080', 'http://127.0.0.1:1/token')).toBe('http://localhost:8080/token');
  expect(tokenEndpoint('sts.internal:443', 'https://sts.example.com:8443/token')).toBe(
    'https://sts.internal/token',
  );
  // Without a port it is that of the scheme, not the one of the host that is replaced.
  expect(tokenEndpoint('sts.internal', 'https://sts.example.com:8443/token')).toBe(
    'https://sts.internal/token',
  );
});

test('a host cannot take a token in clear text off loopback', async () => {
  expect(
    (await failureOf(() => service({ tokenEndpoint: 'http://127.0.0.1/token', host: 'sts.internal' }))).code,
  ).toBe('insecure_url');
  const server = await startMetadata(goodAt(OPENID));
  const found = service({ issuer: server.origin, host: 'sts.internal:8080' });
  expect((await failureOf(found.discover())).code).toBe('insecure_url');
});

test('a host in clear text is taken when that was allowed', () => {
  const { tokenEndpoint } = service({
    tokenEndpoint: 'http://127.0.0.1/token',
    host: 'sts.internal',
    dangerouslyAllowInsecureHttp: true,
  });
  expect(tokenEndpoint).toBe('http://sts.internal/token');
});

test.each([
  'https://sts.internal',
  'sts.internal/path',
  'user@sts.internal',
  'sts.internal:',
  'sts internal',
  '999.1.1.1',
  'sts.internal:99999',
  '',
])('%j is no host', (host) => {
  const make = () => service({ tokenEndpoint: 'https://sts.example.com/token', host });
  expect(make).toThrow(TypeError);
  expect(make).toThrow('"host"');
});

test.each<[string, Handler, object]>([
  ['of 500', always({}, { status: 500 }), { failure: 'unavailable', status: 500 }],
  ['of 503', always({}, { status: 503 }), { failure: 'unavailable', status: 503 }],
  [
    'of 503 that says when to come back',
    always({}, { status: 503, headers: { 'retry-after': '60' } }),
    { failure: 'unavailable', status: 503, retryAfterMs: 60_000 },
  ],
  [
    'of 429 that says when to come back',
    always({}, { status: 429, headers: { 'retry-after': '60' } }),
    { failure: 'unavailable', status: 429, retryAfterMs: 60_000 },
  ],
  ['of 403', always({}, { status: 403 }), { failure: 'misconfigured', status: 403 }],
  ['of 404', always({}, { status: 404 }), { failure: 'misconfigured', status: 404 }],
  [
    'that is a redirect',
    (_request, response) => void response.writeHead(302, { location: '/somewhere' }).end(),
    { failure: 'misconfigured', status: 302 },
  ],
  [
    'of another content type',
    (_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('{}'),
    { failure: 'misconfigured' },
  ],
  [
    'that is no JSON',
    (_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
    { failure: 'misconfigured' },
  ],
])('an answer %s is no metadata', async (_what, handler, expected) => {
  const server = await startLoopback(handler);
  const error = await failureOf(service({ issuer: server.origin }).discover());
  expect(error).toMatchObject({ code: 'sts_metadata_invalid', ...expected });
  expect(pathsOf(server)).not.toContain('/somewhere');
});

test('an STS that does not answer in time is given up', async () => {
  const server = await startLoopback(never);
  const error = await failureOf(service({ issuer: server.origin, timeoutMs: 40 }).discover());
  expect(error).toMatchObject({ code: 'sts_timeout', failure: 'unavailable' });
  expect(error.message).toContain(server.origin);
});

test('metadata without an end is given up', async () => {
  const server = await startLoopback((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = (): unknown => response.write(Buffer.alloc(65_536, ' '), more);
    more();
  });
  const error = await failureOf(service({ issuer: server.origin, maxResponseBytes: 200_000 }).discover());
  expect(error.code).toBe('sts_invalid_response');
  await server.cutOff(1);
});

test('metadata is asked for once by all who wait, and never again', async () => {
  const server = await startMetadata(goodAt(OPENID));
  const found = service({ issuer: server.origin });
  const all = await Promise.all(Array.from({ length: 20 }, () => found.discover()));
  expect(new Set(all)).toEqual(new Set([`${server.origin}/token`]));
  await found.discover();
  expect(server.received).toHaveLength(1);
});

test('a failure is shared by all who wait, then asked again, and success is kept', async () => {
  let healthy = false;
  const server = await startMetadata((issuer) => ({
    [OPENID]: (_request, response) =>
      healthy
        ? json(response, { issuer, token_endpoint: `${issuer}/token` })
        : json(response, {}, { status: 503 }),
  }));
  const found = service({ issuer: server.origin });
  const failures = await Promise.all([found.discover(), found.discover()].map(failureOf));
  expect(failures.map(({ code }) => code)).toEqual(['sts_metadata_invalid', 'sts_metadata_invalid']);
  expect(server.received).toHaveLength(1);

  healthy = true;
  await found.discover();
  await found.discover();
  expect(server.received).toHaveLength(2);
});

test('nothing is asked until a token endpoint is needed', async () => {
  const server = await startLoopback(never);
  const found = service({ issuer: server.origin });
  expect(found.tokenEndpoint).toBeUndefined();
  expect(server.received).toEqual([]);
});

test.each<[string, Partial<TokenServiceOptions>]>([
  ['"clientId"', { clientId: '', issuer: 'https://sts.example.com' }],
  ['"issuer"', {}],
  ['"issuer"', { issuer: 'sts.example.com' }],
  ['"metadataUrl"', { metadataUrl: '/metadata' }],
  ['"tokenEndpoint"', { tokenEndpoint: 'ftp://sts.example.com/token' }],
  ['"tokenEndpoint"', { tokenEndpoint: 'https://user:password@sts.example.com/token' }],
])('a wrong %s is found when the service is made', (name, options) => {
  expect(() => service(options)).toThrow(TypeError);
  expect(() => service(options)).toThrow(name);
});

test.each<Partial<TokenServiceOptions>>([
  { issuer: 'http://sts.example.com' },
  { metadataUrl: 'http://sts.example.com/metadata' },
  { tokenEndpoint: 'http://sts.example.com/token' },
])('plain http off loopback is refused when the service is made: %j', async (options) => {
  expect(await failureOf(() => service(options))).toMatchObject({
    code: 'insecure_url',
    failure: 'misconfigured',
  });
  expect(() => service({ ...options, dangerouslyAllowInsecureHttp: true })).not.toThrow();
});

describe('RFC 8705 section 5: the metadata of an authorization server with other endpoints for certificates', () => {
  /** The example that is printed there. */
  const document = {
    issuer: 'https://server.example.com',
    authorization_endpoint: 'https://server.example.com/authz',
    token_endpoint: 'https://server.example.com/token',
    introspection_endpoint: 'https://server.example.com/introspect',
    revocation_endpoint: 'https://server.example.com/revo',
    jwks_uri: 'https://server.example.com/jwks',
    response_types_supported: ['code'],
    response_modes_supported: ['fragment', 'query', 'form_post'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['tls_client_auth', 'client_secret_basic', 'none'],
    tls_client_certificate_bound_access_tokens: true,
    mtls_endpoint_aliases: {
      token_endpoint: 'https://mtls.example.com/token',
      revocation_endpoint: 'https://mtls.example.com/revo',
      introspection_endpoint: 'https://mtls.example.com/introspect',
    },
  };
  const { issuer } = document;
  const discover = async (options: Partial<MetadataOptions>, more: object = {}): Promise<unknown> =>
    (await discoverMetadata({ issuer, ...options }, async () => Response.json({ ...document, ...more })))
      .token_endpoint;

  test('a client without a certificate goes to the token endpoint', async () => {
    expect(await discover({})).toBe('https://server.example.com/token');
    expect(await discover({ mtls: false })).toBe('https://server.example.com/token');
  });

  test('a client with a certificate goes to the other one, when its host was named', async () => {
    expect(await discover({ mtls: true, host: 'mtls.example.com' })).toBe('https://mtls.example.com/token');
    const error = await failureOf(discover({ mtls: true }));
    expect(error).toMatchObject({ code: 'sts_metadata_invalid', failure: 'misconfigured' });
    expect(error.message).toContain('mtls.example.com');
  });

  test('a client with a certificate goes to the other one on the same host', async () => {
    const mtls_endpoint_aliases = { token_endpoint: 'https://server.example.com/mtls/token' };
    expect(await discover({ mtls: true }, { mtls_endpoint_aliases })).toBe(
      'https://server.example.com/mtls/token',
    );
  });

  test('a client with a certificate goes to the token endpoint when there is no other', async () => {
    for (const mtls_endpoint_aliases of [
      undefined,
      {},
      { revocation_endpoint: 'https://mtls.example.com/revo' },
    ]) {
      expect(await discover({ mtls: true }, { mtls_endpoint_aliases })).toBe(
        'https://server.example.com/token',
      );
    }
  });

  test.each([7, '/token', 'http://mtls.example.com/token', ''])(
    'no token goes to the alias %j',
    async (alias) => {
      const mtls_endpoint_aliases = { token_endpoint: alias };
      const error = await failureOf(discover({ mtls: true, host: undefined }, { mtls_endpoint_aliases }));
      expect(error.failure).toBe('misconfigured');
      expect(error.code).toBe(String(alias).startsWith('http:') ? 'insecure_url' : 'sts_metadata_invalid');
    },
  );
});
