import type { KubeObject } from '../client/types.ts';

/** How long a watch may be behind, in milliseconds; what was written longer ago is no longer believed. */
const LONGEST_MS = 30_000;

/**
 * What the controller wrote last, for as long as the watch has not told of it: else a reconcile right after a write would
 * see the world of before, and write again.
 */
export interface Written {
  readonly add: (id: string, object: KubeObject) => void;
  /** The newer of what a watch has shown and what was written. */
  readonly newest: (id: string, shown: KubeObject | undefined) => KubeObject | undefined;
  /** Whether this is what was written: a watch tells of one's own writes, too. */
  readonly isKnown: (id: string, shown: KubeObject) => boolean;
  /**
   * The object is gone, or deleted by us.
   *
   * @param uid - of what a watch has told to be gone: the answer to a write of it may come later, and is not believed
   */
  readonly forget: (id: string, uid?: string) => void;
}

/** @param now - milliseconds of a clock */
export function createWritten(now: () => number): Written {
  const objects = new Map<string, { readonly object: KubeObject; readonly until: number }>();
  const gone = new Map<string, { readonly until: number }>();
  return {
    add(id, object) {
      const time = now();
      dropOld(objects, time);
      dropOld(gone, time);
      if (gone.has(object.metadata.uid ?? '')) return;
      // At the end, so that the oldest stay at the beginning.
      objects.delete(id);
      objects.set(id, { object, until: time + LONGEST_MS });
    },
    newest(id, shown) {
      const written = objects.get(id);
      if (written === undefined) return shown;
      if (written.until > now() && isNewer(written.object, shown)) return written.object;
      objects.delete(id);
      return shown;
    },
    isKnown(id, { metadata: { uid, resourceVersion } }) {
      const { metadata } = objects.get(id)?.object ?? {};
      return metadata?.uid === uid && metadata?.resourceVersion === resourceVersion && uid !== undefined;
    },
    forget(id, uid) {
      objects.delete(id);
      if (uid !== undefined) gone.set(uid, { until: now() + LONGEST_MS });
    },
  };
}

/** The oldest are at the beginning. */
function dropOld(entries: Map<string, { readonly until: number }>, time: number): void {
  for (const [key, { until }] of entries) {
    if (until > time) break;
    entries.delete(key);
  }
}

/** Versions of one object grow (KEP-5504); of another object of that name, the later one is shown. */
function isNewer(written: KubeObject, shown: KubeObject | undefined): boolean {
  if (shown === undefined) return true;
  const [one, other] = [written, shown].map(({ metadata }) => metadata.resourceVersion ?? '') as [
    string,
    string,
  ];
  return one.length === other.length ? one > other : one.length > other.length;
}
