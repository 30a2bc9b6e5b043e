import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { loadCredentials } from '../../../src/kubernetes/client/credentials.ts';
import { createKubeClient } from '../../../src/kubernetes/client/kube-client.ts';
import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import { RESOURCES } from '../../../src/kubernetes/client/resources.ts';
import { thrownBy } from '../../support/failure.ts';
import { temporaryDirectory } from '../../support/files.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { always, startLoopback } from '../../support/loopback.ts';
import { createSimulatedTime } from '../../support/simulated-time.ts';
import { configMap, kubeconfigOf, refuse, TOKEN } from './started.ts';

const SERVER = 'http://127.0.0.1:1';

let folder: string;
beforeEach(async () => {
  folder = await temporaryDirectory();
  vi.stubEnv('HOME', folder).stubEnv('KUBECONFIG', '').stubEnv('KUBERNETES_SERVICE_HOST', '');
  onTestFinished(() => void vi.unstubAllEnvs());
});

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const time = createSimulatedTime();

describe('A kubeconfig that cannot be used is told', () => {
  const config = JSON.parse(kubeconfigOf(SERVER, { token: TOKEN }));
  test.each([
    ['that is not YAML', `a: [\n${TOKEN}: }`, 'cannot be used: it is not YAML'],
    ['with a cluster without a name', { ...config, clusters: [{}] }, 'clusters[0].name is missing'],
    ['without a current context', { ...config, 'current-context': undefined }, 'has no current-context'],
    ['without its cluster', { ...config, clusters: [] }, 'has no cluster for its current-context'],
    ['without its user', { ...config, users: [] }, 'has no user for its current-context'],
    [
      'with a proxy',
      { ...config, clusters: [{ name: 'test', cluster: { server: SERVER, 'proxy-url': 'http://x' } }] },
      'has a proxy-url, which is not supported',
    ],
  ])('(one %s)', async (_name, content, message) => {
    const kubeconfig = await file('config', typeof content === 'string' ? content : JSON.stringify(content));
    const error = await thrownBy(createKubeClient({ kubeconfig, fieldManager: 'test' }));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain(message);
    expect(String(error)).toContain(kubeconfig);
    expectNoLeak(error, [TOKEN]);
  });

  test('(one that is not there)', async () => {
    const kubeconfig = join(folder, 'none');
    await expect(createKubeClient({ kubeconfig, fieldManager: 'test' })).rejects.toThrow(
      /none cannot be used: ENOENT/,
    );
  });

  test('(none at all, outside of a cluster)', async () => {
    for (const inCluster of [true, false]) {
      await expect(createKubeClient({ inCluster, fieldManager: 'test' })).rejects.toThrow(
        /^there is no Kubernetes API server to talk to: this is no pod of a cluster\. Give a kubeconfig/,
      );
    }
  });
});

test('Options that exclude each other are told', async () => {
  await expect(createKubeClient({ kubeconfig: 'x', inCluster: true, fieldManager: 'test' })).rejects.toThrow(
    new TypeError('"kubeconfig" and "inCluster" exclude each other'),
  );
  await expect(createKubeClient({ fieldManager: '' })).rejects.toThrow(
    '"fieldManager" must be a non-empty string',
  );
});

test('KUBECONFIG names files of which the first that says something counts', async () => {
  const first = kubeconfigOf(`${SERVER}/first/`, { token: TOKEN });
  const second = kubeconfigOf(SERVER, { token: 'fake-token-of-another' }).replaceAll('"test"', '"second"');
  const files = [await file('1', first), await file('2', second)];
  vi.stubEnv('KUBECONFIG', files.join(':'));
  const credentials = await loadCredentials({ time });
  expect(await credentials.current()).toMatchObject({
    server: `${SERVER}/first`,
    headers: { authorization: `Bearer ${TOKEN}` },
  });
});

