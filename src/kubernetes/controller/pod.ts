import type { Agent } from '../api/agent.ts';
import type { DeploymentSpec, EnvVar, OwnDeploymentSpec } from '../api/deployment.ts';
import type { CompiledAgent } from '../compile/types.ts';
import { CONFIG_FOLDER, type Volumes } from './volumes.ts';

/** Port that agents serve A2A on, by the pod contract. */
export const PORT = 8080;
/** Where the readiness probe looks: an agent of our own says when it can verify its callers; any agent has a card, by the A2A protocol. */
const READY_PATH = { Declarative: '/ready', BYO: '/.well-known/agent-card.json' };
const HEALTH_PATH = '/health';
/** Longest that runs under way may take to end, in seconds. */
const GRACE_SECONDS = 60;
/** Group of the files that are mounted. Each container is in it, whatever user it runs as. */
const FILE_GROUP = 65_532;

const ARGS = ['--host', '0.0.0.0', '--port', String(PORT), '--filepath', CONFIG_FOLDER];
const RESOURCES = { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } };

/** What a pod of an agent is made from. */
export interface PodParts {
  readonly agent: Agent;
  readonly compiled: CompiledAgent;
  /** Image of agents that name none. */
  readonly agentImage: string;
  readonly volumes: Volumes;
}

/** What either type may say of its pods. */
export type DeploymentSettings = DeploymentSpec & Pick<Partial<OwnDeploymentSpec>, 'args' | 'cmd'>;

/** The deployment settings of an agent of either type. */
export function deploymentSpecOf({ spec }: Agent): DeploymentSettings {
  return (spec.type === 'BYO' ? spec.byo?.deployment : spec.declarative?.deployment) ?? { replicas: 1 };
}

/** `spec` of the pods. */
export function podSpec(parts: PodParts): Record<string, unknown> {
  const { agent, volumes } = parts;
  const { imagePullSecrets, nodeSelector, serviceAccountName } = deploymentSpecOf(agent);
  return withoutEmpty({
    serviceAccountName: serviceAccountName ?? agent.metadata.name,
    // Its token would be for the API server. The one for the STS is projected.
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      fsGroup: FILE_GROUP,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    imagePullSecrets: uniqueBy(imagePullSecrets ?? [], ({ name }) => name),
    nodeSelector,
    containers: [container(parts)],
    volumes: volumes.volumes,
  });
}

function container({ agent, compiled, agentImage, volumes }: PodParts): Record<string, unknown> {
  const { image, imagePullPolicy, cmd, args, resources } = deploymentSpecOf(agent);
  return withoutEmpty({
    name: 'agent',
    image: image ?? agentImage,
    imagePullPolicy,
    command: cmd === undefined ? undefined : [cmd],
    args: args ?? ARGS,
    env: environment(agent, compiled),
    ports: [{ name: 'http', containerPort: PORT, protocol: 'TCP' }],
    resources: withoutEmpty(resources ?? RESOURCES),
    ...probesOf(agent),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      // An image that is not ours may write where we do not know.
      ...(agent.spec.type === 'BYO' ? {} : { readOnlyRootFilesystem: true }),
    },
    volumeMounts: volumes.mounts,
  });
}

const get = (path: string): Record<string, unknown> => ({ httpGet: { path, port: 'http' } });

const probesOf = ({ spec }: Agent): Record<string, unknown> => ({
  // Up to two minutes to start; only then do the others begin.
  startupProbe: { ...get(HEALTH_PATH), periodSeconds: 2, failureThreshold: 60 },
  readinessProbe: { ...get(READY_PATH[spec.type]), periodSeconds: 5, timeoutSeconds: 3 },
  livenessProbe: { ...get(HEALTH_PATH), periodSeconds: 10, timeoutSeconds: 3, failureThreshold: 6 },
});

/** What the user says wins: two of one name would be refused by the API server. */
function environment(agent: Agent, { variables }: CompiledAgent): readonly EnvVar[] {
  const { name, namespace } = agent.metadata;
  // What images that are made for kagent read.
  const kagent = { KAGENT_NAME: name, KAGENT_NAMESPACE: namespace };
  const own = agent.spec.type === 'BYO' ? Object.entries(kagent) : [];
  const secrets = variables.map(({ name: variable, secret, key }) => ({
    name: variable,
    valueFrom: { secretKeyRef: { name: secret, key } },
  }));
  const given = deploymentSpecOf(agent).env ?? [];
  const plain = own.map(([variable, value]) => ({ name: variable, value }));
  return uniqueBy<EnvVar>([...plain, ...secrets, ...given], (one) => one.name);
}

/** Of items with the same name, the last. */
function uniqueBy<T>(items: readonly T[], name: (item: T) => string): readonly T[] {
  return [...new Map(items.map((item) => [name(item), item])).values()];
}

/** Without members that the API server would leave out: they would look as if they were missing. */
function withoutEmpty(value: object): Record<string, unknown> {
  const isGiven = (member: unknown): boolean =>
    member !== undefined && (typeof member !== 'object' || member === null || Object.keys(member).length > 0);
  return Object.fromEntries(Object.entries(value).filter(([, member]) => isGiven(member)));
}
