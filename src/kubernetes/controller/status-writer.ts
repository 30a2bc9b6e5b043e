import type { Kind, ObjectOf } from '../api/kinds.ts';
import type { Condition } from '../api/meta.ts';
import { isKubeError } from '../client/kube-error.ts';
import { RESOURCES } from '../client/resources.ts';
import type { KubeClient } from '../client/types.ts';
import { canonicalJson } from './canonical.ts';
import type { EventRecorder } from './events.ts';
import type { World } from './world.ts';

/** What statuses are written with. */
export interface StatusContext {
  readonly client: Pick<KubeClient, 'applyStatus'>;
  readonly world: World;
  readonly events: EventRecorder;
  readonly signal: AbortSignal;
}

/** Any status of ours. */
export interface AnyStatus {
  readonly conditions?: readonly Condition[] | undefined;
}

/**
 * Writes a status, and events of what has changed for the worse or the better; nothing where the object has it already.
 *
 * @throws KubeError
 */
export async function writeStatus<K extends Kind>(
  object: ObjectOf[K],
  status: AnyStatus,
  { client, world, events, signal }: StatusContext,
): Promise<boolean> {
  const { apiVersion, kind, metadata } = object;
  if (canonicalJson(withoutOthers(object.status)) === canonicalJson(withoutOthers(status))) return false;
  const { name, namespace, uid } = metadata;
  const named = { apiVersion, kind, metadata: { name, namespace, ...(uid === undefined ? {} : { uid }) } };
  try {
    world.wrote(kind, await client.applyStatus(RESOURCES[kind], { ...named, status }, signal));
  } catch (error) {
    // It is gone meanwhile, or another has come into its place: that one has its own reconcile.
    if (isKubeError(error, 'NotFound')) return false;
    throw error;
  }
  await events.transitions(object, status.conditions ?? [], signal);
  return true;
}

/** Conditions in any order, without those that others have put there; server-side apply leaves them alone. */
function withoutOthers(status: AnyStatus | undefined): unknown {
  const ours = (status?.conditions ?? []).filter(({ type }) => OURS.has(type));
  const byType = Object.fromEntries(ours.map((condition) => [condition.type, condition]));
  return { ...status, conditions: byType };
}

const OURS: ReadonlySet<string> = new Set(['Accepted', 'ResolvedRefs', 'Ready']);