test('An API server behind a path, and a user with a password, are talked to so', async () => {
  const api = await startLoopback(always(configMap('a')));
  const user = { username: 'fake-user', password: 'fake-password' };
  const kubeconfig = await file('config', kubeconfigOf(`${api.origin}/clusters/one/`, user));
  const client = await createKubeClient({ kubeconfig, fieldManager: 'test' });
  onTestFinished(() => client.close());
  await client.get(RESOURCES.ConfigMap, { namespace: 'demo', name: 'a' });
  expect(api.received[0]?.path).toBe('/clusters/one/api/v1/namespaces/demo/configmaps/a');
  expect(api.received[0]?.headers.authorization).toBe(
    `Basic ${Buffer.from('fake-user:fake-password').toString('base64')}`,
  );
});

test('A token file beside the kubeconfig is read, without the line break at its end', async () => {
  await file('token', `${TOKEN}\n`);
  const kubeconfig = await file('config', kubeconfigOf(SERVER, { tokenFile: 'token' }));
  const credentials = await loadCredentials({ kubeconfig, time });
  expect((await credentials.current()).headers).toEqual({ authorization: `Bearer ${TOKEN}` });
});

describe('A plug-in for credentials', () => {
  const plugIn = async (script: string): Promise<string> => {
    const command = await file('plug-in', `#!/bin/sh\necho run >> ${join(folder, 'runs')}\n${script}\n`);
    await chmod(command, 0o755);
    return file(
      'config',
      kubeconfigOf(SERVER, { exec: { apiVersion: 'client.authentication.k8s.io/v1', command } }),
    );
  };
  const runs = async (): Promise<number> => {
    const { readFile } = await import('node:fs/promises');
    return (await readFile(join(folder, 'runs'), 'utf8')).split('\n').length - 1;
  };
  const answer = `echo '{"status":{"token":"${TOKEN}"}}'`;

  test('is run once for all requests of a while, and anew when its token is refused', async () => {
    const clock = createSimulatedTime();
    const credentials = await loadCredentials({ kubeconfig: await plugIn(answer), time: clock });
    const all = await Promise.all(Array.from({ length: 20 }, () => credentials.current()));
    expect(new Set(all.map(({ headers }) => headers.authorization))).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(await runs()).toBe(1);
    await clock.advance(11_000);
    await credentials.current();
    expect(await runs()).toBe(2);
    credentials.renew();
    await credentials.current();
    expect(await runs()).toBe(3);
  });

  test('that fails is told, with what it printed, but no token; and run again for the next request', async () => {
    const kubeconfig = await plugIn(`echo "please sign in; not ${TOKEN}" >&2; exit 1`);
    const credentials = await loadCredentials({ kubeconfig, time });
    for (const count of [1, 2]) {
      const error = await thrownBy(credentials.current());
      expect(error).toBeInstanceOf(KubeError);
      expect(error).toMatchObject({ code: 401, reason: 'Unauthorized' });
      expect(String(error)).toContain('please sign in');
      expectNoLeak(error, [TOKEN]);
      expect(await runs()).toBe(count);
    }
  });
});

test('A token that is refused is read again once, and then the refusal is told', async () => {
  const api = await startLoopback(refuse(401, 'Unauthorized'));
  const kubeconfig = await file('config', kubeconfigOf(api.origin, { tokenFile: 'token' }));
  await file('token', 'fake-token-that-is-over');
  const client = await createKubeClient({ kubeconfig, fieldManager: 'test' });
  onTestFinished(() => client.close());
  const object = configMap('a') as Parameters<typeof client.create>[1];
  await expect(client.create(RESOURCES.ConfigMap, object)).rejects.toMatchObject({ reason: 'Unauthorized' });
  expect(api.received).toHaveLength(2);
  await file('token', TOKEN);
  api.handle((request, response) =>
    request.headers.authorization === `Bearer ${TOKEN}`
      ? always(object)(request, response)
      : refuse(401, 'Unauthorized')(request, response),
  );
  expect(await client.create(RESOURCES.ConfigMap, object)).toEqual(object);
});
