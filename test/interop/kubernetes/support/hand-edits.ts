import type { KubeObject } from '../../../../src/kubernetes/client/types.ts';
import type { Change, KindName } from './fault-bed.ts';

/** Something that somebody does to a child. */
export interface HandEdit {
  readonly what: string;
  readonly kind: KindName;
  readonly change: Change;
  /** What has to be as before. */
  readonly part: (object: KubeObject) => unknown;
}

const spec = ({ spec }: KubeObject): unknown => spec;
// biome-ignore lint/suspicious/noExplicitAny: the pod of any Deployment.
const container = (deployment: any): any => deployment.spec.template.spec.containers[0];

function ofDeployment(changes: Readonly<Record<string, Change>>): readonly HandEdit[] {
  return Object.entries(changes).map(([what, change]) => ({ what, kind: 'Deployment', change, part: spec }));
}

/** By each class of fields that the controller sets. */
export const HAND_EDITS: readonly HandEdit[] = [
  ...ofDeployment({
    replicas: ({ spec }) => Object.assign(spec, { replicas: 7 }),
    image: (object) => Object.assign(container(object), { image: 'registry.example/other' }),
    args: (object) => container(object).args.push('--other'),
    'a value of env': (object) =>
      Object.assign(
        container(object).env.find(({ name }: { name: string }) => name === 'MODE'),
        { value: 'slow' },
      ),
    'all of env': (object) => delete container(object).env,
    'a variable from a Secret': (object) =>
      Object.assign(
        container(object).env.find(({ name }: { name: string }) => name === 'KEY').valueFrom.secretKeyRef,
        { name: 'client' },
      ),
    'a volume': ({ spec }) => Object.assign(spec.template.spec.volumes[0].secret, { secretName: 'header' }),
    'the kind of a volume': ({ spec }) =>
      Object.assign(spec.template.spec.volumes, { 0: { name: 'config', emptyDir: {} } }),
    'all volumes': (object) => {
      delete object.spec.template.spec.volumes;
      delete container(object).volumeMounts;
    },
    'the audience of a token': ({ spec }) => {
      const { sources } = spec.template.spec.volumes.find(
        ({ name }: { name: string }) => name === 'onbehalf',
      ).projected;
      sources.find((one: object) => 'serviceAccountToken' in one).serviceAccountToken.audience = 'other';
    },
    'a port': (object) => Object.assign(container(object).ports[0], { containerPort: 81 }),
    'a probe': (object) => Object.assign(container(object).readinessProbe.httpGet, { path: '/other' }),
    'the kind of a probe': (object) =>
      Object.assign(container(object), { livenessProbe: { tcpSocket: { port: 8080 } } }),
    'the security context': (object) => {
      object.spec.template.spec.securityContext.runAsNonRoot = false;
      container(object).securityContext = { allowPrivilegeEscalation: true };
    },
    resources: (object) => Object.assign(container(object), { resources: { limits: { memory: '1Gi' } } }),
    'the service account': ({ spec }) =>
      Object.assign(spec.template.spec, { serviceAccountName: 'default', serviceAccount: 'default' }),
    'a label of the pods': ({ spec }) => Object.assign(spec.template.metadata.labels, { tier: 'back' }),
    'the hash of the config': ({ spec }) =>
      Object.assign(spec.template.metadata.annotations, { 'onbehalf.dev/config-hash': 'none' }),
    strategy: ({ spec }) => Object.assign(spec, { strategy: { type: 'Recreate' } }),
  }),
  {
    ...{ what: 'labels', kind: 'Deployment', part: ({ metadata }) => metadata.labels },
    change: ({ metadata }) => Object.assign(metadata, { labels: {} }),
  },
  {
    ...{ what: 'owner reference', kind: 'Deployment', part: ({ metadata }) => metadata.ownerReferences },
    change: ({ metadata }) => Object.assign(metadata.ownerReferences[0], { blockOwnerDeletion: false }),
  },
  {
    ...{ what: 'port', kind: 'Service', part: spec },
    change: ({ spec }) => Object.assign(spec.ports[0], { port: 81 }),
  },
  {
    ...{ what: 'target port', kind: 'Service', part: spec },
    change: ({ spec }) => Object.assign(spec.ports[0], { targetPort: 81 }),
  },
  {
    ...{ what: 'selector', kind: 'Service', part: spec },
    change: ({ spec }) => Object.assign(spec, { selector: { 'onbehalf.dev/agent': 'other' } }),
  },
  {
    ...{ what: 'data', kind: 'Secret', part: ({ data }) => data },
    change: ({ data }) => Object.assign(data, { 'config.json': 'e30K' }),
  },
  {
    ...{ what: 'a key', kind: 'Secret', part: ({ data }) => data },
    change: ({ data }) => delete data['agent-card.json'],
  },
  {
    ...{
      what: 'the token',
      kind: 'ServiceAccount',
      part: ({ automountServiceAccountToken: mounts }) => mounts,
    },
    change: (object) => Object.assign(object, { automountServiceAccountToken: true }),
  },
];
