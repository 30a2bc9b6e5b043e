import { expect, it } from 'vitest';
import { MANIFESTS, manifestOf } from './manifests.ts';

const { spec } = manifestOf('Deployment', 'onbehalf-controller');
const pod = spec.template.spec;
const [container] = pod.containers;
const ports: readonly { readonly name: string; readonly containerPort: number }[] = container.ports;
const portOf = (name: string): number | undefined => ports.find((port) => port.name === name)?.containerPort;

it('keeps the rules of the Pod Security Standard "restricted", and its namespace asks for them', () => {
  expect(pod.securityContext).toMatchObject({
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  });
  expect(pod.securityContext.runAsUser).toBeGreaterThan(0);
  expect(pod.containers.length).toBe(1);
  expect(pod.initContainers).toBeUndefined();
  expect(container.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  for (const member of ['hostNetwork', 'hostPID', 'hostIPC', 'volumes'])
    expect(pod).not.toHaveProperty(member);
  expect(ports.filter((port) => 'hostPort' in port)).toEqual([]);
  const { labels } = manifestOf('Namespace', 'onbehalf-system').metadata;
  for (const mode of ['enforce', 'audit', 'warn'])
    expect(labels?.[`pod-security.kubernetes.io/${mode}`]).toBe('restricted');
});

it('runs as its own service account, whose token no other pod gets unasked', () => {
  expect(pod).toMatchObject({
    serviceAccountName: 'onbehalf-controller',
    automountServiceAccountToken: true,
  });
  expect(manifestOf('ServiceAccount', 'onbehalf-controller').automountServiceAccountToken).toBe(false);
});

it('uses no variable in an argument that it does not have', () => {
  const names = container.env.map(({ name }: { name: string }) => name);
  const used = [...JSON.stringify(container.args).matchAll(/\$\(([^)]+)\)/g)].map(([, name]) => name);
  expect(used).toEqual(['ONBEHALF_AGENT_IMAGE']);
  expect(names).toEqual(used);
});

it('is asked for its health at a port that it has', () => {
  for (const probe of ['livenessProbe', 'readinessProbe'])
    expect(portOf(container[probe].httpGet.port)).toBe(8081);
});

it('has room to breathe, and a limit to its memory', () => {
  expect(container.resources).toEqual({
    requests: { cpu: '50m', memory: '128Mi' },
    limits: { memory: '512Mi' },
  });
});

it('loses at most one of its two replicas at a time', () => {
  expect(spec.replicas).toBe(2);
  expect(manifestOf('PodDisruptionBudget', 'onbehalf-controller').spec).toEqual({ maxUnavailable: 1 });
});

it('lets in who collects metrics, and goes out to names and to https', () => {
  const service = manifestOf('Service', 'onbehalf-controller-metrics').spec;
  expect(portOf(service.ports[0].targetPort)).toBe(service.ports[0].port);
  const policy = manifestOf('NetworkPolicy', 'onbehalf-controller').spec;
  expect(policy.policyTypes).toEqual(['Ingress', 'Egress']);
  const portsOf = (
    rules: readonly { readonly ports: readonly { readonly port: number }[] }[],
  ): readonly number[] => rules.flatMap((rule) => rule.ports.map(({ port }) => port));
  expect(portsOf(policy.ingress)).toEqual([portOf('metrics')]);
  expect(portsOf(policy.egress)).toEqual([53, 53, 443, 6443]);
});

it('has no Secret of its own, and no sample has one that looks real', () => {
  const secrets = MANIFESTS.filter(({ kind }) => kind === 'Secret');
  expect(secrets.every(({ file }) => file.startsWith('deploy/samples/'))).toBe(true);
  for (const { stringData, data } of secrets) {
    expect(data).toBeUndefined();
    for (const value of Object.values<string>(stringData)) expect(value).toMatch(/^not-a-real-/);
  }
});
