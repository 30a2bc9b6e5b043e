import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { loadCredentials } from '../../../src/kubernetes/client/credentials.ts';
import { createKubeClient, type KubeClientOptions } from '../../../src/kubernetes/client/kube-client.ts';
import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import { createReflector, type Reflector } from '../../../src/kubernetes/client/reflector.ts';
import { RESOURCES } from '../../../src/kubernetes/client/resources.ts';
import { createTransport } from '../../../src/kubernetes/client/transport.ts';
import type { KubeClient, KubeObject, WatchEvent } from '../../../src/kubernetes/client/types.ts';
import type { Child } from '../../../src/kubernetes/controller/children.ts';
import { asNew } from '../../../src/kubernetes/controller/ensure-child.ts';
import { runAsLeader } from '../../../src/kubernetes/leader/run-as-leader.ts';
import { systemTime } from '../../../src/kubernetes/time.ts';
import { thrownBy } from '../../support/failure.ts';
import { type ControlPlane, startControlPlane } from '../support/kube-control-plane.ts';

const programs = inject('kube');
const { ConfigMap, Deployment, Lease, Namespace, Secret, Agent } = RESOURCES;

/** What takes a moment takes longer on a busy machine. */
const PATIENT = 20_000;

const configMap = (name: string, data: Record<string, string>, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'default', name, ...more },
  data,
});

async function kubeErrorOf(work: Promise<unknown> | (() => Promise<unknown>)): Promise<KubeError> {
  const error = await thrownBy(work);
  if (error instanceof KubeError) return error;
  throw new Error('it failed with another error', { cause: error });
}

async function clientOf(kubeconfig: string, options: Partial<KubeClientOptions> = {}): Promise<KubeClient> {
  const client = await createKubeClient({ kubeconfig, fieldManager: 'onbehalf-controller', ...options });
  onTestFinished(() => client.close());
  return client;
}

