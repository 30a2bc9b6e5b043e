import { expect, test } from 'vitest';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { childrenOf } from '../../../src/kubernetes/controller/children.ts';
import { type ChildContext, ensureChild } from '../../../src/kubernetes/controller/ensure-child.ts';
import { keepSecret } from '../../../src/kubernetes/controller/keep.ts';
import { agentOf, compiledOf } from './objects.ts';

const agent = agentOf();
const { objects } = childrenOf(agent, compiledOf(), { agentImage: 'image' });
const secret = objects.find(({ kind }) => kind === 'Secret') as (typeof objects)[number];

async function appliedWhere(known: KubeObject | undefined): Promise<readonly KubeObject[]> {
  const applied: KubeObject[] = [];
  const context = {
    client: {
      apply: async (_: unknown, object: KubeObject) => {
        applied.push(object);
        return object;
      },
    },
    world: { child: () => known, wrote: (_: string, object: KubeObject) => object },
    signal: new AbortController().signal,
  } as unknown as ChildContext;
  await ensureChild(secret, agent, context);
  return applied;
}

test('a Secret that nobody has told of is made, or refused: it is not taken over', async () => {
  expect(await appliedWhere(undefined)).toMatchObject([{ metadata: { resourceVersion: '1' } }]);
});

test('one that is ours is changed, whatever its version, as long as it is that very one', async () => {
  const live = { ...secret, metadata: { ...secret.metadata, uid: 'uid-of-secret' }, data: {} };
  const [applied] = await appliedWhere(keepSecret(live));
  expect(applied?.metadata).toMatchObject({ uid: 'uid-of-secret' });
  expect(applied?.metadata.resourceVersion).toBeUndefined();
});
