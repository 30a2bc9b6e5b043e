import type { Agent } from '../../../src/kubernetes/api/agent.ts';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import type { CompiledAgent } from '../../../src/kubernetes/compile/types.ts';

type Loosely<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** A declarative Agent team/helper, as the API server has it. */
export function agentOf(spec: Loosely<Agent['spec']> = {}, metadata: Partial<Agent['metadata']> = {}): Agent {
  return {
    apiVersion: 'onbehalf.dev/v1alpha1',
    kind: 'Agent',
    metadata: { name: 'helper', namespace: 'team', uid: 'uid-1', generation: 3, ...metadata },
    spec: {
      type: 'Declarative',
      authentication: { mode: 'Anonymous' },
      declarative: { modelConfig: 'default-model-config', stream: false },
      dangerouslyAllowInsecureHTTP: false,
      ...spec,
    } as Agent['spec'],
  };
}

/** What a small agent comes to. */
export function compiledOf(more: Partial<CompiledAgent> = {}): CompiledAgent {
  return {
    config: {
      model: null,
      description: '',
      instruction: 'Help.',
      http_tools: [],
      sse_tools: [],
      remote_agents: [],
      stream: false,
    },
    card: { name: 'helper' },
    mounts: [],
    tokens: [],
    variables: [],
    targets: [],
    dataVersions: [],
    ...more,
  };
}

/** A Deployment with this status. */
export function deploymentOf(
  status: Readonly<Record<string, unknown>>,
  { replicas = 2, generation = 1 }: { replicas?: number; generation?: number } = {},
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'helper', namespace: 'team', generation },
    spec: { replicas },
    status,
  };
}
