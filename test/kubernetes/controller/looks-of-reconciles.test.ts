import { expect, test } from 'vitest';
import type { FetchLike } from '../../../src/core/http.ts';
import type { DiscoveredTool } from '../../../src/kubernetes/api/remote-mcp-server.ts';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import type { ObjectKey } from '../../../src/kubernetes/compile/types.ts';
import { createDependencyIndex } from '../../../src/kubernetes/controller/dependency-index.ts';
import { createLookPool } from '../../../src/kubernetes/controller/look-pool.ts';
import type { Outcome } from '../../../src/kubernetes/controller/outcome.ts';
import { remoteMcpServerReconciler } from '../../../src/kubernetes/controller/reconcile-remote-mcp-server.ts';
import { tokenServiceReconciler } from '../../../src/kubernetes/controller/reconcile-token-service.ts';
import type { ReconcileContext } from '../../../src/kubernetes/controller/reconciler.ts';
import { settle } from '../../support/simulated-time.ts';
import { worldOf } from './worlds.ts';

const service = (name: string, spec: object, status?: object): KubeObject => ({
  ...{ apiVersion: 'onbehalf.dev/v1alpha1', kind: 'TokenService' },
  metadata: { name, namespace: 'team', uid: name, generation: 1, resourceVersion: '1' },
  spec: { issuer: 'https://sts.example', clientID: 'agents', ...spec },
  ...(status ? { status } : {}),
});
const server = (name: string): KubeObject => ({
  ...{ apiVersion: 'onbehalf.dev/v1alpha1', kind: 'RemoteMCPServer' },
  metadata: { name, namespace: 'team', uid: name, generation: 1, resourceVersion: '1' },
  spec: { description: '', url: 'https://mail.example/mcp', publishTools: true },
});
const SECRET = {
  method: 'client_secret_basic',
  clientSecretRef: { name: 'gone', key: 'secret' },
};

/** What a reconcile needs, with looks that end when they are told to. */
async function start(...objects: readonly KubeObject[]) {
  const enqueued: string[] = [];
  const written: { readonly name: string; readonly status: unknown }[] = [];
  const looks: { readonly fail: () => void; readonly list: (tools: readonly DiscoveredTool[]) => void }[] =
    [];
  const look = <T>(): Promise<T> =>
    new Promise((resolve, reject) => {
      looks.push({ fail: () => reject(new Error('no')), list: (tools) => resolve(tools as T) });
    });
  const context: Partial<ReconcileContext> = {
    world: await worldOf(objects),
    index: createDependencyIndex(),
    texts: { prepare: async () => {}, text: () => undefined, forget: () => {} },
    events: { transitions: async () => {} },
    client: {
      applyStatus: async (_resource: unknown, object: KubeObject) => {
        written.push({ name: object.metadata.name, status: object.status });
        return { ...object, metadata: { ...object.metadata, resourceVersion: '2' } };
      },
    } as unknown as ReconcileContext['client'],
    pool: createLookPool(),
    enqueue: (key) => void enqueued.push(key),
    onError: (error) => {
      throw error;
    },
    fetch: (() => look<Response>()) as FetchLike,
    listTools: () => look<readonly DiscoveredTool[]>(),
    now: () => 0,
  };
  const { signal } = new AbortController();
  const reconcilers = {
    TokenService: tokenServiceReconciler(context as ReconcileContext),
    RemoteMCPServer: remoteMcpServerReconciler(context as ReconcileContext),
  };
  return {
    ...{ enqueued, written, looks },
    reconcile: (kind: keyof typeof reconcilers, name: string): Promise<Outcome> =>
      reconcilers[kind]({ kind, namespace: 'team', name } as ObjectKey, signal),
  };
}

test('a token service that does not answer is not waited for, and nothing is told of it before it is known', async () => {
  const { reconcile, looks, written, enqueued } = await start(service('slow', {}));
  expect(await reconcile('TokenService', 'slow')).toEqual({ kind: 'done' });
  expect([looks.length, written.length]).toEqual([1, 0]);
  looks[0]?.fail();
  await settle();
  expect(enqueued).toEqual(['TokenService/team/slow']);
  expect(await reconcile('TokenService', 'slow')).toMatchObject({ kind: 'again' });
  expect(looks).toHaveLength(1);
  expect(JSON.stringify(written)).toContain('DiscoveryFailed');
});

test('what is known of a token service without a look is told at once, however many looks there are', async () => {
  const silent = Array.from({ length: 6 }, (_, index) => service(`s${index}`, {}));
  const given = service('given', { tokenEndpoint: 'https://sts.example/token' });
  const broken = service('broken', { clientAuthentication: SECRET });
  const { reconcile, looks, written } = await start(...silent, given, broken);
  for (const { metadata } of silent) await reconcile('TokenService', metadata.name);
  expect(looks).toHaveLength(2);
  expect(await reconcile('TokenService', 'given')).toEqual({ kind: 'done' });
  expect(await reconcile('TokenService', 'broken')).toEqual({ kind: 'waits' });
  expect(written.map(({ name }) => name)).toEqual(['given', 'broken']);
  expect(looks).toHaveLength(2);
});

test('a server whose tools are published is not waited for, and is told of once, when they are listed', async () => {
  const { reconcile, looks, written, enqueued } = await start(server('mail'));
  expect(await reconcile('RemoteMCPServer', 'mail')).toEqual({ kind: 'done' });
  expect([looks.length, written.length]).toEqual([1, 0]);
  looks[0]?.list([{ name: 'send' }]);
  await settle();
  expect(enqueued).toEqual(['RemoteMCPServer/team/mail']);
  expect(await reconcile('RemoteMCPServer', 'mail')).toMatchObject({ kind: 'again' });
  expect(written).toHaveLength(1);
  expect(written[0]?.status).toMatchObject({ discoveredTools: [{ name: 'send' }] });
});
