import { expect, test } from 'vitest';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { childrenOf } from '../../../src/kubernetes/controller/children.ts';
import {
  type ChildContext,
  ensureChild,
  removeChild,
} from '../../../src/kubernetes/controller/ensure-child.ts';
import { keepSecret } from '../../../src/kubernetes/controller/keep.ts';
import { agentOf, compiledOf } from './objects.ts';

const agent = agentOf();
const { objects } = childrenOf(agent, compiledOf(), { agentImage: 'image' });
const secret = objects.find(({ kind }) => kind === 'Secret') as (typeof objects)[number];

const NOW = Date.parse('2026-01-01T00:01:00Z');

interface Seen {
  /** What was applied. */
  readonly applied: readonly KubeObject[];
  /** The uids of what was deleted. */
  readonly deleted: readonly string[];
  readonly obstacle: string | undefined;
}

/** @param current - the uid of the Agent, as the API server says */
async function seenWhere(
  known: KubeObject | undefined,
  current = agent.metadata.uid,
  made = agent,
): Promise<Seen> {
  const applied: KubeObject[] = [];
  const deleted: string[] = [];
  const context = {
    client: {
      apply: async (_: unknown, object: KubeObject) => {
        applied.push(object);
        return object;
      },
      get: async () => ({ ...agent, metadata: { ...agent.metadata, uid: current } }),
      delete: async (_: unknown, { uid }: { uid: string }) => {
        deleted.push(uid);
      },
    },
    world: { child: () => known, wrote: (_: string, object: KubeObject) => object, deleted: () => {} },
    signal: new AbortController().signal,
    now: () => NOW,
  } as unknown as ChildContext;
  const { obstacle } = await ensureChild(secret, made, context);
  await removeChild('ServiceAccount', made, context);
  return { applied, deleted, obstacle: obstacle?.message };
}

const appliedWhere = async (known: KubeObject | undefined): Promise<readonly KubeObject[]> =>
  (await seenWhere(known)).applied;

/** The Secret as it is there, of the Agent with this uid. */
const liveOf = (owner: string, metadata: Partial<KubeObject['metadata']> = {}): KubeObject =>
  keepSecret({
    ...secret,
    data: {},
    metadata: {
      ...secret.metadata,
      uid: 'uid-of-secret',
      ownerReferences: (secret.metadata.ownerReferences ?? []).map((one) => ({ ...one, uid: owner })),
      ...metadata,
    },
  });

const madeAt = (creationTimestamp: string): typeof agent => agentOf({}, { creationTimestamp });

test('what a former Agent of the name has left is the garbage collector’s at first', async () => {
  expect(await seenWhere(liveOf('uid-of-former'), 'uid-1', madeAt('2026-01-01T00:00:41Z'))).toEqual({
    applied: [],
    deleted: [],
    obstacle: 'The Secret helper belonged to a former Agent of this name, and is about to be deleted.',
  });
});

test('what it has not deleted becomes the own, or goes where it is not wanted', async () => {
  const { applied, deleted, obstacle } = await seenWhere(
    liveOf('uid-of-former'),
    'uid-1',
    madeAt('2026-01-01T00:00:40Z'),
  );
  expect(obstacle).toBeUndefined();
  expect(applied).toMatchObject([
    { metadata: { uid: 'uid-of-secret', ownerReferences: [{ uid: agent.metadata.uid }] } },
  ]);
  expect(deleted).toEqual(['uid-of-secret']);
});

test('where the API server has another Agent of the name, that is the next, and what it has is not touched', async () => {
  expect(await seenWhere(liveOf('uid-of-next'), 'uid-of-next')).toEqual({
    applied: [],
    deleted: [],
    obstacle: 'The Secret helper belongs to another Agent of this name.',
  });
});

test.each(['uid-of-former', 'uid-1'])('what is being deleted (of %s) is waited for', async (owner) => {
  expect(await seenWhere(liveOf(owner, { deletionTimestamp: '2026-01-01T00:00:00Z' }))).toEqual({
    applied: [],
    deleted: [],
    obstacle: 'The Secret helper is being deleted. Then a new one is made.',
  });
});

test('what belongs to something else that has the name is not touched', async () => {
  const ownerReferences = [
    { apiVersion: 'apps/v1', kind: 'Agent', name: 'helper', uid: 'uid-2', controller: true },
  ];
  const { applied, deleted, obstacle } = await seenWhere(liveOf('', { ownerReferences }));
  expect([applied, deleted, obstacle]).toEqual([[], [], expect.stringContaining('it is not touched')]);
});

test('a Secret that nobody has told of is made, or refused: it is not taken over', async () => {
  expect(await appliedWhere(undefined)).toMatchObject([{ metadata: { resourceVersion: '1' } }]);
});

test('one that is ours is changed, whatever its version, as long as it is that very one', async () => {
  const live = { ...secret, metadata: { ...secret.metadata, uid: 'uid-of-secret' }, data: {} };
  const [applied] = await appliedWhere(keepSecret(live));
  expect(applied?.metadata).toMatchObject({ uid: 'uid-of-secret' });
  expect(applied?.metadata.resourceVersion).toBeUndefined();
});
