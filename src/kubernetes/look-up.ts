import { GROUP } from './api/meta.ts';
import { keyOf } from './compile/parse.ts';
import type { LookUp } from './compile/types.ts';

/** Any object of the Kubernetes API, as JSON. */
export interface PlainObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly [member: string]: unknown;
}

/**
 * A look-up in objects that somebody has, where there is no cluster. A Secret or ConfigMap that is not among them may
 * still be in the cluster: nothing is known of its keys. No value of a Secret is kept.
 *
 * @param objects - of any kind; of two with one name, the last counts
 */
export function lookUpOf(objects: readonly PlainObject[]): LookUp {
  const own = new Map<string, PlainObject>();
  const data = new Map<string, readonly string[]>();
  const texts = new Map<string, Readonly<Record<string, unknown>>>();
  const labels = new Map<string, Readonly<Record<string, string>>>();
  for (const object of objects) {
    const { namespace, name } = keyOf('Agent', object);
    const id = idOf(object.kind, namespace, name);
    // Of another version too: to say that is better than that it is not there.
    if (object.apiVersion.startsWith(`${GROUP}/`)) own.set(id, object);
    if (object.apiVersion !== 'v1') continue;
    if (object.kind === 'Secret' || object.kind === 'ConfigMap') data.set(id, keysOf(object));
    if (object.kind === 'ConfigMap') texts.set(id, loose(object.data));
    if (object.kind === 'Namespace') labels.set(name, labelsOf(object, name));
  }
  return {
    object: (kind, namespace, name) => own.get(idOf(kind, namespace, name)) as never,
    data: (kind, namespace, name) => ({ keys: data.get(idOf(kind, namespace, name)), version: '' }),
    text: (namespace, name, key) => {
      const all = texts.get(idOf('ConfigMap', namespace, name)) ?? {};
      const text = Object.hasOwn(all, key) ? all[key] : undefined;
      return typeof text === 'string' ? text : undefined;
    },
    namespaceLabels: (name) => labels.get(name),
  };
}

function idOf(kind: string, namespace: string, name: string): string {
  return JSON.stringify([kind, namespace, name]);
}

function keysOf({ data, stringData, binaryData }: PlainObject): readonly string[] {
  const keys = [data, stringData, binaryData].flatMap((values) => Object.keys(loose(values)));
  return [...new Set(keys)].sort();
}

/** With the label that the API server gives each namespace. */
function labelsOf({ metadata }: PlainObject, name: string): Readonly<Record<string, string>> {
  const given = Object.entries(loose(loose(metadata).labels)).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  );
  return { ...Object.fromEntries(given), 'kubernetes.io/metadata.name': name };
}

function loose(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
