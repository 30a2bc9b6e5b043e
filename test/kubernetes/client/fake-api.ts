import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import type { KubeClient, KubeObject, WatchEvent } from '../../../src/kubernetes/client/types.ts';
import { pause, type Time } from '../../../src/kubernetes/time.ts';

/** One resource of an API server, with its past; it takes time to answer, and fails when it is told to. */
export interface FakeApi {
  readonly client: Pick<KubeClient, 'pages' | 'watch'>;
  /** Makes or changes an object. */
  put(key: string, text: string): void;
  remove(key: string): void;
  /** What there is: texts by key. */
  readonly state: () => ReadonlyMap<string, string>;
  /** Something else changes. */
  elsewhere(): void;
  /** Forgets the past: who watches from it gets 410. */
  compact(): void;
  /** Tells all watches how far they are. */
  bookmark(): void;
  /** Ends all watches: by the server, or as a connection breaks. */
  endWatches(how: 'end' | 'break'): void;
  /** So many lists from now on fail after their first page, with this. */
  failLists(count: number, error: KubeError): void;
  /** So many watches from now on fail at their beginning. */
  failWatches(count: number, error: KubeError): void;
  readonly lists: () => number;
  readonly watches: () => number;
  /** Where the last watch began. */
  readonly from: () => string | undefined;
}

interface Change {
  readonly version: number;
  readonly event: WatchEvent;
}

const PAGE = 2;

export function createFakeApi(time: Time, latencyMs = 5): FakeApi {
  const objects = new Map<string, KubeObject>();
  let version = 1;
  let past: Change[] = [];
  let oldest = 0;
  let lists = 0;
  let watches = 0;
  let from: string | undefined;
  const listFailures: KubeError[] = [];
  const watchFailures: KubeError[] = [];
  const open = new Set<{ ended: 'end' | 'break' | undefined; wake: () => void }>();

  const objectOf = (key: string, text: string): KubeObject => {
    const [namespace = '', name = ''] = key.split('/');
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name, resourceVersion: String(version) },
      data: { text },
    };
  };
  const record = (type: WatchEvent['type'], object: KubeObject): void => {
    past.push({ version, event: { type, object } });
    for (const { wake } of open) wake();
  };

  async function* pages(...[, , signal]: Parameters<KubeClient['pages']>): ReturnType<KubeClient['pages']> {
    lists += 1;
    await pause(time, latencyMs, signal);
    const failure = listFailures.shift();
    const items = [...objects.values()];
    const resourceVersion = String(version);
    for (let index = 0; index === 0 || index < items.length; index += PAGE) {
      if (failure && (index > 0 || items.length <= PAGE)) throw failure;
      yield { items: items.slice(index, index + PAGE), resourceVersion };
      await pause(time, latencyMs, signal);
    }
  }

  async function* watch(...[, { resourceVersion }, signal]: Parameters<KubeClient['watch']>) {
    watches += 1;
    from = resourceVersion;
    await pause(time, latencyMs, signal);
    const failure = watchFailures.shift();
    if (failure) throw failure;
    const mine = { ended: undefined as 'end' | 'break' | undefined, wake: () => {} };
    open.add(mine);
    const onAbort = (): void => mine.wake();
    signal.addEventListener('abort', onAbort);
    try {
      for (let position = Number(resourceVersion); ; ) {
        signal.throwIfAborted();
        if (mine.ended === 'end') return;
        if (mine.ended === 'break') throw broken();
        if (position < oldest) throw expired();
        // No bookmark leads back: one of before the watch is of no use to it.
        const next = past.find(
          ({ version: at, event: { type } }) => at > position || (type === 'BOOKMARK' && at === position),
        );
        if (next && next.event.type === 'BOOKMARK') past = past.filter((change) => change !== next);
        if (next) {
          await pause(time, latencyMs, signal);
          position = Math.max(position, next.version);
          yield { ...next.event };
        } else await new Promise<void>((resolve) => Object.assign(mine, { wake: resolve }));
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      open.delete(mine);
    }
  }

  return {
    client: { pages, watch },
    put(key, text) {
      version += 1;
      const object = objectOf(key, text);
      const type = objects.has(key) ? 'MODIFIED' : 'ADDED';
      objects.set(key, object);
      record(type, object);
    },
    remove(key) {
      if (!objects.delete(key)) return;
      version += 1;
      record('DELETED', objectOf(key, 'as it was'));
    },
    state: () => new Map([...objects].map(([key, { data }]) => [key, (data as { text: string }).text])),
    elsewhere() {
      version += 1;
    },
    compact() {
      version += 1;
      oldest = version;
      past = [];
      for (const { wake } of open) wake();
    },
    bookmark() {
      record('BOOKMARK', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: '', resourceVersion: String(version) },
      });
    },
    endWatches(how) {
      for (const one of open) {
        one.ended = how;
        one.wake();
      }
    },
    failLists: (count, error) => void listFailures.push(...Array<KubeError>(count).fill(error)),
    failWatches: (count, error) => void watchFailures.push(...Array<KubeError>(count).fill(error)),
    lists: () => lists,
    watches: () => watches,
    from: () => from,
  };
}

export const broken = (): KubeError => new KubeError('it broke', { code: 0, reason: 'Unreachable' });
export const expired = (): KubeError => new KubeError('too old', { code: 410, reason: 'Expired' });
export const forbidden = (): KubeError => new KubeError('no', { code: 403, reason: 'Forbidden' });
export const busy = (retryAfterMs?: number): KubeError =>
  new KubeError('busy', { code: 429, reason: 'TooManyRequests', retryAfterMs });
