import type { Time } from '../time.ts';
import { HalfLine, type Line, readLines, TooLarge } from './body.ts';
import { KubeError } from './kube-error.ts';
import { collectionPath, resourceName, selectionQuery } from './paths.ts';
import { kubeError, type Order, type Requests } from './requests.ts';
import { statusError } from './status.ts';
import type { KubeObject, Resource, Selection, WatchEvent } from './types.ts';

export interface WatchOptions {
  readonly requests: Requests;
  readonly resource: Resource;
  readonly from: Selection & { readonly resourceVersion: string };
  readonly idleMs: number;
  readonly time: Time;
  readonly signal: AbortSignal;
}

/** Largest event: more than the largest object that etcd takes, with what the API server adds. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;
const TYPES: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

/** Changes of a resource, from one answer that the API server ends after 5 to 10 minutes. */
export async function* watchOnce(options: WatchOptions): AsyncGenerator<WatchEvent, void, void> {
  const { requests, resource, from, idleMs, time, signal } = options;
  // Not the same for all, or all watches of all clients would be renewed at once after a restart.
  const timeoutSeconds = Math.floor(300 + Math.random() * 300);
  const query = selectionQuery(from, {
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: from.resourceVersion,
    timeoutSeconds: String(timeoutSeconds),
  });
  const order: Order = {
    method: 'GET',
    path: `${collectionPath(resource, from.namespace)}${query}`,
    what: `watch ${resourceName(resource)}`,
  };
  const { body, secrets } = await requests.stream(order, signal);
  try {
    for await (const line of readLines(body, { maxBytes: MAX_LINE_BYTES, idleMs, time })) {
      yield eventOf(line, order, secrets);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HalfLine || error instanceof TooLarge) {
      throw malformed(order, error.message);
    }
    throw kubeError(order, error);
  }
}

function eventOf(line: Line, order: Order, secrets: readonly string[]): WatchEvent {
  let event: { readonly type?: unknown; readonly object?: KubeObject & { readonly code?: unknown } };
  try {
    event = JSON.parse(line.take());
  } catch {
    throw malformed(order, 'an event is not JSON');
  }
  const { type, object } = event ?? {};
  if (type === 'ERROR') {
    const code = typeof object?.code === 'number' ? object.code : 0;
    throw statusError(object, { code }, { what: order.what, secrets, isSecret: false });
  }
  if (!TYPES.has(type) || !object?.metadata?.resourceVersion)
    throw malformed(order, 'an event has no object');
  return { type: type as WatchEvent['type'], object };
}

function malformed({ what }: Order, why: string): KubeError {
  return new KubeError(`cannot ${what}: ${why}`, { code: 0, reason: 'Malformed' });
}
