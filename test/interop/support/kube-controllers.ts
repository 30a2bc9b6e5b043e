import { join } from 'node:path';
import type { Kubeconfig, Kubectl } from './kube-client.ts';
import { type KubeProcess, startKubeProcess } from './kube-process.ts';

const GARBAGE_COLLECTOR = 'garbage-collector-controller';
/** Those that clean up after a deletion, and the one that gives each namespace its default service account. */
export const CONTROLLERS: readonly string[] = [
  GARBAGE_COLLECTOR,
  'namespace-controller',
  'serviceaccount-controller',
];

export interface ControllersPlace {
  /** Path of kube-controller-manager. */
  readonly program: string;
  /** Where it keeps its files, which whoever calls removes. */
  readonly folder: string;
  /** Whom it acts for. */
  readonly kubeconfig: Kubeconfig;
}

/** Starts kube-controller-manager with the controllers named. */
export function startControllers(
  names: readonly string[],
  { program, folder, kubeconfig }: ControllersPlace,
): Promise<KubeProcess> {
  const flags = {
    kubeconfig: kubeconfig.path,
    controllers: names.join(','),
    'leader-elect': 'false',
    // What the root-ca-certificate-publisher-controller, where it is named, puts into each namespace.
    'root-ca-file': join(folder, 'ca.pem'),
    // It serves nothing that a test asks for.
    'secure-port': '0',
  };
  return startKubeProcess([program, ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)], {
    ready: names.includes(GARBAGE_COLLECTOR) ? /Proceeding to collect garbage/ : /Caches are synced/,
    pidFile: join(folder, 'kube-controller-manager.pid'),
  });
}

const ESTABLISHED = ['wait', '--for=condition=Established', '--timeout=30s', '-f', '-'] as const;

/** Installs CustomResourceDefinitions and waits until their kinds are served. @throws Error with the words of kubectl */
export async function installCrds(kubectl: Kubectl, manifests: readonly string[]): Promise<void> {
  for (const input of manifests) {
    for (const args of [['apply', '--server-side', '-f', '-'], ESTABLISHED]) {
      const { code, stderr } = await kubectl(args, { input });
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}`);
    }
  }
}
