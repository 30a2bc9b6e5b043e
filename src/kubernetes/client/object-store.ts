import type { KubeObject, Place, WatchEvent } from './types.ts';

/** What is kept of objects, by where they are. */
export interface ObjectStore<T> {
  readonly get: (namespace: string, name: string) => T | undefined;
  readonly list: (namespace?: string) => readonly T[];
  /** Puts one change in. */
  readonly change: (event: WatchEvent) => void;
  /** Begins a new state of all objects, which is not seen until it is whole. */
  readonly refill: () => Refill;
}

/** A new state of all objects. */
export interface Refill {
  readonly add: (object: KubeObject) => void;
  /** Puts it in place of the old one at once; then tells what differs. */
  readonly commit: () => void;
}

export interface ObjectStoreOptions<T> {
  readonly keep: (object: KubeObject) => T | undefined;
  readonly onChange: (place: Place, before: T | undefined, after: T | undefined) => void;
  /** Told what `keep` and `onChange` throw. */
  readonly report: (error: unknown) => void;
}

interface Entry<T> {
  readonly version: string | undefined;
  readonly kept: T;
}

export function createObjectStore<T>({ keep, onChange, report }: ObjectStoreOptions<T>): ObjectStore<T> {
  let entries = new Map<string, Entry<T>>();

  const tell = (key: string, before: T | undefined, after: T | undefined): void => {
    try {
      onChange(placeIn(key), before, after);
    } catch (error) {
      report(error);
    }
  };

  /** The entry there is, if it is of the same version; `undefined` when nothing is to be kept. */
  const entryOf = (object: KubeObject, known: Entry<T> | undefined): Entry<T> | undefined => {
    const version = object.metadata.resourceVersion;
    if (known && known.version === version) return known;
    try {
      const kept = keep(object);
      return kept === undefined ? undefined : { version, kept };
    } catch (error) {
      report(error);
      return undefined;
    }
  };

  return {
    get: (namespace, name) => entries.get(`${namespace}/${name}`)?.kept,
    list(namespace) {
      const all: T[] = [];
      for (const [key, { kept }] of entries) {
        if (namespace === undefined || key.startsWith(`${namespace}/`)) all.push(kept);
      }
      return all;
    },
    change({ type, object }) {
      const key = keyOf(object.metadata);
      const old = entries.get(key);
      const entry = type === 'DELETED' ? undefined : entryOf(object, old);
      if (old === entry) return;
      if (entry) entries.set(key, entry);
      else entries.delete(key);
      tell(key, old?.kept, entry?.kept);
    },
    refill() {
      const next = new Map<string, Entry<T>>();
      return {
        add(object) {
          const key = keyOf(object.metadata);
          const entry = entryOf(object, entries.get(key));
          if (entry) next.set(key, entry);
        },
        commit() {
          const before = entries;
          entries = next;
          for (const [key, entry] of next) {
            const old = before.get(key);
            if (old !== entry) tell(key, old?.kept, entry.kept);
          }
          for (const [key, old] of before) if (!next.has(key)) tell(key, old.kept, undefined);
        },
      };
    },
  };
}

const keyOf = ({ namespace = '', name }: KubeObject['metadata']): string => `${namespace}/${name}`;

function placeIn(key: string): Place {
  const end = key.indexOf('/');
  return { namespace: key.slice(0, end), name: key.slice(end + 1) };
}
