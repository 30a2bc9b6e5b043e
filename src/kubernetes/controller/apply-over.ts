import { isKubeError } from '../client/kube-error.ts';
import { RESOURCES } from '../client/resources.ts';
import type { KubeClient, KubeMeta, KubeObject } from '../client/types.ts';
import type { Child } from './children.ts';
import { isRefused } from './obstacles.ts';

/** Whose the fields are between the steps. */
const MANAGER = 'onbehalf-repair';

/**
 * Applies a child that is there. Server-side apply only adds to what others have set: where somebody has made a volume one
 * of another kind, or a port one of another number, both together are refused. Then the child is overwritten, lists as a
 * whole, and applied again.
 *
 * @param live - as it was seen; if it has changed since, it is not overwritten (409)
 * @throws KubeError
 */
export async function applyOver(
  live: KubeObject,
  want: Child,
  { client, signal }: { readonly client: Pick<KubeClient, 'apply' | 'merge'>; readonly signal: AbortSignal },
): Promise<KubeObject> {
  const resource = RESOURCES[want.kind];
  const repair = { manager: MANAGER, signal };
  try {
    return await client.apply(resource, want, signal);
  } catch (error) {
    if (!isKubeError(error) || !isRefused(error.code)) throw error;
    const { resourceVersion } = live.metadata;
    try {
      await client.merge(resource, { ...want, metadata: { ...want.metadata, resourceVersion } }, repair);
    } catch (again) {
      // Then it is not what others have set that is wrong.
      throw isKubeError(again) && isRefused(again.code) ? error : again;
    }
  }
  const applied = await client.apply(resource, want, signal);
  return client.merge(resource, withoutRepair(applied), repair);
}

interface Managed extends KubeMeta {
  readonly managedFields?: readonly { readonly manager?: string }[];
}

/** The fields are ours alone then: else what is no longer wanted one day would stay. */
function withoutRepair({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, managedFields = [] } = metadata as Managed;
  const own: Managed = {
    ...{ name, namespace, uid, resourceVersion },
    managedFields: managedFields.filter(({ manager }) => manager !== MANAGER),
  };
  return { apiVersion, kind, metadata: own };
}
