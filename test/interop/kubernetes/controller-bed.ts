import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createKubeClient } from '../../../src/kubernetes/client/kube-client.ts';
import { RESOURCES } from '../../../src/kubernetes/client/resources.ts';
import type { KubeClient, KubeObject } from '../../../src/kubernetes/client/types.ts';
import {
  type Controller,
  type ControllerOptions,
  createController,
  type ReconcileEvent,
} from '../../../src/kubernetes/controller/controller.ts';
import type { Kubeconfig } from '../support/kube-client.ts';
import { type ControlPlane, startControlPlane } from '../support/kube-control-plane.ts';

const DEPLOY = new URL('../../../deploy/', import.meta.url).pathname;
/** Not the controller's, so that each is told from the other. */
const TESTER = 'onbehalf-test';
export const AGENT_IMAGE = 'registry.example/onbehalf/agent:test';

/** Kinds that are looked at, by name. */
export type KindName = keyof typeof RESOURCES;

/** A controller in this process. */
export interface RunningController extends Controller {
  /** Reconciles so far. */
  readonly reconciled: readonly ReconcileEvent[];
  /** Failures that it told of, as text. */
  readonly failures: readonly string[];
  /** Resolves when it has had nothing to do for a while. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** A control plane with the CRDs, and the controller's account with the rights of deploy/. */
export interface Bed {
  readonly plane: ControlPlane;
  readonly client: KubeClient;
  /** What the controller may do and no more. */
  readonly account: Kubeconfig;
  controller(options?: Partial<ControllerOptions>): Promise<RunningController>;
  /** Server-side apply. @throws Error with the API server's words */
  put(...objects: readonly unknown[]): Promise<void>;
  get(kind: KindName, place: string): Promise<KubeObject | undefined>;
  list(kind: KindName, namespace: string): Promise<readonly KubeObject[]>;
  delete(kind: KindName, place: string): Promise<void>;
  /** A namespace with a token service, a model, and whatever else is given. */
  team(name: string, ...objects: readonly unknown[]): Promise<void>;
  stop(): Promise<void>;
}

/** @param apiServer - flags of kube-apiserver */
export async function startBed(apiServer: Readonly<Record<string, string>> = {}): Promise<Bed> {
  const folder = join(DEPLOY, 'crds');
  const files = (await readdir(folder)).filter((name) => name.includes('onbehalf.dev'));
  const crds = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  const plane = await startControlPlane({ crds, apiServer });
  for (const path of ['base/namespace.yaml', 'base/service-account.yaml', 'base/leader-election.yaml']) {
    const { code, stderr } = await plane.kubectl([
      ...['apply', '--namespace', 'onbehalf-system', '-f', join(DEPLOY, path)],
    ]);
    if (code !== 0) throw new Error(stderr);
  }
  const { code, stderr } = await plane.kubectl(['apply', '-k', join(DEPLOY, 'rbac/cluster')]);
  if (code !== 0) throw new Error(stderr);
  const account = await plane.kubeconfigFor({
    namespace: 'onbehalf-system',
    serviceAccount: 'onbehalf-controller',
  });
  const client = await createKubeClient({ kubeconfig: plane.adminKubeconfig.path, fieldManager: TESTER });
  const running = new Set<RunningController>();

  const put = async (...objects: readonly unknown[]): Promise<void> => {
    for (const object of objects as readonly KubeObject[]) {
      await client.apply(RESOURCES[object.kind as KindName], object);
    }
  };
  const bed: Bed = {
    plane,
    client,
    account,
    put,
    async controller(options) {
      const controller = await run(account.path, options);
      running.add(controller);
      return controller;
    },
    get: (kind, place) => client.get(RESOURCES[kind], placeOf(place)),
    list: async (kind, namespace) => (await client.list(RESOURCES[kind], { namespace })).items,
    async delete(kind, place) {
      const uid = (await bed.get(kind, place))?.metadata.uid;
      if (uid !== undefined) await client.delete(RESOURCES[kind], { ...placeOf(place), uid });
    },
    team: (name, ...objects) => put(namespaceOf(name), tokenService(name), modelConfig(name), ...objects),
    async stop() {
      for (const one of running) await one.stop();
      client.close();
      await plane.stop();
    },
  };
  return bed;
}

function placeOf(text: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = text.split('/');
  return { namespace, name };
}

const QUIET_MS = 700;

async function run(kubeconfig: string, options: Partial<ControllerOptions> = {}): Promise<RunningController> {
  const client = await createKubeClient({ kubeconfig, fieldManager: 'onbehalf-controller' });
  const ending = new AbortController();
  const reconciled: ReconcileEvent[] = [];
  const failures: string[] = [];
  const controller = createController({
    client,
    agentImage: AGENT_IMAGE,
    observer: {
      onReconcile: (event) => void reconciled.push(event),
      onError: (error, place) => void failures.push(`${place}: ${error}`),
    },
    ...options,
  });
  const ended = controller.run(ending.signal);
  await controller.ready;
  return {
    ...controller,
    reconciled,
    failures,
    async idle() {
      let seen = -1;
      let since = Date.now();
      while (Date.now() - since < QUIET_MS) {
        const { queue, looks } = controller.stats();
        const waits = queue.waiting + queue.active + looks.waiting + looks.active;
        const busy = waits > 0 || reconciled.length !== seen;
        if (busy) since = Date.now();
        seen = reconciled.length;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    async stop() {
      ending.abort();
      await ended;
      client.close();
    },
  };
}

export const namespaceOf = (name: string, labels: Readonly<Record<string, string>> = {}): unknown => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

const ours =
  (kind: string) =>
  (namespace: string, name: string, spec: object): KubeObject => ({
    apiVersion: 'onbehalf.dev/v1alpha1',
    kind,
    metadata: { namespace, name },
    spec,
  });

const anAgent = ours('Agent');
export const server: (namespace: string, name: string, spec?: object) => KubeObject = (
  namespace,
  name,
  spec,
) =>
  ours('RemoteMCPServer')(namespace, name, {
    description: name,
    url: `https://${name}.example/mcp`,
    ...spec,
  });
export const tokenService = (namespace: string, spec: object = {}, name = 'default'): KubeObject =>
  ours('TokenService')(namespace, name, {
    issuer: 'https://sts.example',
    tokenEndpoint: 'https://sts.example/token',
    clientID: 'agents',
    ...spec,
  });
export const modelConfig = (
  namespace: string,
  spec: object = {},
  name = 'default-model-config',
): KubeObject =>
  ours('ModelConfig')(namespace, name, {
    provider: 'Scripted',
    model: 'scripted',
    turns: [{ text: 'Done.' }],
    ...spec,
  });

/** A declarative agent. */
export const agent = (
  namespace: string,
  name: string,
  declarative: object = {},
  spec: object = {},
): KubeObject =>
  anAgent(namespace, name, {
    declarative: { systemMessage: 'Help.', ...declarative },
    ...spec,
  });

/** A tool of a server, with what the reference says. */
export const mcpTool = (name: string, reference: object = {}, tool: object = {}): object => ({
  type: 'McpServer',
  mcpServer: { name, ...reference },
  ...tool,
});

export const secret = (
  namespace: string,
  name: string,
  values: Readonly<Record<string, string>>,
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name },
  data: Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  ),
});

