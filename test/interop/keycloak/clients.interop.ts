import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import type { ClientAuth } from '../../../src/index.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { SERVICE_ACCOUNT, secretOf } from './realm.ts';
import {
  type Agent,
  admin,
  describeKeycloak,
  idOf,
  keycloak,
  refusal,
  signIn,
  startAgent,
  verified,
} from './support.ts';

describeKeycloak('clients of Keycloak', () => {
  test('a secret may be in the form, and in a file that is changed when the secret is', async () => {
    const file = await secretFile(secretOf('agent-post'));
    const agent = startAgent({
      clientId: 'agent-post',
      clientAuth: { method: 'client_secret_post', clientSecret: { file } },
    });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    await verified(await agent.broker.token(run, 'calendar'), 'calendar');

    const path = `/clients/${await idOf('clients', 'agent-post')}/client-secret`;
    const { value } = (await admin('POST', path)) as { readonly value: string };
    const error = await refusal(agent, run, 'files');
    expect(error).toMatchObject({ failure: 'misconfigured', status: 401, oauthError: 'unauthorized_client' });
    await writeFile(file, value);
    const token = await agent.broker.token(run, { audience: 'files', scope: 'calendar.read' });
    await verified(token, 'files');
    expect(agent.requests.map((form) => form.get('client_secret'))).toEqual([
      ...[secretOf('agent-post'), secretOf('agent-post')],
      value,
    ]);
  });

  test('a client may sign with its private key, a new assertion each time', async () => {
    const privateKey = JSON.stringify(keycloak().agentKey);
    const agent = startAgent({
      clientId: 'agent-jwt',
      clientAuth: { method: 'private_key_jwt', privateKey },
    });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    for (const audience of ['calendar', 'files']) {
      const { payload } = await verified(await agent.broker.token(run, audience), audience);
      expect(payload.azp).toBe('agent-jwt');
    }
    const claims = agent.requests.map((form) => decodeJwt(form.get('client_assertion') ?? ''));
    expect(new Set(claims.map(({ jti }) => jti)).size).toBe(2);
    expectNoLeak(agent.broker.stats(), [...agent.secrets(), privateKey]);
  });

  test('where the issuer is not known, the assertion is made for the token endpoint', async () => {
    const tokenEndpoint = `${keycloak().issuer}/protocol/openid-connect/token`;
    const privateKey = JSON.stringify(keycloak().agentKey);
    const auth: ClientAuth = { method: 'private_key_jwt', privateKey };
    const agent = startAgent({ clientId: 'agent-jwt', tokenEndpoint, clientAuth: auth });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    await verified(await agent.broker.token(run, 'calendar'), 'calendar');
    expect(decodeJwt(agent.requests[0]?.get('client_assertion') ?? '').aud).toBe(tokenEndpoint);
  });

  test('a signature of another key is refused, and the assertion is not repeated', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const agent = startAgent({
      clientId: 'agent-jwt',
      clientAuth: { method: 'private_key_jwt', privateKey, keyId: keycloak().agentKey.kid },
    });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const error = await refusal(agent, run, 'calendar');
    expect(error).toMatchObject({ failure: 'misconfigured', status: 400, oauthError: 'invalid_client' });
    expect(error.message).toContain('Signature on JWT token failed validation');
  });
});

describeKeycloak('a Kubernetes service account as client of Keycloak', () => {
  test('its projected token is enough, and is read anew when the kubelet has renewed it', async () => {
    const first = await serviceAccountToken();
    const { agent, file } = await startPod(first);
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    for (const audience of ['calendar', 'files']) {
      const { payload } = await verified(await agent.broker.token(run, audience), audience);
      expect(payload.azp).toBe('agent-k8s');
    }
    const renewed = await serviceAccountToken();
    await writeFile(file, `${renewed}\n`);
    await agent.broker.token(run, { audience: 'calendar', scope: 'calendar.read' });
    const sent = agent.requests.map((form) => form.get('client_assertion'));
    expect(sent).toEqual([first, first, renewed]);
    expect(renewed).not.toBe(first);
  });

  test.each<{ readonly what: string; readonly token: () => Promise<string> }>([
    {
      what: 'of another service account',
      token: () => serviceAccountToken({ sub: 'system:serviceaccount:agents:other' }),
    },
    { what: 'for another audience', token: () => serviceAccountToken({ aud: 'https://other.example.com' }) },
    {
      what: 'signed by another cluster',
      token: async () => serviceAccountToken({}, await exportJWK((await rsa()).privateKey)),
    },
  ])('a token $what is refused', async ({ token }) => {
    const { agent } = await startPod(await token());
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    expect(await refusal(agent, run, 'calendar')).toMatchObject({
      ...{ code: 'sts_error', failure: 'misconfigured', oauthError: 'invalid_client' },
    });
  });
});

const rsa = (): ReturnType<typeof generateKeyPair> => generateKeyPair('RS256', { extractable: true });

/** What a kubelet puts into the pod's projected volume. */
async function serviceAccountToken(claims: object = {}, key: JWK = keycloak().cluster.key): Promise<string> {
  return new SignJWT({
    iss: keycloak().cluster.issuer,
    sub: SERVICE_ACCOUNT,
    aud: keycloak().issuer,
    jti: crypto.randomUUID(),
    ...claims,
  })
    .setProtectedHeader({ alg: 'RS256', kid: String(keycloak().cluster.key.kid) })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(await importJWK(key, 'RS256'));
}

async function startPod(token: string): Promise<{ readonly agent: Agent; readonly file: string }> {
  const file = await secretFile(token);
  const auth: ClientAuth = { method: 'client_assertion', assertion: { file } };
  return { agent: startAgent({ clientId: 'agent-k8s', clientAuth: auth }), file };
}

/** A file with a secret, gone at the end of the test. */
async function secretFile(secret: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'onbehalf-secret-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'secret');
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  return file;
}
