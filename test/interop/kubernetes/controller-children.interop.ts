// What the controller makes of an agent stays as it should be, on a real API server: whoever changes it, takes its name, or rotates
// what it reads.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import {
  agent,
  type Bed,
  conditionsOf,
  fileOf,
  mcpTool,
  messageOf,
  podAnnotationsOf,
  podOf,
  type RunningController,
  secret,
  server,
  startBed,
} from './controller-bed.ts';

const available = inject('kube') !== undefined;
const CHILDREN = ['ServiceAccount', 'Secret', 'Service', 'Deployment'] as const;
const HASH = 'onbehalf.dev/config-hash';
const POLL = { timeout: 20_000, interval: 100 };

describe.skipIf(!available)('the children of an agent', () => {
  let bed: Bed;
  let controller: RunningController;
  beforeAll(async () => {
    bed = await startBed();
    controller = await bed.controller();
  }, 60_000);
  afterAll(() => bed?.stop(), 30_000);

  /** What is in the API server of the children, without what the API server itself counts. */
  async function childrenOf(place: string): Promise<readonly unknown[]> {
    const found = await Promise.all(CHILDREN.map((kind) => bed.get(kind, place)));
    return found.map((object) => {
      if (object === undefined) return undefined;
      const { status: _, metadata, ...rest } = object;
      const { name, labels, annotations, ownerReferences } = metadata;
      return { ...rest, metadata: { name, labels, annotations, ownerReferences } };
    });
  }

  async function patch(path: string, body: unknown): Promise<void> {
    const { status, body: answer } = await bed.plane.api('PATCH', path, { body });
    expect([status, answer.message]).toEqual([200, undefined]);
    await controller.idle();
  }

  test('a change by hand is taken back', async () => {
    await bed.team('edit', agent('edit', 'helper', { deployment: { env: [{ name: 'A', value: '1' }] } }));
    await controller.idle();
    const before = await childrenOf('edit/helper');
    const core = '/api/v1/namespaces/edit';
    const deployment = '/apis/apps/v1/namespaces/edit/deployments/helper';
    await patch(deployment, { spec: { replicas: 7 } });
    await patch(deployment, {
      spec: { template: { spec: { containers: [{ name: 'agent', image: 'evil:1' }] } } },
    });
    await patch(`${core}/secrets/helper`, { data: { 'config.json': 'e30=' } });
    await patch(`${core}/secrets/helper`, { data: null });
    await patch(`${core}/services/helper`, { spec: { selector: { 'onbehalf.dev/agent': 'other' } } });
    await patch(`${core}/serviceaccounts/helper`, { automountServiceAccountToken: true });
    expect(await childrenOf('edit/helper')).toEqual(before);
  });

  test('a label that is taken off a child comes back, though it is no longer watched without', async () => {
    await bed.team('label', agent('label', 'helper'));
    await controller.idle();
    const before = await childrenOf('label/helper');
    const body = {
      metadata: { labels: { 'app.kubernetes.io/managed-by': null, 'onbehalf.dev/agent': null } },
    };
    for (const path of [
      ...['serviceaccounts', 'secrets', 'services'].map((one) => `/api/v1/namespaces/label/${one}/helper`),
      '/apis/apps/v1/namespaces/label/deployments/helper',
    ]) {
      await patch(path, body);
    }
    expect(await childrenOf('label/helper')).toEqual(before);
  });

  test('what others add to a child is left alone', async () => {
    await bed.team('others', agent('others', 'helper'));
    await controller.idle();
    const at = '2026-01-01T00:00:00Z';
    await patch('/apis/apps/v1/namespaces/others/deployments/helper', {
      spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': at } } } },
    });
    const annotations = podAnnotationsOf(await bed.get('Deployment', 'others/helper'));
    expect(annotations).toMatchObject({
      'kubectl.kubernetes.io/restartedAt': at,
      [HASH]: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test.each(CHILDREN)('a %s that is deleted is made again', async (kind) => {
    const team = `gone-${kind.toLowerCase()}`;
    await bed.team(team, agent(team, 'helper'));
    await controller.idle();
    const uid = (await bed.get(kind, `${team}/helper`))?.metadata.uid;
    await bed.delete(kind, `${team}/helper`);
    await expect
      .poll(() => bed.get(kind, `${team}/helper`).then((one) => one?.metadata.uid), POLL)
      .toBeDefined();
    expect((await bed.get(kind, `${team}/helper`))?.metadata.uid).not.toBe(uid);
  });

  test("somebody else's object of that name is never touched, and told of", async () => {
    await bed.team('taken', secret('taken', 'helper', { password: 'not-a-real-password' }));
    const before = await bed.get('Secret', 'taken/helper');
    await bed.put(agent('taken', 'helper'));
    await controller.idle();
    expect(await bed.get('Secret', 'taken/helper')).toEqual(before);
    const found = await bed.get('Agent', 'taken/helper');
    expect(conditionsOf(found)).toMatchObject({ Accepted: 'True Accepted', Ready: 'False NameTaken' });
    expect(messageOf(found, 'Ready')).toContain('There is a Secret helper');
    // Nothing that needs it is made either.
    expect(await bed.get('Deployment', 'taken/helper')).toBeUndefined();
    const [event] = await bed.list('Event', 'taken');
    expect(event).toMatchObject({ type: 'Warning', reason: 'NameTaken' });
  });

  test("somebody else's Service, which is not watched, is not touched either", async () => {
    const spec = { ports: [{ port: 1 }], selector: { app: 'other' } };
    const metadata = { name: 'helper', namespace: 'taken-service' };
    await bed.team('taken-service', { apiVersion: 'v1', kind: 'Service', metadata, spec });
    await bed.put(agent('taken-service', 'helper'));
    await controller.idle();
    expect(await bed.get('Service', 'taken-service/helper')).toMatchObject({
      spec: { selector: { app: 'other' } },
    });
    expect(conditionsOf(await bed.get('Agent', 'taken-service/helper')).Ready).toBe('False NameTaken');
  });

  test('children go with their agent, and a new one of that name gets its own', async () => {
    await bed.team('again', agent('again', 'helper'));
    await controller.idle();
    const old = (await bed.get('Deployment', 'again/helper'))?.metadata.uid;
    await bed.delete('Agent', 'again/helper');
    await bed.put(agent('again', 'helper'));
    const uid = (await bed.get('Agent', 'again/helper'))?.metadata.uid;
    const owners = async (): Promise<unknown> =>
      Promise.all(
        CHILDREN.map((kind) =>
          bed.get(kind, 'again/helper').then((one) => one?.metadata.ownerReferences?.[0]?.uid),
        ),
      );
    await expect.poll(owners, POLL).toEqual([uid, uid, uid, uid]);
    expect((await bed.get('Deployment', 'again/helper'))?.metadata.uid).not.toBe(old);
    await bed.delete('Agent', 'again/helper');
    await expect.poll(owners, POLL).toEqual([undefined, undefined, undefined, undefined]);
  });

  test('an agent goes with its namespace, and nothing is made there any more', async () => {
    await bed.team('leaving', agent('leaving', 'one'), agent('leaving', 'two'));
    await controller.idle();
    const seen = controller.failures.length;
    await bed.delete('Namespace', '/leaving');
    await expect.poll(() => bed.get('Namespace', '/leaving'), POLL).toBeUndefined();
    await controller.idle();
    expect(controller.failures.slice(seen)).toEqual([]);
  });

  test("the service account goes when the agent names another, and comes back when it doesn't", async () => {
    await bed.team('account', agent('account', 'helper'));
    await controller.idle();
    await bed.put(agent('account', 'helper', { deployment: { serviceAccountName: 'default' } }));
    await controller.idle();
    expect(await bed.get('ServiceAccount', 'account/helper')).toBeUndefined();
    expect(podOf(await bed.get('Deployment', 'account/helper')).serviceAccountName).toBe('default');
    await bed.put(agent('account', 'helper'));
    await controller.idle();
    expect(await bed.get('ServiceAccount', 'account/helper')).toBeDefined();
    expect(podOf(await bed.get('Deployment', 'account/helper')).serviceAccountName).toBe('helper');
  });

  test('what an agent no longer says is taken out of its Deployment', async () => {
    const env = [{ name: 'A', value: '1' }];
    await bed.team('less', agent('less', 'helper', { deployment: { env, nodeSelector: { disk: 'ssd' } } }));
    await controller.idle();
    expect(podOf(await bed.get('Deployment', 'less/helper')).containers[0].env).toEqual(env);
    await bed.put(agent('less', 'helper'));
    await controller.idle();
    const pod = podOf(await bed.get('Deployment', 'less/helper'));
    expect(pod.containers[0].env).toBeUndefined();
    expect(pod.nodeSelector).toBeUndefined();
  });

  describe('the pods roll', () => {
    const hash = async (team: string): Promise<string | undefined> =>
      podAnnotationsOf(await bed.get('Deployment', `${team}/helper`))[HASH];

    test('when a Secret of a header is rotated, and its value is copied nowhere', async () => {
      const headersFrom = [{ name: 'X-Key', valueFrom: { type: 'Secret', name: 'mail', key: 'token' } }];
      await bed.team(
        'rotate',
        secret('rotate', 'mail', { token: 'not-a-real-token-1' }),
        secret('rotate', 'unused', { token: 'x' }),
        server('rotate', 'mail', { headersFrom }),
        agent('rotate', 'helper', { tools: [mcpTool('mail')] }),
      );
      await controller.idle();
      const before = await hash('rotate');
      await bed.put(secret('rotate', 'unused', { token: 'y' }));
      await controller.idle();
      expect(await hash('rotate')).toBe(before);
      await bed.put(secret('rotate', 'mail', { token: 'not-a-real-token-2' }));
      await controller.idle();
      expect(await hash('rotate')).not.toBe(before);
      const config = JSON.stringify(fileOf(await bed.get('Secret', 'rotate/helper'), 'config.json'));
      expect(config).toContain('file:/var/run/secrets/onbehalf/data/secret/mail/token');
      expect(config).not.toContain('not-a-real-token');
    });

    test('when the text of an instruction in a ConfigMap changes', async () => {
      const text = (value: string): unknown => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: 'text', name: 'prompts' },
        data: { helper: value, other: 'x' },
      });
      const systemMessageFrom = { type: 'ConfigMap', name: 'prompts', key: 'helper' };
      await bed.team('text', agent('text', 'helper', { systemMessage: undefined, systemMessageFrom }));
      await controller.idle();
      expect(conditionsOf(await bed.get('Agent', 'text/helper')).ResolvedRefs).toBe('False NotFound');
      await bed.put(text('Be kind.'));
      await controller.idle();
      const read = async (): Promise<unknown> =>
        fileOf(await bed.get('Secret', 'text/helper'), 'config.json')?.instruction;
      expect(await read()).toBe('Be kind.');
      const before = await hash('text');
      await bed.put(text('Be brief.'));
      await controller.idle();
      expect(await read()).toBe('Be brief.');
      expect(await hash('text')).not.toBe(before);
    });
  });
});
