import { isKubeError, KubeError } from './kube-error.ts';
import { readList, readPages } from './list.ts';
import { collectionPath, objectPath, resourceName, type Subresource } from './paths.ts';
import type { Order, Requests } from './requests.ts';
import { type RetryOptions, withRetries } from './retry.ts';
import type { KubeClient, KubeObject, Place, Resource } from './types.ts';

export interface OperationsOptions {
  readonly requests: Requests;
  readonly fieldManager: string;
  readonly retry: RetryOptions;
}

/** What is called an apply: JSON is YAML. */
const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';

/** All requests but watches. */
export function createOperations(options: OperationsOptions): Omit<KubeClient, 'watch' | 'close'> {
  const { requests, fieldManager, retry } = options;
  const managerOf = (name: string): string => `fieldManager=${encodeURIComponent(name)}`;
  const manager = managerOf(fieldManager);

  const once = (order: Order, signal: AbortSignal | undefined): Promise<unknown> =>
    requests.json(order, signal);
  const repeated = (order: Order, signal: AbortSignal | undefined): Promise<unknown> =>
    withRetries(() => once(order, signal), { ...retry, method: order.method }, signal);

  const apply =
    (subresource: Subresource): KubeClient['apply'] =>
    async (resource, object, signal) => {
      const at = placeOf(resource, object);
      const order: Order = {
        method: 'PATCH',
        path: `${objectPath(resource, at, subresource)}?${manager}&force=true`,
        body: object,
        contentType: APPLY,
        ...about(`apply${subresource === undefined ? '' : ' the status of'}`, resource, at),
      };
      return objectIn(await repeated(order, signal), order);
    };

  return {
    async get(resource, at, signal) {
      const order: Order = {
        method: 'GET',
        path: objectPath(resource, at),
        ...about('get', resource, at),
      };
      try {
        return objectIn(await repeated(order, signal), order);
      } catch (error) {
        if (isKubeError(error, 'NotFound')) return undefined;
        throw error;
      }
    },
    list: (resource, selection, signal) =>
      readList({ resource, selection, read: (order) => repeated(order, signal) }),
    pages: (resource, selection, signal) =>
      readPages({ resource, selection, read: (order) => repeated(order, signal) }),
    apply: apply(undefined),
    applyStatus: apply('status'),
    async merge(resource, object, { manager: other, signal }) {
      const at = placeOf(resource, object);
      const order: Order = {
        method: 'PATCH',
        path: `${objectPath(resource, at)}?${managerOf(other)}`,
        body: object,
        contentType: MERGE,
        ...about('overwrite', resource, at),
      };
      return objectIn(await repeated(order, signal), order);
    },
    async create(resource, object, signal) {
      const at = placeOf(resource, object);
      const order: Order = {
        method: 'POST',
        path: `${collectionPath(resource, at.namespace)}?${manager}`,
        body: object,
        ...about('create', resource, at),
      };
      return objectIn(await once(order, signal), order);
    },
    async replace(resource, object, signal) {
      const at = placeOf(resource, object);
      const order: Order = {
        method: 'PUT',
        path: `${objectPath(resource, at)}?${manager}`,
        body: object,
        ...about('replace', resource, at),
      };
      return objectIn(await once(order, signal), order);
    },
    async delete(resource, { uid, ...at }, signal) {
      const order: Order = {
        method: 'DELETE',
        path: objectPath(resource, at),
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } },
        ...about('delete', resource, at),
      };
      try {
        await repeated(order, signal);
      } catch (error) {
        // Another object of that name is not the one that was meant.
        if (!isKubeError(error, 'NotFound') && !isKubeError(error, 'Conflict')) throw error;
      }
    },
  };
}

function placeOf({ kind, namespaced }: Resource, { metadata }: KubeObject): Place {
  const { namespace = '', name } = metadata;
  if (namespaced && namespace === '') throw new TypeError(`the ${kind} "${name}" has no namespace`);
  return { namespace, name };
}

function about(
  verb: string,
  resource: Resource,
  { namespace, name }: Place,
): Pick<Order, 'what' | 'isSecret'> {
  const at = namespace === '' ? name : `${namespace}/${name}`;
  return { what: `${verb} ${resourceName(resource)} ${at}`, isSecret: resource.kind === 'Secret' };
}

function objectIn(said: unknown, { what }: Order): KubeObject {
  const object = said as KubeObject | null;
  if (typeof object?.metadata?.name === 'string') return object;
  throw new KubeError(`cannot ${what}: the answer is no object`, { code: 0, reason: 'Malformed' });
}
