import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { createWorld, type World } from '../../../src/kubernetes/controller/world.ts';

/** A world of these objects that is there at once. */
export async function worldOf(
  objects: readonly KubeObject[],
  options: { readonly namespaces?: readonly string[] } = {},
): Promise<World> {
  const ending = new AbortController();
  const world = createWorld({
    client: {
      async *pages({ kind }) {
        yield { items: objects.filter((one) => one.kind === kind), resourceVersion: '1' };
      },
      async *watch(_resource, _from, signal) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      },
    },
    now: () => 0,
    onChange: () => {},
    onError: (error) => {
      throw error;
    },
    ...options,
  });
  const run = world.run(ending.signal);
  await world.synced;
  ending.abort();
  await run;
  return world;
}