// biome-ignore lint/suspicious/noExplicitAny: each file has its own shape, and tests look at single fields.
export function fileOf(object: KubeObject | undefined, key: string): any {
  const data = (object?.data ?? {}) as Record<string, string>;
  const text = data[key];
  return text === undefined ? undefined : JSON.parse(Buffer.from(text, 'base64').toString());
}

/** By type, `STATUS REASON` of the conditions. */
export function conditionsOf(object: KubeObject | undefined): Record<string, string> {
  const { conditions = [] } = (object?.status ?? {}) as {
    conditions?: readonly { type: string; status: string; reason: string }[];
  };
  return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
}

/** Message of one condition. */
export function messageOf(object: KubeObject | undefined, type: string): string {
  const { conditions = [] } = (object?.status ?? {}) as {
    conditions?: readonly { type: string; message: string }[];
  };
  return conditions.find((one) => one.type === type)?.message ?? '';
}

/** The pod template's spec of a Deployment. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at single fields.
export function podOf(deployment: KubeObject | undefined): any {
  return (deployment?.spec as { template: { spec: unknown } } | undefined)?.template.spec;
}

/** The annotations of the pod template of a Deployment: another value makes its pods roll. */
export function podAnnotationsOf(deployment: KubeObject | undefined): Readonly<Record<string, string>> {
  const spec = deployment?.spec as
    | { template: { metadata: { annotations: Record<string, string> } } }
    | undefined;
  return spec?.template.metadata.annotations ?? {};
}
