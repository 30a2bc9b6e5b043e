import { expect, vi } from 'vitest';
import type { KubeObject } from '../../../../src/kubernetes/client/types.ts';
import { conditionsOf } from '../controller-bed.ts';
import type { FaultBed, KindName } from './fault-bed.ts';

const KINDS = ['ServiceAccount', 'Secret', 'Service', 'Deployment'] as const satisfies readonly KindName[];
const MANAGED_BY = 'app.kubernetes.io/managed-by';

/**
 * What of the Agents of a namespace is not yet as they say: a child that is missing, is not theirs or is another one's, a
 * config that is not the newest, a status that is not. Empty: all has converged. Told by looking at the objects only.
 */
export async function behind(bed: FaultBed, namespace: string): Promise<readonly string[]> {
  const agents = await bed.list('Agent', namespace);
  const lists = await Promise.all(
    KINDS.map(async (kind) => [kind, await bed.list(kind, namespace)] as const),
  );
  const children = new Map(
    lists.flatMap(([kind, objects]) =>
      objects.map((object) => [`${kind} ${object.metadata.name}`, object] as const),
    ),
  );
  const wanted = new Set(agents.flatMap(({ metadata }) => KINDS.map((kind) => `${kind} ${metadata.name}`)));
  const leftOver = [...children]
    .filter(([id, { metadata }]) => metadata.labels?.[MANAGED_BY] === 'onbehalf' && !wanted.has(id))
    .map(([id]) => `${id} is left over`);
  return [...leftOver, ...agents.flatMap((agent) => behindOf(agent, children))];
}

/** Resolves when all Agents of a namespace are as they say. @throws Error with what is not, after a time in milliseconds */
export async function converges(bed: FaultBed, namespace: string, timeout = 20_000): Promise<void> {
  const wait = { timeout, interval: 100 };
  await vi.waitFor(async () => expect(await behind(bed, namespace)).toEqual([]), wait);
}

interface Spec {
  readonly declarative: {
    readonly systemMessage: string;
    readonly deployment?: { readonly replicas: number };
  };
}

function behindOf(agent: KubeObject, children: ReadonlyMap<string, KubeObject>): readonly string[] {
  const { name, uid, generation } = agent.metadata;
  const { declarative } = agent.spec as Spec;
  const status = (agent.status ?? {}) as { observedGeneration?: number; configHash?: string };
  const { Accepted, ResolvedRefs } = conditionsOf(agent);
  const deployment = children.get(`Deployment ${name}`);
  const { replicas, template } = (deployment?.spec ?? {}) as {
    replicas?: number;
    template?: { metadata?: KubeObject['metadata'] };
  };
  const isOwn = ({ metadata }: KubeObject): boolean => metadata.ownerReferences?.[0]?.uid === uid;
  const facts: Readonly<Record<string, boolean>> = {
    ...Object.fromEntries(
      KINDS.map((kind) => [
        `its ${kind}`,
        [children.get(`${kind} ${name}`)].some((child) => child && isOwn(child)),
      ]),
    ),
    'its status is of this generation': status.observedGeneration === generation,
    'it is accepted': Accepted === 'True Accepted' && ResolvedRefs === 'True ResolvedRefs',
    'its config': instructionOf(children.get(`Secret ${name}`)) === declarative.systemMessage,
    'its replicas': replicas === (declarative.deployment?.replicas ?? 1),
    'its hash':
      status.configHash !== undefined &&
      template?.metadata?.annotations?.['onbehalf.dev/config-hash'] === status.configHash,
  };
  return Object.entries(facts).flatMap(([fact, holds]) => (holds ? [] : [`${name}: not ${fact}`]));
}

function instructionOf(secret: KubeObject | undefined): unknown {
  const { 'config.json': config } = (secret?.data ?? {}) as Readonly<Record<string, string>>;
  return config && JSON.parse(Buffer.from(config, 'base64').toString()).instruction;
}
