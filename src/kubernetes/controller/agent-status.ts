import type { Agent, AgentStatus } from '../api/agent.ts';
import type { KubeObject } from '../client/types.ts';
import type { CompiledAgent, ObjectKey, Problem } from '../compile/types.ts';
import { conditionsOf, type Finding, findingsOfProblems, notReadyBecause } from './conditions.ts';

/** What the status of an agent is made from. */
export interface AgentFacts {
  readonly agent: Agent;
  readonly problems: readonly Problem[];
  /** What it comes to, unless there are problems. */
  readonly compiled: CompiledAgent | undefined;
  /** Why its children could not be made. */
  readonly obstacle: Finding | undefined;
  /** Its Deployment as it is, if there is one. */
  readonly deployment: KubeObject | undefined;
  /** Digest of the config that its Deployment has. */
  readonly configHash: string | undefined;
  /** What it refers to that is there but not ready. */
  readonly unready: readonly ObjectKey[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The status of an agent: nothing but a function of what is there. */
export function agentStatus(facts: AgentFacts): AgentStatus {
  const { agent, problems, compiled, configHash, now } = facts;
  const { name, namespace = '', generation } = agent.metadata;
  const found = findingsOfProblems(problems, { kind: 'Agent', namespace, name });
  const findings = { ...found, ResolvedRefs: withUnready(found.ResolvedRefs, facts.unready) };
  const Ready = notReady(facts, notReadyBecause(findings)) ?? rollout(facts.deployment);
  const before = agent.status?.conditions;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditionsOf({ ...findings, Ready }, { generation, before, now }),
    ...(compiled === undefined || compiled.targets.length === 0 ? {} : { targets: compiled.targets }),
    ...(configHash === undefined ? {} : { configHash }),
  };
}

/** That a server is away is no fault of the agent's: it runs, and says so to its caller when it needs that server. */
function withUnready(finding: Finding, unready: readonly ObjectKey[]): Finding {
  if (finding.status !== 'True' || unready.length === 0) return finding;
  const names = unready.slice(0, 10).map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);
  const message = `${finding.message} Not ready, see their conditions: ${names.join(', ')}.`;
  return { ...finding, message };
}

function notReady({ obstacle, deployment }: AgentFacts, because: Finding | undefined): Finding | undefined {
  if (because === undefined) return obstacle;
  const running = deployment === undefined ? '' : ' Pods there are keep running with the config of before.';
  return { ...because, message: `${because.message}${running}` };
}

interface DeploymentState {
  readonly replicas?: number;
  readonly updatedReplicas?: number;
  readonly availableReplicas?: number;
  readonly observedGeneration?: number;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
}

/** `Ready` as the Deployment tells it. */
function rollout(deployment: KubeObject | undefined): Finding {
  const progressing = (message: string): Finding => ({ status: 'False', reason: 'Progressing', message });
  if (deployment === undefined) return progressing('The Deployment is being made.');
  const wanted = (deployment.spec as { replicas?: number } | undefined)?.replicas ?? 1;
  const state = (deployment.status ?? {}) as DeploymentState;
  if ((state.observedGeneration ?? 0) < (deployment.metadata.generation ?? 0)) {
    return progressing('Kubernetes has not looked at the Deployment yet.');
  }
  const { updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = state;
  if (updatedReplicas >= wanted && availableReplicas >= wanted && replicas <= updatedReplicas) {
    return {
      status: 'True',
      reason: 'Ready',
      message: `${availableReplicas} of ${wanted} pods are available.`,
    };
  }
  const available = `${Math.min(availableReplicas, wanted)} of ${wanted} pods are available, ${updatedReplicas} with the newest config.`;
  return failure(state, deployment) ?? progressing(available);
}

/** Why the pods do not come up, where Kubernetes knows. */
function failure({ conditions = [] }: DeploymentState, { metadata }: KubeObject): Finding | undefined {
  const failed = conditions.find(
    ({ type, status, reason }) =>
      (type === 'ReplicaFailure' && status === 'True') ||
      (type === 'Progressing' && status === 'False' && reason === 'ProgressDeadlineExceeded'),
  );
  if (failed === undefined) return undefined;
  const hint = `See "kubectl -n ${metadata.namespace} describe deployment ${metadata.name}" and its pods.`;
  return {
    status: 'False',
    reason: 'DeploymentFailed',
    message: `${failed.message ?? failed.reason ?? failed.type} ${hint}`,
  };
}
