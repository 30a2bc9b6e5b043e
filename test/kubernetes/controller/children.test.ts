import { describe, expect, test } from 'vitest';
import type { Agent } from '../../../src/kubernetes/api/agent.ts';
import type { CompiledAgent } from '../../../src/kubernetes/compile/types.ts';
import { childrenOf } from '../../../src/kubernetes/controller/children.ts';
import { agentOf, compiledOf } from './objects.ts';

const IMAGE = 'registry.example/agent:1';

// biome-ignore lint/suspicious/noExplicitAny: each kind has its own shape, and tests look at single fields.
type Shape = any;

function make(agent: Agent = agentOf(), compiled: CompiledAgent = compiledOf()): Record<string, Shape> {
  const { objects } = childrenOf(agent, compiled, { agentImage: IMAGE });
  return Object.fromEntries(objects.map((object) => [object.kind, object]));
}

const podOf = (agent?: Agent, compiled?: CompiledAgent): Shape =>
  make(agent, compiled).Deployment.spec.template.spec;
const containerOf = (agent?: Agent, compiled?: CompiledAgent): Shape => podOf(agent, compiled).containers[0];

test('an agent is a ServiceAccount, a Secret, a Service and a Deployment, made in this order', () => {
  const { objects } = childrenOf(agentOf(), compiledOf(), { agentImage: IMAGE });
  expect(objects.map(({ kind, apiVersion }) => `${apiVersion} ${kind}`)).toEqual([
    'v1 ServiceAccount',
    'v1 Secret',
    'v1 Service',
    'apps/v1 Deployment',
  ]);
});

