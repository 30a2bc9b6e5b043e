import { createHash } from 'node:crypto';
import { type At, below, type Report } from './report.ts';
import type { DataMount, LookUp, SecretVariable, TokenMount } from './types.ts';

const DATA = '/var/run/secrets/onbehalf/data';
const TOKENS = '/var/run/secrets/onbehalf/tokens';

/** A key of a Secret or ConfigMap, with the fields that name the two, for problems. */
export interface DataReference {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
  readonly key: string;
  readonly nameAt: At;
  readonly keyAt: At;
}

/** Collects what the pods of an Agent need beside the config: files, tokens and variables. */
export interface Pod {
  /**
   * Makes sure that the key is there, in the namespace of the Agent, and that the pods roll when it changes.
   *
   * @returns whether it is; else why not has been reported
   */
  readonly needs: (reference: DataReference) => boolean;
  /** Absolute path in the pod of what the key holds. */
  readonly file: (reference: DataReference) => string;
  /** Absolute path in the pod of a service-account token. */
  readonly token: (audience: string, expirationSeconds: number) => string;
  /** Sets a variable of the environment from a Secret. */
  readonly variable: (name: string, reference: DataReference) => void;
  readonly mounts: () => readonly DataMount[];
  readonly tokens: () => readonly TokenMount[];
  readonly variables: () => readonly SecretVariable[];
  readonly dataVersions: () => readonly string[];
}

/** The fields of a `{ name, key }` below a field. */
export function keyReference(
  kind: DataReference['kind'],
  { name, key }: { readonly name: string; readonly key: string },
  at: At,
): DataReference {
  return { kind, name, key, nameAt: below(at, 'name'), keyAt: below(at, 'key') };
}

/**
 * @param namespace - of the Agent: a pod can mount nothing of another one
 */
export function createPod(namespace: string, lookUp: LookUp, report: Report): Pod {
  const mounts = new Map<string, DataMount>();
  const tokens = new Map<string, TokenMount>();
  const variables = new Map<string, SecretVariable>();
  const versions = new Set<string>();
  const needs: Pod['needs'] = ({ kind, name, key, nameAt, keyAt }) => {
    const data = lookUp.data(kind, namespace, name);
    if (data === undefined) {
      report(nameAt, 'NotFound', `there is no ${kind} ${namespace}/${name}: create it, or name another one`);
      return false;
    }
    versions.add(`${kind}/${name}/${data.version}`);
    const { keys } = data;
    if (keys === undefined || keys.includes(key)) return true;
    const message = `${kind} ${namespace}/${name} has no key ${JSON.stringify(key)}; ${keysText(keys)}`;
    report(keyAt, 'KeyNotFound', message);
    return false;
  };
  const file: Pod['file'] = (reference) => {
    const { kind, name, key } = reference;
    const path = `${DATA}/${kind.toLowerCase()}/${name}/${key}`;
    if (needs(reference)) mounts.set(path, { kind, name, key, path });
    return path;
  };
  const token: Pod['token'] = (audience, expirationSeconds) => {
    const digest = createHash('sha256').update(`${expirationSeconds} ${audience}`).digest('hex');
    const path = `${TOKENS}/${digest.slice(0, 32)}`;
    tokens.set(path, { audience, expirationSeconds, path });
    return path;
  };
  const variable: Pod['variable'] = (name, reference) => {
    if (needs(reference)) variables.set(name, { name, secret: reference.name, key: reference.key });
  };
  return {
    ...{ needs, file, token, variable },
    mounts: () => sorted(mounts),
    tokens: () => sorted(tokens),
    variables: () => sorted(variables),
    dataVersions: () => [...versions].sort(),
  };
}

/** Names of keys are no secret, and the one that was meant is among them. */
function keysText(keys: readonly string[]): string {
  return keys.length === 0 ? 'it is empty' : `it has ${[...keys].sort().slice(0, 10).join(', ')}`;
}

function sorted<T>(byKey: ReadonlyMap<string, T>): readonly T[] {
  return [...byKey].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, value]) => value);
}
