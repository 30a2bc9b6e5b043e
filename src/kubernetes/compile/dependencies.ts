import type { LookUp, ObjectKey } from './types.ts';

/** Where an object of a kind is. */
export type Place = Pick<ObjectKey, 'namespace' | 'name'>;

/** A look-up that remembers what it was asked for. */
export interface Recording {
  readonly lookUp: LookUp;
  /** All that was asked for so far, each once, sorted. */
  readonly dependencies: () => readonly ObjectKey[];
}

/** Names an object for people, e.g. `RemoteMCPServer tools/mail`. */
export function textOf({ kind, namespace, name }: ObjectKey): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** Remembers each question, also one that found nothing: the answer may change when such an object comes to be. */
export function recording(lookUp: LookUp): Recording {
  const asked = new Map<string, ObjectKey>();
  const note = (kind: ObjectKey['kind'], namespace: string, name: string): void => {
    asked.set(JSON.stringify([kind, namespace, name]), { kind, namespace, name });
  };
  return {
    lookUp: {
      object: (kind, namespace, name) => {
        note(kind, namespace, name);
        return lookUp.object(kind, namespace, name);
      },
      data: (kind, namespace, name) => {
        note(kind, namespace, name);
        return lookUp.data(kind, namespace, name);
      },
      text: (namespace, name, key) => {
        note('ConfigMap', namespace, name);
        return lookUp.text(namespace, name, key);
      },
      namespaceLabels: (name) => {
        note('Namespace', '', name);
        return lookUp.namespaceLabels(name);
      },
    },
    dependencies: () =>
      [...asked].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, dependency]) => dependency),
  };
}