/** A service account of its own, with the right to do something with config maps and leases. */
async function account(plane: ControlPlane, name: string, verbs: readonly string[]): Promise<void> {
  const rbac = 'apis/rbac.authorization.k8s.io/v1/namespaces/default';
  const made = [
    await plane.api('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name } } }),
    await plane.api('POST', `/${rbac}/roles`, {
      body: {
        metadata: { name },
        rules: [
          { apiGroups: ['', 'coordination.k8s.io'], resources: ['configmaps', 'secrets', 'leases'], verbs },
        ],
      },
    }),
    await plane.api('POST', `/${rbac}/rolebindings`, {
      body: {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        subjects: [{ kind: 'ServiceAccount', namespace: 'default', name }],
      },
    }),
  ];
  expect(made.map(({ status }) => status)).toEqual([201, 201, 201]);
}

interface Reflected {
  readonly reflector: Reflector<string>;
  readonly told: string[];
  readonly errors: unknown[];
}

/** Reflects the `x` of all config maps. */
function reflect(client: KubeClient): Reflected {
  const told: string[] = [];
  const errors: unknown[] = [];
  const reflector = createReflector({
    ...{ client, resource: ConfigMap, selection: { labelSelector: 'reflected=yes' } },
    keep: ({ data }) => (data as { x: string }).x,
    onChange: ({ name }, before, after) => told.push(`${name} ${before ?? '-'} -> ${after ?? '-'}`),
    onError: (error) => errors.push(error),
    backoff: { firstMs: 50, mostMs: 500 },
  });
  const stop = new AbortController();
  const done = reflector.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  return { reflector, told, errors };
}

const reflected = { labels: { reflected: 'yes' } };

describe.skipIf(programs === undefined)('On a real API server', () => {
  let plane: ControlPlane;
  let admin: string;

  beforeAll(async () => {
    plane = await startControlPlane({ controllers: [] });
    admin = plane.adminKubeconfig.path;
  }, 60_000);
  afterAll(() => plane?.stop());

  const remove = async (...names: readonly string[]): Promise<void> => {
    for (const name of names) await plane.api('DELETE', `/api/v1/namespaces/default/configmaps/${name}`);
  };

  test('objects are made, read, changed, listed and deleted', async () => {
    const client = await clientOf(admin);
    const made = await client.create(ConfigMap, configMap('crud', { x: '1' }));
    expect(made).toMatchObject({ kind: 'ConfigMap', data: { x: '1' } });
    const place = { namespace: 'default', name: 'crud' };
    expect(await client.get(ConfigMap, place)).toEqual(made);
    expect(await kubeErrorOf(client.create(ConfigMap, configMap('crud', {})))).toMatchObject({
      ...{ code: 409, reason: 'AlreadyExists' },
    });
    const changed = await client.replace(ConfigMap, { ...made, data: { x: '2' } });
    expect(await kubeErrorOf(client.replace(ConfigMap, { ...made, data: { x: '3' } }))).toMatchObject({
      ...{ code: 409, reason: 'Conflict' },
    });
    const { items, resourceVersion } = await client.list(ConfigMap, { namespace: 'default' });
    expect(items.find(({ metadata }) => metadata.name === 'crud')).toEqual(changed);
    expect(Number(resourceVersion)).toBeGreaterThanOrEqual(Number(changed.metadata.resourceVersion));
    await client.delete(ConfigMap, { ...place, uid: 'of another' });
    expect(await client.get(ConfigMap, place)).toEqual(changed);
    await client.delete(ConfigMap, { ...place, uid: made.metadata.uid ?? '' });
    expect(await client.get(ConfigMap, place)).toBeUndefined();
    await client.delete(ConfigMap, { ...place, uid: made.metadata.uid ?? '' });
    const namespaces = await client.list(Namespace, {});
    expect(namespaces.items.map(({ metadata }) => metadata.name)).toContain('kube-system');
    expect(await client.get(Namespace, { namespace: '', name: 'default' })).toMatchObject({
      kind: 'Namespace',
    });
  });

  test('a resource that it does not serve is told from an object that is not there', async () => {
    const client = await clientOf(admin);
    const place = { namespace: 'default', name: 'none' };
    expect(await client.get(Deployment, place)).toBeUndefined();
    expect(await kubeErrorOf(client.get(Agent, place))).toMatchObject({
      code: 404,
      reason: 'UnknownResource',
    });
    expect(await kubeErrorOf(client.list(Agent, {}))).toMatchObject({ code: 404, reason: 'UnknownResource' });
    const elsewhere = configMap('a', {}, { namespace: 'no-such-namespace' });
    expect(await kubeErrorOf(client.apply(ConfigMap, elsewhere))).toMatchObject({
      reason: 'NotFound',
      message: expect.stringContaining('namespaces "no-such-namespace" not found'),
    });
  });

  test('an apply sets our fields by force, and leaves the others to others', async () => {
    const client = await clientOf(admin);
    const first = await client.apply(ConfigMap, configMap('applied', { ours: '1', both: '1' }));
    const again = await client.apply(ConfigMap, configMap('applied', { ours: '1', both: '1' }));
    expect(again.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const path = '/api/v1/namespaces/default/configmaps/applied?fieldManager=kubectl';
    const theirs = {
      body: configMap('applied', { both: '2', theirs: '2' }),
      contentType: 'application/apply-patch+yaml',
    };
    expect((await plane.api('PATCH', path, theirs)).status).toBe(409);
    expect((await plane.api('PATCH', `${path}&force=true`, theirs)).status).toBe(200);
    const last = await client.apply(ConfigMap, configMap('applied', { ours: '3', both: '3' }));
    expect(last.data).toEqual({ ours: '3', both: '3', theirs: '2' });
    const managers = (last.metadata as unknown as { managedFields: { manager: string; operation: string }[] })
      .managedFields;
    expect(managers).toContainEqual(
      expect.objectContaining({ manager: 'onbehalf-controller', operation: 'Apply' }),
    );
    const without = await client.apply(ConfigMap, configMap('applied', { ours: '3' }));
    expect(without.data).toEqual({ ours: '3', theirs: '2' });
    await remove('applied');
  });

  test('what is applied as new is made, and refused where somebody else has made it', async () => {
    const client = await clientOf(plane.adminKubeconfig.path);
    const child = (name: string): Child => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default' },
      data: { config: 'e30=' },
    });
    const body = { metadata: { name: 'theirs' }, data: { password: 'eA==' } };
    await plane.api('POST', '/api/v1/namespaces/default/secrets', { body });
    expect((await kubeErrorOf(client.apply(Secret, asNew(child('theirs'))))).reason).toBe('Conflict');
    expect((await client.get(Secret, { namespace: 'default', name: 'theirs' }))?.data).toEqual(body.data);

    expect((await client.apply(Secret, asNew(child('ours')))).data).toEqual({ config: 'e30=' });
    expect((await kubeErrorOf(client.apply(Secret, asNew(child('ours'))))).reason).toBe('Conflict');
    const { metadata } = await client.apply(Secret, child('ours'));
    // One entry, so that what is no longer wanted one day goes.
    expect(metadata).toMatchObject({
      managedFields: [{ manager: 'onbehalf-controller', operation: 'Apply' }],
    });
  });

  test('an apply of a status changes nothing else', async () => {
    const client = await clientOf(admin);
    const deployment: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace: 'default', name: 'with-status' },
      spec: {
        selector: { matchLabels: { app: 'x' } },
        template: {
          metadata: { labels: { app: 'x' } },
          spec: { containers: [{ name: 'c', image: 'none' }] },
        },
      },
    };
    const made = await client.apply(Deployment, deployment);
    const { metadata, apiVersion, kind } = deployment;
    const status = { replicas: 1, observedGeneration: 1 };
    const after = await client.applyStatus(Deployment, { apiVersion, kind, metadata, status });
    expect(after).toMatchObject({ status, metadata: { generation: made.metadata.generation } });
    await client.delete(Deployment, {
      namespace: 'default',
      name: 'with-status',
      uid: made.metadata.uid ?? '',
    });
  });

  test('what it says of a Secret that it refuses is not repeated', async () => {
    const client = await clientOf(admin);
    const value = 'fake-password-0123456789';
    const secret = (more: object): KubeObject => ({
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'default', name: 's' } },
      ...more,
    });
    for (const wrong of [
      secret({ stringData: { 'no key': value } }),
      secret({ data: { key: `${value}!` } }),
      secret({ stringData: value }),
      secret({ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': value } }),
    ]) {
      const { message } = await kubeErrorOf(client.apply(Secret, wrong));
      expect(message).toMatch(/^cannot apply secrets default\/s: \w+ \(\d+\)/);
      expect(message.includes(value), 'it repeats the value').toBe(false);
    }
  });

  test('a list of more than a page is whole, and of one version', async () => {
    const client = await clientOf(admin);
    const names = Array.from({ length: 1_100 }, (_, index) => `paged-${index}`);
    for (let from = 0; from < names.length; from += 100) {
      const some = names.slice(from, from + 100);
      await Promise.all(
        some.map((name) => client.create(ConfigMap, configMap(name, {}, { labels: { paged: 'yes' } }))),
      );
    }
    const sizes: number[] = [];
    const versions = new Set<string>();
    const found = new Set<string>();
    const selection = { namespace: 'default', labelSelector: 'paged=yes' };
    for await (const { items, resourceVersion } of client.pages(ConfigMap, selection)) {
      sizes.push(items.length);
      versions.add(resourceVersion);
      for (const { metadata } of items) found.add(metadata.name);
      // Changes meanwhile are not in it.
      await client.create(ConfigMap, configMap(`late-${sizes.length}`, {}, { labels: { paged: 'yes' } }));
    }
    expect([sizes, versions.size, found.size]).toEqual([[500, 500, 100], 1, 1_100]);
    expect((await client.list(ConfigMap, selection)).items).toHaveLength(1_103);
    await plane.api('DELETE', '/api/v1/namespaces/default/configmaps?labelSelector=paged%3Dyes');
  }, 60_000);

  test('a watch tells what happens from a version on, and Expired when that is forgotten', async () => {
    const client = await clientOf(admin);
    const { resourceVersion } = await client.list(ConfigMap, {});
    const stop = new AbortController();
    const events: WatchEvent[] = [];
    const error = thrownBy(async () => {
      const from = { namespace: 'default', resourceVersion };
      for await (const event of client.watch(ConfigMap, from, stop.signal)) events.push(event);
    });
    const made = await client.apply(ConfigMap, configMap('watched', { x: '1' }));
    await client.apply(ConfigMap, configMap('watched', { x: '2' }));
    await client.delete(ConfigMap, { namespace: 'default', name: 'watched', uid: made.metadata.uid ?? '' });
    await vi.waitFor(
      () => expect(events.map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']),
      PATIENT,
    );
    expect(events[0]?.object).toEqual(made);
    await plane.expireWatches();
    expect(await error).toMatchObject({ reason: 'Unreachable' });
    const expired = await kubeErrorOf(async () => {
      for await (const _ of client.watch(ConfigMap, { resourceVersion }, stop.signal));
    });
    expect(expired).toMatchObject({ code: 410, reason: 'Expired' });
  });

  test('a reflector follows through a kill, a restart and a lost past, and tells each change once', async () => {
    const client = await clientOf(admin);
    const other = await clientOf(admin);
    await other.apply(ConfigMap, configMap('r-1', { x: '1' }, reflected));
    const gone = await other.apply(ConfigMap, configMap('r-2', { x: '1' }, reflected));
    const { reflector, told, errors } = reflect(client);
    await reflector.synced;
    await other.apply(ConfigMap, configMap('r-1', { x: '2' }, reflected));
    await vi.waitFor(() => expect(reflector.get('default', 'r-1')).toBe('2'), PATIENT);

    await plane.restartApiServer('kill');
    await other.apply(ConfigMap, configMap('r-1', { x: '3' }, reflected));
    await vi.waitFor(() => expect(reflector.get('default', 'r-1')).toBe('3'), PATIENT);

    await plane.stopApiServer();
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(2), PATIENT);
    await plane.startApiServer();
    await other.delete(ConfigMap, { namespace: 'default', name: 'r-2', uid: gone.metadata.uid ?? '' });
    await other.apply(ConfigMap, configMap('r-3', { x: '1' }, reflected));
    await plane.expireWatches();
    await vi.waitFor(() => expect([...reflector.list()].sort()).toEqual(['1', '3']), PATIENT);
    expect(reflector.get('default', 'r-3')).toBe('1');
    // What loses a label is gone for those who asked for it.
    await other.apply(ConfigMap, configMap('r-3', { x: '1' }));
    await vi.waitFor(() => expect(reflector.list()).toEqual(['3']), PATIENT);
    expect(told).toEqual(
      expect.arrayContaining([
        'r-1 - -> 1',
        'r-2 - -> 1',
        'r-1 1 -> 2',
        'r-1 2 -> 3',
        'r-2 1 -> -',
        'r-3 1 -> -',
      ]),
    );
    expect(told).toHaveLength(7);
    await remove('r-1', 'r-3');
  }, 60_000);

  test('one that does not answer any more, its connections open, is noticed, and is fine again afterwards', async () => {
    const client = await clientOf(admin, { timeoutMs: 3_000, attempts: 1, watchIdleMs: 3_000 });
    const other = await clientOf(admin);
    const { reflector, errors } = reflect(client);
    await reflector.synced;
    await other.apply(ConfigMap, configMap('before', { x: 'before' }, reflected));
    await vi.waitFor(() => expect(reflector.list()).toEqual(['before']), PATIENT);
    errors.length = 0;
    plane.pauseApiServer();
    try {
      const place = { namespace: 'default', name: 'none' };
      expect(await kubeErrorOf(client.get(ConfigMap, place))).toMatchObject({ code: 0, reason: 'TimedOut' });
      await vi.waitFor(
        () => expect(errors).toContainEqual(expect.objectContaining({ reason: 'TimedOut' })),
        10_000,
      );
    } finally {
      plane.resumeApiServer();
    }
    await other.apply(ConfigMap, configMap('after', { x: 'after' }, reflected));
    await vi.waitFor(() => expect([...reflector.list()].sort()).toEqual(['after', 'before']), PATIENT);
    await remove('before', 'after');
  }, 60_000);

  test('the rights of a service account are its limits, and the error says which is missing', async () => {
    await account(plane, 'reader', ['get', 'list']);
    const { path } = await plane.kubeconfigFor({ namespace: 'default', serviceAccount: 'reader' });
    const client = await clientOf(path);
    expect((await client.list(ConfigMap, { namespace: 'default' })).items).toBeDefined();
    for (const work of [
      () => client.list(ConfigMap, {}),
      () => client.apply(ConfigMap, configMap('x', {})),
      () => client.apply(Secret, { ...configMap('x', {}), kind: 'Secret' }),
    ]) {
      const error = await kubeErrorOf(work());
      expect(error).toMatchObject({ code: 403, reason: 'Forbidden' });
      expect(error.message).toMatch(
        /User "system:serviceaccount:default:reader" cannot (list|patch) resource/,
      );
    }
  });

  test('a token that was replaced in its file is used, at the latest when the old one is refused', async () => {
    await account(plane, 'rotated', ['get', 'list']);
    const folder = await mkdtemp(join(tmpdir(), 'onbehalf-token-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const config = JSON.parse(plane.adminKubeconfig.contents);
    config.users[0].user = { tokenFile: 'token' };
    await writeFile(join(folder, 'config'), JSON.stringify(config));
    await writeFile(join(folder, 'token'), 'fake-token-that-is-not-valid\n');
    const client = await clientOf(join(folder, 'config'));
    expect(await kubeErrorOf(client.list(ConfigMap, { namespace: 'default' }))).toMatchObject({
      ...{ code: 401, reason: 'Unauthorized' },
    });
    const token = await plane.tokenFor({ namespace: 'default', serviceAccount: 'rotated' });
    await writeFile(join(folder, 'token'), `${token}\n`);
    expect((await client.list(ConfigMap, { namespace: 'default' })).items).toBeDefined();
  });

  test('a pod talks to it as its service account', async () => {
    await account(plane, 'pod', ['get', 'list']);
    const root = await mkdtemp(join(tmpdir(), 'onbehalf-pod-'));
    onTestFinished(() => rm(root, { recursive: true }));
    const folder = join(root, 'var/run/secrets/kubernetes.io/serviceaccount');
    await mkdir(folder, { recursive: true });
    const token = await plane.tokenFor({ namespace: 'default', serviceAccount: 'pod' });
    await writeFile(join(folder, 'token'), `${token}\n`);
    await writeFile(join(folder, 'ca.crt'), plane.caPem);
    const { hostname, port } = new URL(plane.server);
    vi.stubEnv('KUBERNETES_SERVICE_HOST', hostname).stubEnv('KUBERNETES_SERVICE_PORT', port);
    onTestFinished(() => void vi.unstubAllEnvs());
    const credentials = await loadCredentials({ inCluster: true, root, time: systemTime });
    const transport = createTransport();
    onTestFinished(() => transport.close());
    const { status, body } = await transport.send({
      ...{ method: 'GET', path: '/api/v1/namespaces/default/configmaps', headers: {}, lasting: false },
      ...{ access: await credentials.current(), signal: AbortSignal.timeout(20_000) },
    });
    expect([status, JSON.parse(await text(body)).kind]).toEqual([200, 'ConfigMapList']);
  });

  test('of two that want to lead one does, and the other takes over when it ends or is cut off', async () => {
    await account(plane, 'leader', ['get', 'create', 'update']);
    const { path } = await plane.kubeconfigFor({ namespace: 'default', serviceAccount: 'leader' });
    const history: string[] = [];
    const leading = new Set<string>();
    const start = async (name: string): Promise<{ stop: () => Promise<void>; client: KubeClient }> => {
      const client = await clientOf(path);
      const stop = new AbortController();
      const onLeading = async (signal: AbortSignal): Promise<void> => {
        expect([...leading]).toEqual([]);
        leading.add(name);
        history.push(name);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        leading.delete(name);
      };
      const times = { leaseDurationMs: 9_000, renewMs: 7_000, retryMs: 200 };
      const place = { namespace: 'default', name: 'onbehalf' };
      const done = runAsLeader({ client, ...place, ...times, identity: name, onLeading }, stop.signal);
      return {
        client,
        stop: async () => {
          stop.abort();
          await done;
        },
      };
    };
    const client = await clientOf(admin);
    /** Lets the lease be renewed some times, by whoever does. */
    const renewed = async (times: number): Promise<void> => {
      const { resourceVersion } = await client.list(Lease, { namespace: 'default' });
      const from = { namespace: 'default', resourceVersion };
      let seen = 0;
      for await (const _ of client.watch(Lease, from, AbortSignal.timeout(PATIENT))) {
        seen += 1;
        if (seen === times) return;
      }
    };
    const a = await start('a');
    await vi.waitFor(() => expect(history).toEqual(['a']), PATIENT);
    const b = await start('b');
    await renewed(8);
    expect(history).toEqual(['a']);
    await a.stop();
    await vi.waitFor(() => expect(history).toEqual(['a', 'b']), PATIENT);
    const c = await start('c');
    await renewed(8);
    expect([...leading]).toEqual(['b']);
    plane.pauseApiServer();
    await vi.waitFor(() => expect([...leading]).toEqual([]), PATIENT).finally(() => plane.resumeApiServer());
    await vi.waitFor(() => expect(leading.size).toBe(1), PATIENT);
    const lease = await client.get(Lease, { namespace: 'default', name: 'onbehalf' });
    expect(lease?.spec).toMatchObject({ leaseDurationSeconds: 9 });
    expect(lease?.spec).toMatchObject({ holderIdentity: expect.stringMatching(`^${[...leading]}_`) });
    await Promise.all([b.stop(), c.stop()]);
    const after = await client.get(Lease, { namespace: 'default', name: 'onbehalf' });
    // Who leads again after a pause has not taken it from anybody.
    const leaseTransitions = history.filter((name, index) => index > 0 && name !== history[index - 1]).length;
    expect(after?.spec).toMatchObject({ holderIdentity: '', leaseTransitions });
  }, 90_000);
});

