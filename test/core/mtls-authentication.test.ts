import { exportJWK, importX509 } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { type ClientAuth, createClientAuthentication } from '../../src/core/client-authentication.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import {
  type Authority,
  type Certified,
  createAuthority,
  selfSigned,
  startTlsLoopback,
} from '../support/certificates.ts';
import { startCertifiedSts } from '../support/certified-sts.ts';
import { failureOf } from '../support/failure.ts';
import { createProjectedVolume } from '../support/files.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, startLoopback } from '../support/loopback.ts';

const clientId = 'agent';
/** No second try: what is looked at is how one request fails. */
const once = { retry: { attempts: 1 } };
const granted = expect.objectContaining({ type: TOKEN_TYPE.accessToken });

let authority: Authority;
let one: Certified;
let two: Certified;

beforeAll(async () => {
  authority = await createAuthority();
  one = await authority.client('agent-one');
  two = await authority.client('agent-two');
});

const byCertificate = ({ cert, key }: Certified, method: 'tls_client_auth' | 'self_signed_tls_client_auth') =>
  ({ method, certificate: cert, privateKey: key, ca: authority.cert }) as const;

/** Gets the client's own token. */
const grantedBy = async (issuer: string, clientAuth: ClientAuth) =>
  clientCredentialsActor(createTokenService({ issuer, clientId, clientAuth, ...once }))({});

test('tls_client_auth is accepted by a real authorization server, for the registered subject only', async () => {
  const method = 'tls_client_auth';
  const { issuer } = await startCertifiedSts(authority, [
    {
      client_id: clientId,
      token_endpoint_auth_method: method,
      tls_client_auth_subject_dn: 'CN=agent-one',
    },
  ]);
  expect(await grantedBy(issuer, byCertificate(one, method))).toEqual(granted);
  for (const wrong of [two, await selfSigned('agent-one')]) {
    const error = await failureOf(grantedBy(issuer, byCertificate(wrong, method)));
    expect(error).toMatchObject({ oauthError: 'invalid_client', failure: 'misconfigured' });
  }
});

test('self_signed_tls_client_auth is accepted by a real authorization server, for the registered certificate only', async () => {
  const method = 'self_signed_tls_client_auth';
  const own = await selfSigned('agent');
  const x5c = [own.cert.replaceAll(/-----[^-]+-----|\s/g, '')];
  const jwk = await exportJWK(await importX509(own.cert, 'ES256'));
  const { issuer } = await startCertifiedSts(authority, [
    { client_id: clientId, token_endpoint_auth_method: method, jwks: { keys: [{ ...jwk, x5c }] as never } },
  ]);
  expect(await grantedBy(issuer, byCertificate(own, method))).toEqual(granted);
  const error = await failureOf(grantedBy(issuer, byCertificate(await selfSigned('agent'), method)));
  expect(error).toMatchObject({ oauthError: 'invalid_client', failure: 'misconfigured' });
});

const ANSWER = { access_token: 'fake-access-token', token_type: 'Bearer' };

const startServer = async () =>
  startTlsLoopback(
    { ...(await authority.server()), ca: authority.cert, rejectUnauthorized: true },
    always(ANSWER),
  );

test('by TLS the body says who the client is and nothing more', async () => {
  const server = await startServer();
  const tokenService = createTokenService({
    tokenEndpoint: `${server.origin}/token`,
    clientId,
    clientAuth: byCertificate(one, 'tls_client_auth'),
  });
  await clientCredentialsActor(tokenService)({});
  expect(server.received).toMatchObject([{ client: 'agent-one', path: '/token' }]);
  expect(Object.fromEntries(server.received[0]?.form ?? [])).toEqual({
    grant_type: 'client_credentials',
    client_id: clientId,
  });
  expect(server.received[0]?.headers.authorization).toBeUndefined();
});

test('a certificate that was replaced in its files is shown in the next request', async () => {
  const server = await startServer();
  const volume = await createProjectedVolume({ crt: one.cert, key: one.key, ca: authority.cert });
  const file = (name: string) => ({ file: volume.path(name) });
  const tokenService = createTokenService({
    tokenEndpoint: `${server.origin}/token`,
    clientId,
    clientAuth: {
      method: 'tls_client_auth',
      certificate: file('crt'),
      privateKey: file('key'),
      ca: file('ca'),
    },
  });
  const actor = clientCredentialsActor(tokenService);
  await actor({});
  await actor({});
  await volume.project({ crt: two.cert, key: two.key, ca: authority.cert });
  await actor({});
  expect(server.received.map(({ client, connection }) => [client, connection])).toEqual([
    ['agent-one', 1],
    ['agent-one', 1],
    ['agent-two', 2],
  ]);
});

test('without its certificate a client sends nothing', async () => {
  const server = await startServer();
  const tokenService = createTokenService({
    tokenEndpoint: `${server.origin}/token`,
    clientId,
    clientAuth: { ...byCertificate(one, 'tls_client_auth'), certificate: { file: '/nowhere/tls.crt' } },
    ...once,
  });
  const error = await failureOf(async () => clientCredentialsActor(tokenService)({}));
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'unavailable' });
  expect(error.message).toBe('"clientAuth.certificate": /nowhere/tls.crt cannot be read (ENOENT)');
  expect(server.received).toEqual([]);
});

test('a token endpoint without TLS is refused, on loopback too', async () => {
  const server = await startLoopback(always(ANSWER));
  const tokenService = createTokenService({
    tokenEndpoint: `${server.origin}/token`,
    clientId,
    clientAuth: byCertificate(one, 'tls_client_auth'),
    ...once,
  });
  const error = await failureOf(async () => clientCredentialsActor(tokenService)({}));
  expect(error).toMatchObject({ code: 'insecure_url', failure: 'misconfigured' });
  expect(server.received).toEqual([]);
});

test('what authenticates by TLS shows no key, and sends nothing in confidence', async () => {
  const authentication = createClientAuthentication(byCertificate(one, 'tls_client_auth'), clientId);
  expectNoLeak(
    authentication,
    one.key.split('\n').filter((line) => /^[\w+/=]{8,}/.test(line)),
  );
  expect(authentication.sent()).toEqual([]);
  expect(createClientAuthentication({ method: 'none' }, clientId).fetch).toBeUndefined();
});
