import { parseArgs } from 'node:util';

/** What `onbehalf controller` was told. */
export interface ControllerArguments {
  readonly agentImage: string;
  readonly namespaces: readonly string[] | undefined;
  readonly kubeconfig: string | undefined;
  readonly leaderElect: boolean;
  readonly leaseNamespace: string | undefined;
  readonly concurrency: number;
  readonly healthPort: number;
  readonly metricsPort: number;
  /** Whether tools of servers with `publishTools` are listed. */
  readonly publishTools: boolean;
  readonly discovery: DiscoveryArguments | undefined;
  readonly json: boolean;
}

/** The controller's registration at an STS, for listing tools. */
export interface DiscoveryArguments {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecretFile: string;
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Reads the arguments.
 *
 * @throws Error that says what is wrong and what to do
 */
export function parseControllerArguments(argv: readonly string[]): ControllerArguments | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    allowNegative: true,
    options: {
      'agent-image': { type: 'string' },
      namespace: { type: 'string', multiple: true },
      kubeconfig: { type: 'string' },
      'leader-elect': { type: 'boolean', default: true },
      'lease-namespace': { type: 'string' },
      concurrency: { type: 'string', default: '8' },
      'health-port': { type: 'string', default: '8081' },
      'metrics-port': { type: 'string', default: '8080' },
      'publish-tools': { type: 'boolean', default: false },
      'discovery-issuer': { type: 'string' },
      'discovery-client-id': { type: 'string' },
      'discovery-client-secret-file': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const agentImage = values['agent-image'];
  if (agentImage === undefined || agentImage.trim() === '') {
    throw new Error(
      '--agent-image is missing: the image that runs agents, e.g. registry.example.com/onbehalf/agent:1',
    );
  }
  return {
    agentImage,
    namespaces: values.namespace?.map((name) => namespaceOf('--namespace', name)),
    kubeconfig: values.kubeconfig,
    leaderElect: values['leader-elect'],
    leaseNamespace:
      values['lease-namespace'] === undefined
        ? undefined
        : namespaceOf('--lease-namespace', values['lease-namespace']),
    concurrency: numberOf('--concurrency', values.concurrency, [1, 256]),
    healthPort: numberOf('--health-port', values['health-port'], [0, 65_535]),
    metricsPort: numberOf('--metrics-port', values['metrics-port'], [0, 65_535]),
    publishTools: values['publish-tools'],
    discovery: discoveryOf(values['publish-tools'], {
      issuer: values['discovery-issuer'],
      clientId: values['discovery-client-id'],
      clientSecretFile: values['discovery-client-secret-file'],
    }),
    json: values.json,
  };
}

function namespaceOf(option: string, name: string): string {
  if (NAMESPACE.test(name)) return name;
  throw new Error(`${option} must be the name of a namespace, not ${JSON.stringify(name)}`);
}

function numberOf(option: string, text: string, [least, most]: readonly [number, number]): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`${option} must be a number from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

function discoveryOf(
  publishTools: boolean,
  given: {
    readonly [K in keyof DiscoveryArguments]: string | undefined;
  },
): DiscoveryArguments | undefined {
  const { issuer, clientId, clientSecretFile } = given;
  if (issuer === undefined && clientId === undefined && clientSecretFile === undefined) return undefined;
  if (!publishTools) throw new Error('--discovery-* is for --publish-tools: give that too, or none of them');
  if (issuer && clientId && clientSecretFile) return { issuer, clientId, clientSecretFile };
  throw new Error(
    '--discovery-issuer, --discovery-client-id and --discovery-client-secret-file go together: give all three or none',
  );
}