describe.skipIf(programs === undefined)('On a real API server that takes few requests at once', () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane({
      controllers: [],
      apiServer: {
        'enable-priority-and-fairness': 'false',
        'max-requests-inflight': '1',
        'max-mutating-requests-inflight': '1',
      },
    });
  }, 60_000);
  afterAll(() => plane?.stop());

  test('all that is asked is done in the end', async () => {
    await account(plane, 'busy', ['get', 'list', 'patch', 'create']);
    const { path } = await plane.kubeconfigFor({ namespace: 'default', serviceAccount: 'busy' });
    const impatient = await clientOf(path, { attempts: 1 });
    const many = (client: KubeClient): Promise<PromiseSettledResult<KubeObject>[]> =>
      Promise.allSettled(
        Array.from({ length: 60 }, (_, index) =>
          client.apply(ConfigMap, configMap(`busy-${index}`, { x: '1' })),
        ),
      );
    const refused = (await many(impatient)).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(refused).not.toEqual([]);
    expect(refused).toContainEqual(
      expect.objectContaining({ code: 429, reason: 'TooManyRequests', retryAfterMs: 1_000 }),
    );
    const patient = await clientOf(path, { attempts: 20 });
    expect((await many(patient)).filter(({ status }) => status === 'rejected')).toEqual([]);
  }, 60_000);
});