test('each child is named and labelled as the agent and owned by it', () => {
  for (const { metadata } of Object.values(make())) {
    expect(metadata).toMatchObject({
      name: 'helper',
      namespace: 'team',
      labels: { 'app.kubernetes.io/managed-by': 'onbehalf', 'onbehalf.dev/agent': 'helper' },
      ownerReferences: [
        {
          apiVersion: 'onbehalf.dev/v1alpha1',
          kind: 'Agent',
          name: 'helper',
          uid: 'uid-1',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    });
  }
});

test('the Secret holds the config and the card', () => {
  const { data } = make().Secret;
  const read = (key: string): unknown => JSON.parse(Buffer.from(data[key], 'base64').toString());
  expect(Object.keys(data)).toEqual(['config.json', 'agent-card.json']);
  expect(read('config.json')).toEqual(compiledOf().config);
  expect(read('agent-card.json')).toEqual({ name: 'helper' });
});

test('the Service and the Deployment select the pods by the one label that never changes', () => {
  const agent = agentOf({
    declarative: {
      modelConfig: 'm',
      stream: false,
      deployment: { replicas: 3, labels: { team: 'a', 'onbehalf.dev/agent': 'other' } },
    },
  });
  const { Deployment, Service } = make(agent);
  expect(Deployment.spec.selector).toEqual({ matchLabels: { 'onbehalf.dev/agent': 'helper' } });
  expect(Service.spec.selector).toEqual({ 'onbehalf.dev/agent': 'helper' });
  expect(Deployment.spec.template.metadata.labels).toEqual({
    team: 'a',
    'app.kubernetes.io/managed-by': 'onbehalf',
    'onbehalf.dev/agent': 'helper',
  });
  expect(Deployment.spec.replicas).toBe(3);
});

test('pods are replaced one by one, the new one first', () => {
  expect(make().Deployment.spec.strategy).toEqual({
    type: 'RollingUpdate',
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
  });
});

describe('the pod', () => {
  test('keeps to the contract: arguments, port and probes', () => {
    const container = containerOf();
    expect(container.args).toEqual(['--host', '0.0.0.0', '--port', '8080', '--filepath', '/config']);
    expect(container.command).toBeUndefined();
    expect(container.ports).toEqual([{ name: 'http', containerPort: 8080, protocol: 'TCP' }]);
    expect(container.readinessProbe.httpGet).toEqual({ path: '/ready', port: 'http' });
    expect(container.livenessProbe.httpGet).toEqual({ path: '/health', port: 'http' });
    expect(container.startupProbe.httpGet).toEqual({ path: '/health', port: 'http' });
  });

  test('is no more than it has to be', () => {
    const pod = podOf();
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    });
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(30);
  });

  test('has the config, a folder for temporary files, and nothing else that it does not need', () => {
    const pod = podOf();
    expect(pod.volumes).toEqual([
      { name: 'config', secret: { secretName: 'helper', defaultMode: 0o440 } },
      { name: 'tmp', emptyDir: {} },
    ]);
    expect(pod.containers[0].volumeMounts).toEqual([
      { name: 'config', mountPath: '/config', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ]);
  });

  test('has data and tokens in one volume, at the paths that the config names', () => {
    const root = '/var/run/secrets/onbehalf';
    const pod = podOf(
      undefined,
      compiledOf({
        mounts: [
          { kind: 'Secret', name: 'mail', key: 'token', path: `${root}/data/secret/mail/token` },
          { kind: 'Secret', name: 'mail', key: 'ca', path: `${root}/data/secret/mail/ca` },
          { kind: 'ConfigMap', name: 'mail', key: 'token', path: `${root}/data/configmap/mail/token` },
        ],
        tokens: [
          { audience: 'https://sts.example', expirationSeconds: 600, path: `${root}/tokens/0123abcd` },
        ],
      }),
    );
    expect(pod.volumes.at(-1)).toEqual({
      name: 'onbehalf',
      projected: {
        defaultMode: 0o440,
        sources: [
          {
            secret: {
              name: 'mail',
              items: [
                { key: 'token', path: 'data/secret/mail/token' },
                { key: 'ca', path: 'data/secret/mail/ca' },
              ],
            },
          },
          { configMap: { name: 'mail', items: [{ key: 'token', path: 'data/configmap/mail/token' }] } },
          {
            serviceAccountToken: {
              audience: 'https://sts.example',
              expirationSeconds: 600,
              path: 'tokens/0123abcd',
            },
          },
        ],
      },
    });
    expect(pod.containers[0].volumeMounts.at(-1)).toEqual({
      name: 'onbehalf',
      mountPath: root,
      readOnly: true,
    });
    // Readable for whatever user the image runs as.
    expect(pod.securityContext.fsGroup).toBeGreaterThan(0);
  });

  test('takes API keys from their Secrets, and what the user says wins', () => {
    const deployment = {
      replicas: 1,
      env: [
        { name: 'LOG', value: 'a' },
        { name: 'OPENAI_API_KEY', value: 'mine' },
        { name: 'LOG', value: 'b' },
      ],
    };
    const agent = agentOf({ declarative: { modelConfig: 'm', stream: false, deployment } });
    const variables = [
      { name: 'OPENAI_API_KEY', secret: 'openai', key: 'key' },
      { name: 'OTHER', secret: 'openai', key: 'other' },
    ];
    const { env } = containerOf(agent, compiledOf({ variables }));
    expect(env).toContainEqual({
      name: 'OTHER',
      valueFrom: { secretKeyRef: { name: 'openai', key: 'other' } },
    });
    expect(env).toContainEqual({ name: 'OPENAI_API_KEY', value: 'mine' });
    expect(env).toContainEqual({ name: 'LOG', value: 'b' });
    expect(env).toHaveLength(3);
  });

  test('has the image of the controller, and limits, unless the agent says otherwise', () => {
    expect(containerOf()).toMatchObject({
      image: IMAGE,
      resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    });
    const deployment = {
      replicas: 1,
      image: 'mine:2',
      imagePullPolicy: 'Always',
      imagePullSecrets: [{ name: 'pull' }],
      resources: { limits: { cpu: '2' } },
      nodeSelector: { disk: 'ssd' },
    } as const;
    const agent = agentOf({ declarative: { modelConfig: 'm', stream: false, deployment } });
    expect(containerOf(agent)).toMatchObject({ image: 'mine:2', imagePullPolicy: 'Always' });
    expect(containerOf(agent).resources).toEqual({ limits: { cpu: '2' } });
    expect(podOf(agent)).toMatchObject({
      imagePullSecrets: [{ name: 'pull' }],
      nodeSelector: { disk: 'ssd' },
    });
  });
});

test('with a service account of the user, none is made, and the pods have it', () => {
  const deployment = { replicas: 1, serviceAccountName: 'robot' };
  const agent = agentOf({ declarative: { modelConfig: 'm', stream: false, deployment } });
  expect(make(agent).ServiceAccount).toBeUndefined();
  expect(podOf(agent).serviceAccountName).toBe('robot');
  expect(podOf().serviceAccountName).toBe('helper');
});

test('an agent that names the service account that is its own keeps it', () => {
  const deployment = { replicas: 1, serviceAccountName: 'helper' };
  const agent = agentOf({ declarative: { modelConfig: 'm', stream: false, deployment } });
  expect(make(agent).ServiceAccount).toBeDefined();
  expect(podOf(agent).serviceAccountName).toBe('helper');
});

test('an own image is run with its own command, or by the contract', () => {
  const byo = (deployment: object): Agent =>
    agentOf({
      type: 'BYO',
      declarative: undefined,
      byo: { deployment: { replicas: 1, image: 'own:1', ...deployment } },
    });
  expect(containerOf(byo({}))).toMatchObject({
    image: 'own:1',
    args: ['--host', '0.0.0.0', '--port', '8080', '--filepath', '/config'],
    env: [
      { name: 'KAGENT_NAME', value: 'helper' },
      { name: 'KAGENT_NAMESPACE', value: 'team' },
    ],
  });
  expect(containerOf(byo({ cmd: 'serve', args: ['-x'] }))).toMatchObject({
    command: ['serve'],
    args: ['-x'],
  });
  // An agent of somebody else may have no /ready.
  expect(containerOf(byo({})).readinessProbe.httpGet.path).toBe('/.well-known/agent-card.json');
  // Where such an image writes is not known.
  expect(containerOf(byo({})).securityContext).not.toHaveProperty('readOnlyRootFilesystem');
});

describe('the config hash', () => {
  const hashOf = (more: Partial<CompiledAgent> = {}): string =>
    make(agentOf(), compiledOf(more)).Deployment.spec.template.metadata.annotations[
      'onbehalf.dev/config-hash'
    ];
  const { config } = compiledOf();

  test('changes with the config, the card and the data that the pods read', () => {
    const hashes = [
      hashOf(),
      hashOf({ config: { ...config, instruction: 'Else.' } }),
      hashOf({ card: { name: 'other' } }),
      hashOf({ dataVersions: ['Secret/mail/uid@1'] }),
      hashOf({ dataVersions: ['Secret/mail/uid@2'] }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('does not depend on the order of members', () => {
    const reversed = Object.fromEntries(Object.entries(config).reverse()) as unknown as typeof config;
    expect(hashOf({ config: reversed })).toBe(hashOf());
  });
});

test('what is no longer wanted changes the digest of what was applied', () => {
  const digestOf = (deployment: object): string => {
    const agent = agentOf({
      declarative: { modelConfig: 'm', stream: false, deployment: { replicas: 1, ...deployment } },
    });
    return make(agent).Deployment.metadata.annotations['onbehalf.dev/applied'];
  };
  expect(digestOf({})).toBe(digestOf({}));
  expect(digestOf({ env: [{ name: 'A', value: '1' }] })).not.toBe(digestOf({}));
});

test('a path outside the folder of data is a bug, and is not mounted', () => {
  const mounts = [{ kind: 'Secret', name: 'a', key: 'b', path: '/etc/passwd' }] as const;
  expect(() => make(agentOf(), compiledOf({ mounts }))).toThrow('/etc/passwd is not below');
});
