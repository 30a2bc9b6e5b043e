import { type Backoff, backoffMs, pause, systemTime, type Time } from '../time.ts';
import { isKubeError } from './kube-error.ts';
import { createObjectStore } from './object-store.ts';
import type { KubeClient, KubeObject, Place, Resource, Selection, WatchEvent } from './types.ts';

export interface ReflectorOptions<T> {
  /** Events of its watches are emptied when they have been seen. */
  readonly client: Pick<KubeClient, 'pages' | 'watch'>;
  readonly resource: Resource;
  /** Default: all namespaces. */
  readonly selection?: Selection | undefined;
  /** What is kept of an object; what it leaves out is not held in memory. `undefined`: as if the object were not there. */
  readonly keep: (object: KubeObject) => T | undefined;
  /**
   * Told of each change: what was kept before (`undefined`: it is new) and what is now (`undefined`: it is gone). Not told
   * of objects with the resourceVersion they had. The reflector shows the new state by then.
   */
  readonly onChange: (place: Place, before: T | undefined, after: T | undefined) => void;
  /** Told of failures, which the reflector lives on with: no list, a broken watch, what `keep` or `onChange` throw. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Waits between tries. Default: 500 ms to 30 s. */
  readonly backoff?: Backoff | undefined;
  readonly time?: Time | undefined;
}

/** All objects of a resource as they are on the API server, a moment later. */
export interface Reflector<T> {
  /** @param namespace - empty for what has no namespace */
  readonly get: (namespace: string, name: string) => T | undefined;
  /** @param namespace - default: all */
  readonly list: (namespace?: string) => readonly T[];
  /** Resolves when all objects are there the first time; rejects when `run` is ended before. */
  readonly synced: Promise<void>;
  /** Lists and watches until `signal` aborts, whatever fails. Call it once. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const BACKOFF: Backoff = { firstMs: 500, mostMs: 30_000 };
/** A watch that ends earlier, without an event, is as good as a failure: it must not be begun at once again and again. */
const SETTLED_MS = 5_000;

/** Makes a reflector, which does nothing until `run`. */
export function createReflector<T>(options: ReflectorOptions<T>): Reflector<T> {
  const { client, resource, selection = {}, backoff = BACKOFF, time = systemTime } = options;
  const { promise: synced, resolve: onSynced, reject: onEnded } = promiseWithResolvers();
  // Whoever does not wait for it must not end with it.
  synced.catch(() => {});
  /** `undefined`: all must be listed. */
  let seen: string | undefined;
  let failures = 0;

  const report = (error: unknown): void => {
    try {
      options.onError?.(error);
    } catch {
      // Nobody is left to tell.
    }
  };
  const store = createObjectStore({ keep: options.keep, onChange: options.onChange, report });

  const listAll = async (signal: AbortSignal): Promise<string> => {
    const { add, commit } = store.refill();
    let version = '';
    for await (const { items, resourceVersion } of client.pages(resource, selection, signal)) {
      for (const object of items) add(object);
      version = resourceVersion;
    }
    commit();
    onSynced();
    return version;
  };

  /** Puts an event in. @returns its resourceVersion */
  const take = (event: WatchEvent): string | undefined => {
    if (event.type !== 'BOOKMARK') store.change(event);
    const { resourceVersion } = event.object.metadata;
    // What waits for the next event keeps this one, and with it what was not to be kept of its object.
    Object.assign(event, { object: undefined });
    return resourceVersion;
  };

  const watchOn = async (resourceVersion: string, signal: AbortSignal): Promise<void> => {
    const began = time.now();
    try {
      for await (const event of client.watch(resource, { ...selection, resourceVersion }, signal)) {
        seen = take(event);
        failures = 0;
      }
      failures += 1;
    } finally {
      if (time.now() - began >= SETTLED_MS) failures = 0;
    }
  };

  /** One list, where one is needed, and one watch. */
  const once = async (signal: AbortSignal): Promise<void> => {
    try {
      seen ??= await listAll(signal);
      await watchOn(seen, signal);
      if (failures > 0) await pause(time, backoffMs(backoff, failures), signal);
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      report(error);
      if (!keepsPlace(error)) seen = undefined;
      // To have missed too much is no fault, unless it happens again before anything was seen.
      const isAtOnce = isKubeError(error, 'Expired') && failures === 1;
      const asked = isKubeError(error) ? (error.retryAfterMs ?? 0) : 0;
      if (!isAtOnce) await pause(time, asked + backoffMs(backoff, failures), signal);
    }
  };

  return {
    synced,
    get: store.get,
    list: store.list,
    async run(signal) {
      while (!signal.aborted) await once(signal).catch(() => {});
      onEnded(signal.reason);
    },
  };
}

/** Whether a watch can go on where it was: nothing was answered that speaks against it. */
function keepsPlace(error: unknown): boolean {
  if (!isKubeError(error) || error.reason === 'Expired') return false;
  const { code, reason } = error;
  return code === 429 || code >= 500 || reason === 'Unreachable' || reason === 'TimedOut';
}

/** `Promise.withResolvers` is not in Node 20. */
function promiseWithResolvers(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
} {
  let resolve = (): void => {};
  let reject = (_reason: unknown): void => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
