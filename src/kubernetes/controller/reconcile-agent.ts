import type { Agent } from '../api/agent.ts';
import { isKubeError } from '../client/kube-error.ts';
import type { KubeObject } from '../client/types.ts';
import { compileAgent } from '../compile/compile-agent.ts';
import { parseObject } from '../compile/parse.ts';
import type { CompiledAgent, LookUp, ObjectKey } from '../compile/types.ts';
import { agentStatus } from './agent-status.ts';
import { type Child, childrenOf } from './children.ts';
import type { Finding } from './conditions.ts';
import { type ChildContext, ensureChild, removeChild } from './ensure-child.ts';
import { keyText } from './keys.ts';
import { CONFIG_HASH } from './names.ts';
import { isRefused, isTerminating, obstacleOfError } from './obstacles.ts';
import type { Outcome } from './outcome.ts';
import { deploymentSpecOf } from './pod.ts';
import type { Reconcile, ReconcileContext } from './reconciler.ts';
import { writeStatus } from './status-writer.ts';
import type { World } from './world.ts';

/** When an agent is looked at again without a change, in milliseconds: a watch may have missed something. */
const RESYNC_MS = 600_000;
/** The same after a write: what the watch tells of it is compared once more with what is wanted. */
const AFTER_WRITE_MS = 30_000;
/** What is in the way is not always watched. */
const OBSTACLE_MS = 30_000;
/** What the API server refused it refuses again, unless something changes that is not watched: its rules, or a quota. */
const REFUSED_MS = 600_000;

/** How the children of an agent are. */
export interface Made {
  readonly obstacle?: Finding | undefined;
  readonly error?: unknown;
  readonly wrote: boolean;
}

/** Makes the reconcile of Agents: its children are as it says, and its status tells how it is. */
export function agentReconciler(context: ReconcileContext): Reconcile {
  const { world, index, texts, now } = context;
  const lookUp: LookUp = { ...world, text: texts.text };
  return async (key, signal) => {
    const { namespace, name } = key;
    const agent = world.object('Agent', namespace, name);
    // Its children go with it: by the garbage collector.
    if (agent === undefined || agent.metadata.deletionTimestamp !== undefined) {
      index.forget(keyText(key));
      texts.forget(`${namespace}/${name}`);
      return { kind: 'done' };
    }
    await texts.prepare(agent, signal);
    const { compiled, problems = [], dependencies } = compileAgent(agent, lookUp);
    index.set(keyText(key), dependencies);
    const made: Made = compiled
      ? await makeChildren(agent, compiled, { ...context, signal })
      : { wrote: false };
    const deployment = ownDeployment(agent, world.child('Deployment', namespace, name));
    const { obstacle } = made;
    if (isTerminating(made.error)) return { kind: 'waits' };
    const configHash = hashOf(deployment);
    const unready = dependencies.filter((one) => isUnready(one, world));
    const status = agentStatus({
      ...{ agent, problems, compiled, obstacle, deployment, configHash, unready },
      now: now(),
    });
    const told = await writeStatus<'Agent'>(agent, status, { ...context, signal });
    return outcomeOf({ ...made, wrote: made.wrote || told }, problems.length > 0);
  };
}

/** Whether a server or a token service says so of itself. */
function isUnready({ kind, namespace, name }: ObjectKey, world: World): boolean {
  if (kind !== 'RemoteMCPServer' && kind !== 'TokenService') return false;
  const { conditions } = world.object(kind, namespace, name)?.status ?? {};
  return conditions?.some(({ type, status }) => type === 'Ready' && status === 'False') ?? false;
}

async function makeChildren(
  agent: Agent,
  compiled: CompiledAgent,
  context: ChildContext & Pick<ReconcileContext, 'agentImage'>,
): Promise<Made> {
  // With the defaults, also where an older CRD has not put them in.
  const { object = agent } = parseObject('Agent', agent);
  const { objects } = childrenOf(object, compiled, context);
  let wrote = false;
  try {
    for (const want of objects) {
      const ensured = await ensureChild(want, agent, context);
      if (ensured.obstacle && isOthersAccount(want, object, ensured.obstacle)) continue;
      if (ensured.obstacle) return { obstacle: ensured.obstacle, wrote };
      wrote ||= ensured.wrote;
    }
    const kinds = new Set(objects.map(({ kind }) => kind));
    if (!kinds.has('ServiceAccount')) await removeChild('ServiceAccount', agent, context);
    return { wrote };
  } catch (error) {
    const obstacle = obstacleOfError(error);
    if (obstacle === undefined && !isTerminating(error)) throw error;
    return { obstacle, error, wrote };
  }
}

/** Whether it is a ServiceAccount of somebody else that the agent names: it has the agent's name, and is used as it is. */
function isOthersAccount({ kind }: Child, agent: Agent, { reason }: Finding): boolean {
  const isNamed = deploymentSpecOf(agent).serviceAccountName !== undefined;
  return kind === 'ServiceAccount' && isNamed && reason === 'NameTaken';
}

function ownDeployment(agent: Agent, deployment: KubeObject | undefined): KubeObject | undefined {
  const owner = deployment?.metadata.ownerReferences?.find(({ controller }) => controller);
  return owner?.uid === agent.metadata.uid ? deployment : undefined;
}

function hashOf(deployment: KubeObject | undefined): string | undefined {
  const { template } = (deployment?.spec ?? {}) as { template?: { metadata?: KubeObject['metadata'] } };
  return template?.metadata?.annotations?.[CONFIG_HASH];
}

/** What follows from how the children are. */
export function outcomeOf({ obstacle, error, wrote }: Made, hasProblems: boolean): Outcome {
  if (error !== undefined && !(isKubeError(error) && isRefused(error.code))) return { kind: 'failed', error };
  if (hasProblems) return { kind: 'waits' };
  if (error !== undefined) return { kind: 'again', afterMs: jittered(REFUSED_MS) };
  if (obstacle !== undefined) return { kind: 'again', afterMs: jittered(OBSTACLE_MS) };
  return { kind: 'again', afterMs: jittered(wrote ? AFTER_WRITE_MS : RESYNC_MS) };
}

/** Within a fifth of it, so that not all come at once. */
function jittered(ms: number): number {
  return ms * (0.9 + Math.random() * 0.2);
}
