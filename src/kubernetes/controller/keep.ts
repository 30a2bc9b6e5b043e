import { createHmac, randomBytes } from 'node:crypto';
import { RESOURCES } from '../client/resources.ts';
import type { KubeMeta, KubeObject } from '../client/types.ts';
import { APPLIED, MANAGED_BY, OURS } from './names.ts';

/** A copy of the whole object that kubectl leaves there. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** What is kept of an object: all but who set which field, and kubectl's copy of it. */
export function keepWhole(kind: keyof typeof RESOURCES): (object: KubeObject) => KubeObject {
  return (object) => {
    const { creationTimestamp } = object.metadata;
    const metadata = { ...keptMeta(object.metadata), ...(creationTimestamp && { creationTimestamp }) };
    return { ...object, ...identity(kind), metadata };
  };
}

/** What is kept of what is only referred to: that it is there, its labels, and the names of its keys. */
export function keepKeys(kind: 'ConfigMap' | 'Namespace' | 'Secret'): (object: KubeObject) => KubeObject {
  return ({ metadata, data, binaryData }) => {
    const { annotations: _, ...kept } = keptMeta(metadata);
    return {
      ...identity(kind),
      metadata: kept,
      data: mapValues({ ...members(data), ...members(binaryData) }, () => ''),
    };
  };
}

/**
 * What is kept of a Secret: no value, nor what else people write onto it. Of those that have our label, digests, by which a change
 * is noticed; anybody can give that label to any Secret.
 */
export function keepSecret(secret: KubeObject): KubeObject {
  const kept = keepKeys('Secret')(secret);
  if (secret.metadata.labels?.[MANAGED_BY] !== OURS) return kept;
  const applied = secret.metadata.annotations?.[APPLIED];
  return {
    ...kept,
    metadata: { ...kept.metadata, ...(applied === undefined ? {} : { annotations: { [APPLIED]: applied } }) },
    type: secret.type,
    data: mapValues(members(secret.data), digest),
  };
}

/** Items of a list do not say what they are. */
function identity(kind: keyof typeof RESOURCES): { readonly apiVersion: string; readonly kind: string } {
  return { apiVersion: RESOURCES[kind].apiVersion, kind };
}

function keptMeta(metadata: KubeMeta): KubeMeta {
  const { name, namespace, uid, resourceVersion, generation, labels, ownerReferences, deletionTimestamp } =
    metadata;
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => key !== LAST_APPLIED);
  return {
    ...{ name, namespace, uid, resourceVersion, generation, labels, ownerReferences, deletionTimestamp },
    ...(annotations.length > 0 ? { annotations: Object.fromEntries(annotations) } : {}),
  };
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function mapValues(
  value: Readonly<Record<string, unknown>>,
  change: (member: unknown) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, change(member)]));
}

/** Of this process only: a short value could be found from a plain digest, by trying. */
const DIGEST_KEY = randomBytes(32);
const digest = (value: unknown): string =>
  createHmac('sha256', DIGEST_KEY).update(String(value)).digest('hex');
