import type { Agent } from '../api/agent.ts';
import { API_VERSION } from '../api/meta.ts';
import { RESOURCES } from '../client/resources.ts';
import type { KubeObject, OwnerReference } from '../client/types.ts';
import type { CompiledAgent } from '../compile/types.ts';
import { digestOf } from './canonical.ts';
import { AGENT_LABEL, APPLIED, CONFIG_HASH, MANAGED_BY, OURS } from './names.ts';
import { deploymentSpecOf, PORT, podSpec } from './pod.ts';
import { volumesOf } from './volumes.ts';

/** Kinds of what is made for an agent. */
export type ChildKind = 'ServiceAccount' | 'Secret' | 'Service' | 'Deployment';

/** An object for server-side apply, complete with the fields that are ours. */
export interface Child extends KubeObject {
  readonly kind: ChildKind;
}

/** What is made for an agent, in the order in which it is made. */
export interface Children {
  readonly objects: readonly Child[];
  /** Digest of all that the pods read. */
  readonly configHash: string;
}

/**
 * What an agent is in the cluster: as objects for server-side apply, complete with the fields that are ours.
 *
 * @param agent - with its `uid`
 * @param options.agentImage - for agents that name no image
 */
export function childrenOf(
  agent: Agent,
  compiled: CompiledAgent,
  options: { readonly agentImage: string },
): Children {
  const { config, card, dataVersions } = compiled;
  const configHash = digestOf({ config, card, dataVersions });
  const { serviceAccountName: account = agent.metadata.name } = deploymentSpecOf(agent);
  const own = account === agent.metadata.name;
  const objects = [
    ...(own ? [child(agent, 'ServiceAccount', { automountServiceAccountToken: false })] : []),
    child(agent, 'Secret', secret(compiled)),
    child(agent, 'Service', service(agent)),
    child(agent, 'Deployment', deployment(agent, compiled, { ...options, configHash })),
  ];
  return { objects, configHash };
}

function child(agent: Agent, kind: ChildKind, members: Readonly<Record<string, unknown>>): Child {
  const { name, namespace } = agent.metadata;
  const bare = {
    apiVersion: RESOURCES[kind].apiVersion,
    kind,
    metadata: { name, namespace, labels: labelsOf(agent), ownerReferences: [ownerReference(agent)] },
    ...members,
  };
  return {
    ...bare,
    metadata: { ...bare.metadata, annotations: { [APPLIED]: digestOf(bare).slice(0, 16) } },
  };
}

function labelsOf({ metadata }: Agent): Readonly<Record<string, string>> {
  return { [MANAGED_BY]: OURS, [AGENT_LABEL]: metadata.name };
}

/** By it the garbage collector deletes the children when the agent is gone. */
function ownerReference({ metadata: { name, uid = '' } }: Agent): OwnerReference {
  const flags = { controller: true, blockOwnerDeletion: true };
  return { apiVersion: API_VERSION, kind: 'Agent', name, uid, ...flags };
}

function secret({ config, card }: CompiledAgent): Record<string, unknown> {
  const base64 = (value: unknown): string =>
    Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`).toString('base64');
  return { type: 'Opaque', data: { 'config.json': base64(config), 'agent-card.json': base64(card) } };
}

function service(agent: Agent): Record<string, unknown> {
  const port = { name: 'http', port: PORT, protocol: 'TCP', targetPort: 'http', appProtocol: 'http' };
  return { spec: { type: 'ClusterIP', selector: selectorOf(agent), ports: [port] } };
}

/** Can never change: a Deployment's selector is immutable. */
function selectorOf({ metadata }: Agent): Readonly<Record<string, string>> {
  return { [AGENT_LABEL]: metadata.name };
}

function deployment(
  agent: Agent,
  compiled: CompiledAgent,
  { agentImage, configHash }: { readonly agentImage: string; readonly configHash: string },
): Record<string, unknown> {
  const { labels, annotations, replicas } = deploymentSpecOf(agent);
  const volumes = volumesOf(agent.metadata.name, compiled);
  return {
    spec: {
      replicas,
      selector: { matchLabels: selectorOf(agent) },
      // The old pods serve until the new ones do.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: { ...labels, ...labelsOf(agent) },
          annotations: { ...annotations, [CONFIG_HASH]: configHash },
        },
        spec: podSpec({ agent, compiled, agentImage, volumes }),
      },
    },
  };
}
