import { expect, test } from 'vitest';
import { KINDS } from '../../../src/kubernetes/api/kinds.ts';
import type {
  RemoteMCPServer,
  RemoteMCPServerSpec,
  RemoteMCPServerStatus,
} from '../../../src/kubernetes/api/remote-mcp-server.ts';
import { createDependencyIndex } from '../../../src/kubernetes/controller/dependency-index.ts';
import { remoteMcpServerReconciler } from '../../../src/kubernetes/controller/reconcile-remote-mcp-server.ts';
import type { ReconcileContext } from '../../../src/kubernetes/controller/reconciler.ts';

const KEY = { kind: 'RemoteMCPServer', namespace: 'team', name: 'mail' } as const;

/** The status that a controller without a lister writes for a server that wants its tools to be told. */
async function statusWithoutLister(before: RemoteMCPServerStatus): Promise<RemoteMCPServerStatus> {
  const given = { description: '', url: 'https://mail.example/mcp', publishTools: true };
  const server: RemoteMCPServer = {
    ...{ apiVersion: 'onbehalf.dev/v1alpha1', kind: KEY.kind },
    metadata: { name: KEY.name, namespace: KEY.namespace, uid: 'uid-1', generation: 1 },
    spec: KINDS.RemoteMCPServer.spec.parse(given) as RemoteMCPServerSpec,
    status: before,
  };
  let written: RemoteMCPServerStatus | undefined;
  const context = {
    world: {
      object: (kind: string) => (kind === KEY.kind ? server : undefined),
      data: () => undefined,
      namespaceLabels: () => undefined,
      wrote: (_kind: string, object: unknown) => object,
    },
    client: {
      applyStatus: async (_resource: unknown, object: { status: RemoteMCPServerStatus }) => {
        written = object.status;
        return object;
      },
    },
    ...{ index: createDependencyIndex(), texts: { text: () => undefined }, now: Date.now },
    ...{ events: { transitions: async () => {} }, listTools: undefined, enqueue() {}, onError() {} },
  };
  const reconcile = remoteMcpServerReconciler(context as unknown as ReconcileContext);
  expect(await reconcile(KEY, new AbortController().signal)).toEqual({ kind: 'done' });
  return written ?? {};
}

test('a server that wants its tools told is ready under a controller that lists none, and says so', async () => {
  const { conditions = [], discoveredTools } = await statusWithoutLister({
    discoveredTools: [{ name: 'of-long-ago' }],
  });

  const ready = conditions.find(({ type }) => type === 'Ready');
  expect(ready).toMatchObject({ status: 'True', reason: 'Ready' });
  expect(ready?.message).toContain('This controller lists no tools: start it with --publish-tools');
  // Else agents would be held to them for ever.
  expect(discoveredTools).toBeUndefined();
});
