import { existsSync } from 'node:fs';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { apiOf } from '../support/kube-client.ts';
import { type ControlPlane, startControlPlane } from '../support/kube-control-plane.ts';

const missing = inject('kube') === undefined;
const NAMESPACE = 'onbehalf-test';
const START_MS = 120_000;

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'parcels.test.onbehalf.dev' },
  spec: {
    group: 'test.onbehalf.dev',
    scope: 'Namespaced',
    names: { kind: 'Parcel', plural: 'parcels', singular: 'parcel' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { weight: { type: 'integer' }, limit: { type: 'integer' } },
                'x-kubernetes-validations': [
                  { rule: 'self.weight <= self.limit', message: 'the parcel is too heavy' },
                ],
              },
            },
          },
        },
      },
    ],
  },
};

const parcel = (name: string, weight: number) => ({
  apiVersion: 'test.onbehalf.dev/v1',
  kind: 'Parcel',
  metadata: { name, namespace: NAMESPACE },
  spec: { weight, limit: 10 },
});

const configMap = (name: string, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: NAMESPACE, ...metadata },
});

describe.skipIf(missing)('the control plane of the tests', () => {
  let plane: ControlPlane;

  beforeAll(async () => {
    plane = await startControlPlane({ crds: [JSON.stringify(CRD)] });
    await applied({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  }, START_MS);
  afterAll(() => plane?.stop());

  const apply = (object: object) => plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });

  /** @returns the object as the API server has it */
  async function applied(object: object) {
    const input = JSON.stringify(object);
    const { stdout, stderr } = await plane.kubectl(['apply', '-o', 'json', '-f', '-'], { input });
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  }

  const exists = async (kind: string, name: string): Promise<boolean> => {
    const { code } = await plane.kubectl(['get', kind, name, '-n', NAMESPACE]);
    return code === 0;
  };

  test('a rule of a CustomResourceDefinition refuses the object that breaks it', async () => {
    await applied(parcel('light', 3));
    expect(await exists('parcel', 'light')).toBe(true);

    const refused = await apply(parcel('heavy', 30));
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('the parcel is too heavy') });
    expect(await exists('parcel', 'heavy')).toBe(false);
  });

  test('a service account token verifies by the keys that anyone may read', async () => {
    await applied({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'clerk', namespace: NAMESPACE },
    });
    const token = await plane.tokenFor({
      ...{ namespace: NAMESPACE, serviceAccount: 'clerk', audiences: ['https://sts.example.com'] },
    });

    const anyone = apiOf(plane.server, plane.caPem);
    const metadata = await anyone('GET', '/.well-known/openid-configuration');
    expect(metadata.body).toMatchObject({ issuer: plane.issuer, jwks_uri: plane.jwksUri });
    const keys = createLocalJWKSet((await anyone('GET', plane.jwksUri)).body);
    const { payload } = await jwtVerify(token, keys, {
      ...{ issuer: plane.issuer, audience: 'https://sts.example.com' },
    });
    expect(payload.sub).toBe(`system:serviceaccount:${NAMESPACE}:clerk`);
    await expect(jwtVerify(token, keys, { audience: plane.issuer })).rejects.toMatchObject({ claim: 'aud' });
    expect((await anyone('GET', '/api/v1/namespaces')).status).toBe(403);
  });

  test('a service account may do what a role allows, and no more', async () => {
    await applied({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'guest', namespace: NAMESPACE },
    });
    const kubeconfig = await plane.kubeconfigFor({ namespace: NAMESPACE, serviceAccount: 'guest' });
    const list = (what: string) => plane.kubectl(['get', what, '-n', NAMESPACE], { kubeconfig });
    expect(await list('parcels')).toMatchObject({ code: 1, stderr: expect.stringContaining('Forbidden') });

    const allow = async (...args: string[]) =>
      expect(await plane.kubectl(['create', ...args, '-n', NAMESPACE])).toMatchObject({ code: 0 });
    await allow('role', 'reader', '--verb=list', '--resource=parcels');
    await allow('rolebinding', 'reader', '--role=reader', `--serviceaccount=${NAMESPACE}:guest`);
    await expect.poll(async () => (await list('parcels')).code).toBe(0);
    expect(await list('secrets')).toMatchObject({ code: 1, stderr: expect.stringContaining('Forbidden') });
  });

  test('an account that is not there has no token', async () => {
    const account = { namespace: NAMESPACE, serviceAccount: 'nobody' };
    await expect(plane.tokenFor(account)).rejects.toThrow('serviceaccounts "nobody" not found');
  });

  test('an object is removed with its owner', async () => {
    const { apiVersion, kind, metadata } = await applied(parcel('owner', 1));
    const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid };
    await applied(configMap('owned', { ownerReferences: [owner] }));
    await applied(configMap('free'));

    await plane.kubectl(['delete', 'parcel', 'owner', '-n', NAMESPACE]);
    const gone = ['wait', '--for=delete', 'configmap/owned', '-n', NAMESPACE, '--timeout=25s'];
    expect(await plane.kubectl(gone)).toMatchObject({ code: 0 });
    expect(await exists('configmap', 'free')).toBe(true);
  });

  test('a namespace is removed with what is in it', async () => {
    await applied({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'brief' } });
    await applied(configMap('inside', { namespace: 'brief' }));
    // It waits until the namespace is gone, which its finalizer delays until all in it is.
    const removed = await plane.kubectl(['delete', 'namespace', 'brief', '--timeout=25s']);
    expect(removed).toMatchObject({ code: 0 });
    expect((await plane.api('GET', '/api/v1/namespaces/brief')).status).toBe(404);
  });

  test.each(['kill', 'graceful'] as const)('a restart (%s) keeps the objects', async (how) => {
    const { metadata } = await applied(parcel(`kept-${how}`, 2));
    await plane.stopApiServer(how);
    await expect(plane.api('GET', '/readyz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });

    await plane.startApiServer();
    const path = `/apis/test.onbehalf.dev/v1/namespaces/${NAMESPACE}/parcels/kept-${how}`;
    expect((await plane.api('GET', path)).body.metadata).toMatchObject({ uid: metadata.uid });
    expect(await apply(parcel('after-restart', 2))).toMatchObject({ code: 0 });
  });

  test('a paused API server answers when it is resumed', async () => {
    plane.pauseApiServer();
    const answer = plane.api('GET', '/version');
    try {
      const impatient = plane.api('GET', '/version', { timeoutMs: 300 });
      await expect(impatient).rejects.toMatchObject({ name: 'AbortError' });
    } finally {
      plane.resumeApiServer();
    }
    expect(await answer).toMatchObject({ status: 200, body: { gitVersion: plane.version } });
  });

  test('a watch from a revision that is forgotten gets 410', async () => {
    const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
    const { resourceVersion } = (await plane.api('GET', path)).body.metadata;
    const watch = async () =>
      (await plane.api('GET', `${path}?watch=1&timeoutSeconds=1&resourceVersion=${resourceVersion}`)).body;
    await applied(configMap('seen'));
    expect(await watch()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'seen' } } });

    await plane.expireWatches();
    expect(await watch()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    expect(await exists('configmap', 'seen')).toBe(true);
  });

  test('nothing stays when it has stopped', async () => {
    const other = await startControlPlane({ controllers: [] });
    await other.stop();
    expect(existsSync(other.adminKubeconfig.path)).toBe(false);
    await expect(other.api('GET', '/readyz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect((await plane.api('GET', '/readyz')).status).toBe(200);
  });
});

test.skipIf(missing)('an API server without a cache forgets with etcd', async () => {
  const plane = await startControlPlane({ controllers: [], apiServer: { 'watch-cache': 'false' } });
  onTestFinished(plane.stop);
  const path = '/apis/rbac.authorization.k8s.io/v1/clusterroles?limit=1';
  const { continue: token } = (await plane.api('GET', path)).body.metadata;
  const next = () => plane.api('GET', `${path}&continue=${token}`);
  await plane.api('POST', '/api/v1/namespaces', { body: { metadata: { name: NAMESPACE } } });
  expect((await next()).status).toBe(200);

  await plane.compactEtcd();
  expect(await next()).toMatchObject({ status: 410, body: { reason: 'Expired' } });
});
