import { describe, expect, test } from 'vitest';
import { KINDS } from '../../../src/kubernetes/api/kinds.ts';
import type { TokenServiceSpec } from '../../../src/kubernetes/api/token-service.ts';
import {
  checkTokenService,
  type TokenServiceCheck,
} from '../../../src/kubernetes/controller/check-token-service.ts';
import { json, never, startLoopback } from '../../support/loopback.ts';
import { startSts } from '../../support/sts.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

const check = (
  given: object,
  signal: AbortSignal = new AbortController().signal,
): Promise<TokenServiceCheck> => {
  const spec = KINDS.TokenService.spec.parse({ clientID: 'agents', ...given }) as TokenServiceSpec;
  return checkTokenService(spec, (url, init) => fetch(url, init), signal);
};

async function startMetadata(more: object): Promise<string> {
  const server = await startLoopback((_request, response) => {
    const { origin } = server;
    json(response, { issuer: origin, token_endpoint: `${origin}/token`, ...more });
  });
  return server.origin;
}

describe('a token service', () => {
  test('that is a real one is ready, and its token endpoint is told', async () => {
    const sts = await startSts();
    expect(await check({ issuer: sts.issuer })).toMatchObject({
      Ready: { status: 'True', reason: 'Ready' },
      tokenEndpoint: sts.tokenEndpoint,
    });
  });

  test('with a given token endpoint is not asked', async () => {
    const server = await startLoopback(never);
    const tokenEndpoint = `${server.origin}/token`;
    const found = await check({ issuer: server.origin, tokenEndpoint });
    expect(found).toMatchObject({ Ready: { status: 'True' }, tokenEndpoint });
    expect(server.received).toEqual([]);
  });

  test.each([
    ['answers 503', (origin: string) => ({ issuer: `${origin}/down` }), 'answered with status 503'],
    ['names another issuer', (origin: string) => ({ issuer: `${origin}/other` }), 'set spec.issuer'],
  ])('that %s is not ready, and why is said in terms of fields', async (_, given, why) => {
    const server = await startLoopback((request, response) => {
      if (request.path.includes('down')) json(response, {}, { status: 503 });
      else json(response, { issuer: 'https://elsewhere.example', token_endpoint: `${server.origin}/token` });
    });
    const { Ready, tokenEndpoint } = await check(given(server.origin));
    expect(Ready).toMatchObject({ status: 'False', reason: 'DiscoveryFailed' });
    expect(Ready.message).toContain(why);
    expect(tokenEndpoint).toBeUndefined();
  });

  test('that is not there is not ready', async () => {
    const server = await startLoopback(never);
    await server.close();
    const { Ready } = await check({ issuer: server.origin });
    expect(Ready).toMatchObject({ status: 'False', reason: 'DiscoveryFailed' });
    expect(Ready.message).toContain('could not be reached (ECONNREFUSED)');
  });

  test('that says it takes other grants only is not ready', async () => {
    const issuer = await startMetadata({ grant_types_supported: ['authorization_code'] });
    expect((await check({ issuer })).Ready).toMatchObject({ status: 'False', reason: 'GrantNotSupported' });
    expect((await check({ issuer })).Ready.message).toContain(EXCHANGE);
  });

  test('that says it takes the grant of its profile is ready', async () => {
    const exchange = await startMetadata({ grant_types_supported: [EXCHANGE] });
    expect((await check({ issuer: exchange })).Ready.status).toBe('True');
    expect((await check({ issuer: exchange, profile: 'entra-obo' })).Ready.status).toBe('False');
    const bearer = ['urn:ietf:params:oauth:grant-type:jwt-bearer'];
    const entra = await startMetadata({ grant_types_supported: bearer });
    expect((await check({ issuer: entra, profile: 'entra-obo' })).Ready.status).toBe('True');
  });

  test('whose certificate the controller cannot verify is not asked, and not called broken', async () => {
    const tls = { caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt' };
    const found = await check({ issuer: 'https://127.0.0.1:1', tls });
    expect(found.Ready).toMatchObject({ status: 'Unknown', reason: 'NotChecked' });
    expect((await check({ issuer: 'https://127.0.0.1:1', tls: { disableVerify: true } })).Ready.status).toBe(
      'Unknown',
    );
  });

  test('is no longer waited for when the controller ends', async () => {
    const server = await startLoopback(never);
    const ending = new AbortController();
    const waiting = check({ issuer: server.origin }, ending.signal);
    await server.arrived(1);
    ending.abort(new Error('the end'));
    await expect(waiting).rejects.toThrow('the end');
  });
});
