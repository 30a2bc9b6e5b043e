import { setMaxListeners } from 'node:events';
import type { Kind, ObjectOf } from '../api/kinds.ts';
import { createReflector, type Reflector } from '../client/reflector.ts';
import { RESOURCES } from '../client/resources.ts';
import type { KubeClient, KubeObject } from '../client/types.ts';
import type { DataObject, ObjectKey } from '../compile/types.ts';
import type { ChildKind } from './children.ts';
import { keepKeys, keepSecret, keepWhole } from './keep.ts';
import { CHILDREN } from './names.ts';
import { createWritten, type Written } from './written.ts';

/** A kind that is watched. */
export type WatchedKind = ObjectKey['kind'] | ChildKind;

/** A change of the world: an object as it was kept before, and as it is now. */
export interface Change {
  readonly kind: WatchedKind;
  /** Empty for a Namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
  /** Whether it is as the controller has written it: whoever wrote it knows. */
  readonly isEcho: boolean;
}

/** The cluster as far as the controller looks at it. Values of Secrets are not in it. */
export interface World {
  readonly object: <K extends Kind>(kind: K, namespace: string, name: string) => ObjectOf[K] | undefined;
  readonly data: (kind: 'Secret' | 'ConfigMap', namespace: string, name: string) => DataObject | undefined;
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined;
  /** An object with the name and the kind of a child; of kinds other than Secret only those that have our label. */
  readonly child: (kind: ChildKind, namespace: string, name: string) => KubeObject | undefined;
  /** Tells what the API server has answered to a write, which a watch may tell later. */
  readonly wrote: (kind: Kind | ChildKind, object: KubeObject) => KubeObject;
  /** Tells that an object was deleted. */
  readonly deleted: (key: {
    readonly kind: ChildKind;
    readonly namespace: string;
    readonly name: string;
  }) => void;
  /** All objects that are reconciled. */
  readonly keys: () => readonly ObjectKey[];
  /** How many objects are kept. */
  readonly size: () => number;
  /** Resolves when everything is there the first time. */
  readonly synced: Promise<void>;
  /** Watches until `signal` aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface WorldOptions {
  readonly client: Pick<KubeClient, 'pages' | 'watch'>;
  /** Default: all. */
  readonly namespaces?: readonly string[] | undefined;
  readonly onChange: (change: Change) => void;
  readonly onError: (error: unknown, kind: WatchedKind) => void;
  /** Milliseconds of a clock. */
  readonly now: () => number;
}

type Keep = (object: KubeObject) => KubeObject;

/** By kind, what is watched and what is kept. */
const WATCHES: Readonly<Record<WatchedKind, { readonly keep: Keep; readonly labelSelector?: string }>> = {
  Agent: { keep: keepWhole('Agent') },
  ModelConfig: { keep: keepWhole('ModelConfig') },
  RemoteMCPServer: { keep: keepWhole('RemoteMCPServer') },
  TokenService: { keep: keepWhole('TokenService') },
  Namespace: { keep: keepKeys('Namespace') },
  ConfigMap: { keep: keepKeys('ConfigMap') },
  // All: an Agent may refer to any of its namespace.
  Secret: { keep: keepSecret },
  ServiceAccount: { keep: keepWhole('ServiceAccount'), labelSelector: CHILDREN },
  Service: { keep: keepWhole('Service'), labelSelector: CHILDREN },
  Deployment: { keep: keepWhole('Deployment'), labelSelector: CHILDREN },
};

/** What others look at first. */
const OWN_KINDS: readonly Kind[] = ['TokenService', 'ModelConfig', 'RemoteMCPServer', 'Agent'];

/** Makes the world, which is empty until `run`. */
export function createWorld(options: WorldOptions): World {
  const { namespaces, now } = options;
  const written = createWritten(now);
  const kinds = Object.keys(WATCHES) as readonly WatchedKind[];
  const reflectors = new Map<string, Reflector<KubeObject>>();
  for (const kind of kinds) {
    // Where only some namespaces are ours, the right to list all of them is likely not.
    if (kind === 'Namespace' && namespaces !== undefined) continue;
    for (const namespace of namespaces ?? [undefined]) {
      reflectors.set(`${kind}/${namespace ?? ''}`, reflect(kind, namespace, { ...options, written }));
    }
  }

  const shown = (kind: WatchedKind, namespace: string, name: string): KubeObject | undefined => {
    const place = namespaces === undefined ? '' : namespace;
    const object = reflectors.get(`${kind}/${place}`)?.get(namespace, name);
    return written.newest(`${kind}/${namespace}/${name}`, object);
  };

  return {
    object: <K extends Kind>(kind: K, namespace: string, name: string) =>
      shown(kind, namespace, name) as ObjectOf[K] | undefined,
    data: (kind, namespace, name) => dataOf(shown(kind, namespace, name)),
    // Where namespaces are not watched: not known. What is left out would look as if the namespace had no such label.
    namespaceLabels: (name) =>
      namespaces === undefined ? labelsOf(shown('Namespace', '', name)) : undefined,
    child: shown,
    wrote(kind, object) {
      const kept = WATCHES[kind].keep(object);
      const { namespace = '', name } = object.metadata;
      written.add(`${kind}/${namespace}/${name}`, kept);
      return kept;
    },
    deleted: ({ kind, namespace, name }) => written.forget(`${kind}/${namespace}/${name}`),
    keys: () =>
      OWN_KINDS.flatMap((kind) =>
        (namespaces ?? ['']).flatMap((place) =>
          (reflectors.get(`${kind}/${place}`)?.list() ?? []).map(
            ({ metadata: { namespace = '', name } }) => ({
              ...{ kind, namespace, name },
            }),
          ),
        ),
      ),
    size: () => [...reflectors.values()].reduce((sum, { list }) => sum + list().length, 0),
    synced: Promise.all([...reflectors.values()].map(({ synced }) => synced)).then(() => undefined),
    run: async (signal) => {
      // Each watch listens to it: more than Node takes for a leak.
      setMaxListeners(0, signal);
      await Promise.all([...reflectors.values()].map(({ run }) => run(signal)));
    },
  };
}

function reflect(
  kind: WatchedKind,
  namespace: string | undefined,
  options: WorldOptions & { readonly written: Written },
): Reflector<KubeObject> {
  const { client, onChange, onError, written } = options;
  const { keep, labelSelector } = WATCHES[kind];
  return createReflector<KubeObject>({
    client,
    resource: RESOURCES[kind],
    selection: { namespace, labelSelector },
    keep,
    onChange(place, before, after) {
      const id = `${kind}/${place.namespace}/${place.name}`;
      if (after === undefined) written.forget(id, before?.metadata.uid);
      const isEcho = after !== undefined && written.isKnown(id, after);
      onChange({ kind, ...place, before, after, isEcho });
    },
    onError: (error) => onError(error, kind),
  });
}

/** `undefined`: there is no such namespace; one without labels has none. */
function labelsOf(namespace: KubeObject | undefined): Readonly<Record<string, string>> | undefined {
  return namespace && (namespace.metadata.labels ?? {});
}

function dataOf(object: KubeObject | undefined): DataObject | undefined {
  if (object === undefined) return undefined;
  const { uid = '', resourceVersion = '' } = object.metadata;
  return { keys: Object.keys(object.data as object), version: `${uid}@${resourceVersion}` };
}
