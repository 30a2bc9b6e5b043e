import { KINDS } from '../api/kinds.ts';
import type { Condition } from '../api/meta.ts';
import type { KubeObject } from '../client/types.ts';
import type { ObjectKey } from '../compile/types.ts';
import { canonicalJson } from './canonical.ts';
import type { DependencyIndex } from './dependency-index.ts';
import { keyText } from './keys.ts';
import { AGENT_LABEL } from './names.ts';
import type { Change } from './world.ts';

/**
 * The keys that a change makes worth a reconcile: the object itself, the Agent whose child it is, and whoever depends on
 * it, if what they see of it has changed. Of its own writes the controller need not be told.
 */
export function triggeredBy(change: Change, index: Pick<DependencyIndex, 'dependentsOf'>): readonly string[] {
  const { kind, namespace, name, before, after, isEcho } = change;
  const own = Object.hasOwn(KINDS, kind) ? [keyText({ kind, namespace, name } as ObjectKey)] : [];
  const owners = [before, after].flatMap((object) => ownersOf(object, namespace));
  const seen = seenByOthers(before) === seenByOthers(after);
  const dependents = seen ? [] : index.dependentsOf({ kind, namespace, name } as ObjectKey);
  return [...new Set([...(isEcho ? [] : [...own, ...owners]), ...dependents])];
}

/** The Agents that an object says it is of: by its label, and by its owner if it has lost that. */
function ownersOf(object: KubeObject | undefined, namespace: string): readonly string[] {
  const { labels, ownerReferences = [] } = object?.metadata ?? {};
  const names = ownerReferences.filter(({ kind }) => kind === 'Agent').map(({ name }) => name);
  const label = labels?.[AGENT_LABEL];
  return [...names, ...(label === undefined ? [] : [label])].map((name) =>
    keyText({ kind: 'Agent', namespace, name }),
  );
}

/** What a compilation or a status of another object is made from. A status that tells of progress is not. */
function seenByOthers(object: KubeObject | undefined): string {
  if (object === undefined) return '';
  const { kind, metadata } = object;
  if (kind === 'Namespace') return canonicalJson(metadata.labels ?? {});
  // Of these it is not known which part has changed.
  if (!Object.hasOwn(KINDS, kind)) return `${metadata.uid}@${metadata.resourceVersion}`;
  const { status = {} } = object as { status?: { discoveredTools?: unknown } };
  const { generation, uid, deletionTimestamp, annotations } = metadata;
  const tools = status.discoveredTools;
  return canonicalJson({
    ...{ generation, uid, deletionTimestamp, annotations, tools },
    ready: READY_IS_SEEN.has(kind) ? readyOf(object) : undefined,
  });
}

/** Nobody looks at whether an Agent or a model is ready. */
const READY_IS_SEEN: ReadonlySet<string> = new Set(['RemoteMCPServer', 'TokenService']);

/** `Ready`, without when it became so. */
function readyOf({ status }: KubeObject): unknown {
  const { conditions } = (status ?? {}) as { conditions?: readonly Condition[] };
  const { lastTransitionTime: _, ...ready } = conditions?.find(({ type }) => type === 'Ready') ?? {
    lastTransitionTime: '',
  };
  return ready;
}
