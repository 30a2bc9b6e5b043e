import type { Agent } from '../api/agent.ts';
import { GROUP } from '../api/meta.ts';
import { RESOURCES } from '../client/resources.ts';
import type { KubeClient, KubeObject, OwnerReference } from '../client/types.ts';
import { applyOver } from './apply-over.ts';
import type { Child, ChildKind } from './children.ts';
import type { Finding } from './conditions.ts';
import { differs } from './differs.ts';
import { keepSecret } from './keep.ts';
import type { World } from './world.ts';

/** What children are made with. */
export interface ChildContext {
  readonly client: Pick<KubeClient, 'apply' | 'delete' | 'get' | 'merge'>;
  readonly world: World;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** How long after an Agent was made the garbage collector may take for what a former one of its name has left. */
const COLLECTED_MS = 20_000;

/** How it went: the object as it is now, or why it could not be made. */
export type Ensured =
  | { readonly live: KubeObject; readonly wrote: boolean; readonly obstacle?: undefined }
  | { readonly live?: undefined; readonly obstacle: Finding };

/**
 * Makes a child as it should be; writes nothing where it is so already. An object of its name that is not this Agent's
 * is never touched, unless it belonged to a former Agent of its name.
 *
 * @throws KubeError
 */
export async function ensureChild(want: Child, agent: Agent, context: ChildContext): Promise<Ensured> {
  const { client, world, signal } = context;
  const { kind } = want;
  const { name, namespace = '' } = want.metadata;
  // What lost our label, or never had it, is not watched. All Secrets are, and their values are not asked for.
  const known = world.child(kind, namespace, name);
  const asked = known === undefined && kind !== 'Secret';
  const live = asked ? await client.get(RESOURCES[kind], { namespace, name }, signal) : known;
  const obstacle = live && (await obstacleOf(kind, live, agent, context));
  if (obstacle) return { obstacle };
  if (live && !differs(asComparable(want), live)) return { live, wrote: false };
  // With its uid, this is refused if another object has come into its place.
  const metadata = { ...want.metadata, uid: live?.metadata.uid };
  const applied = live
    ? await applyOver(live, { ...want, metadata }, { client, signal })
    : await client.apply(RESOURCES[kind], asNew(want), signal);
  return { live: world.wrote(kind, applied), wrote: true };
}

/** Deletes the child of this kind, which is no longer wanted, if there is one and it is this Agent's. */
export async function removeChild(kind: ChildKind, agent: Agent, context: ChildContext): Promise<void> {
  const { name, namespace = '' } = agent.metadata;
  const live = context.world.child(kind, namespace, name);
  const uid = live?.metadata.uid;
  if (live === undefined || uid === undefined || live.metadata.deletionTimestamp !== undefined) return;
  const mayGo = isFormers(live, agent) && !isNew(agent, context) && (await isCurrent(agent, context));
  if (!isOwned(live, agent) && !mayGo) return;
  await context.client.delete(RESOURCES[kind], { namespace, name, uid }, context.signal);
  context.world.deleted({ kind, namespace, name });
}

/**
 * Made, or refused (409) where there is an object of this name that nobody has told of yet: no object has so old a version.
 * Without, an apply by force would make somebody else's object ours.
 */
export function asNew(want: Child): KubeObject {
  return { ...want, metadata: { ...want.metadata, resourceVersion: '1' } };
}

function asComparable(want: Child): KubeObject {
  return want.kind === 'Secret' ? keepSecret(want) : want;
}

async function obstacleOf(
  kind: ChildKind,
  live: KubeObject,
  agent: Agent,
  context: ChildContext,
): Promise<Finding | undefined> {
  const { name, deletionTimestamp } = live.metadata;
  const former = isFormers(live, agent);
  if (deletionTimestamp !== undefined && (former || isOwned(live, agent))) {
    return progressing(`The ${kind} ${name} is being deleted. Then a new one is made.`);
  }
  if (isOwned(live, agent)) return undefined;
  if (former && isNew(agent, context)) {
    return progressing(
      `The ${kind} ${name} belonged to a former Agent of this name, and is about to be deleted.`,
    );
  }
  if (former && (await isCurrent(agent, context))) return undefined;
  if (former) return progressing(`The ${kind} ${name} belongs to another Agent of this name.`);
  const owner = controllerOf(live);
  const whose = owner === undefined ? '' : `, which belongs to ${owner.kind} ${owner.name}`;
  return {
    status: 'False',
    reason: 'NameTaken',
    message: `There is a ${kind} ${name}${whose}, and it is not touched. Delete or rename it, or give this Agent another name.`,
  };
}

/** Whether the garbage collector may still be about to delete what a former one has left. */
function isNew({ metadata }: Agent, { now }: ChildContext): boolean {
  return now() - Date.parse(metadata.creationTimestamp ?? '') < COLLECTED_MS;
}

/**
 * Whether the API server too knows this Agent: what is watched may be late, and then the other one is not a former but the
 * next.
 */
async function isCurrent({ metadata }: Agent, { client, signal }: ChildContext): Promise<boolean> {
  const { namespace = '', name, uid } = metadata;
  const found = await client.get(RESOURCES.Agent, { namespace, name }, signal);
  return found?.metadata.uid === uid;
}

function progressing(message: string): Finding {
  return { status: 'False', reason: 'Progressing', message };
}

function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller);
}

function isAgent({ apiVersion, kind, name }: OwnerReference, agent: Agent): boolean {
  return apiVersion.startsWith(`${GROUP}/`) && kind === 'Agent' && name === agent.metadata.name;
}

/** Whether it is this very Agent's: not that of one of the same name. */
function isOwned(live: KubeObject, agent: Agent): boolean {
  const owner = controllerOf(live);
  return owner !== undefined && isAgent(owner, agent) && owner.uid === agent.metadata.uid;
}

/**
 * Whether it is that of another Agent of the same name. The garbage collector deletes what a former one has left, but not
 * where it has missed, while the API server was away, that one Agent has taken the place of another.
 */
function isFormers(live: KubeObject, agent: Agent): boolean {
  const owner = controllerOf(live);
  return owner !== undefined && isAgent(owner, agent) && owner.uid !== agent.metadata.uid;
}
