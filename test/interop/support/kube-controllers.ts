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

const ESTABLISHED_MS = 30_000;

/** Installs CustomResourceDefinitions and waits until their kinds are served. @throws Error with the words of kubectl */
export async function installCrds(kubectl: Kubectl, manifests: readonly string[]): Promise<void> {
  for (const input of manifests) {
    await run(kubectl, ['apply', '--server-side', '-f', '-'], input);
    const until = Date.now() + ESTABLISHED_MS;
    // Not `kubectl wait`, which fails where there is no status yet.
    while (!isEstablished(await run(kubectl, ['get', '-o', 'json', '-f', '-'], input))) {
      if (Date.now() > until) throw new Error(`a CRD was not Established within ${ESTABLISHED_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function run(kubectl: Kubectl, args: readonly string[], input: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(args, { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}

interface Conditioned {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** @param text - of one object, or of a list of them */
function isEstablished(text: string): boolean {
  const said = JSON.parse(text) as Conditioned & { readonly items?: readonly Conditioned[] };
  return (said.items ?? [said]).every(({ status }) =>
    status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True'),
  );
}
