import { chmod, cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { ControlPlane } from '../../support/kube-control-plane.ts';
import { startKubeProcess } from '../../support/kube-process.ts';
import type { Container, DeploymentObject, Probe } from './template.ts';
import { data, fillVolumes, type Ground } from './volumes.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const ENTER = fileURLToPath(new URL('enter.sh', import.meta.url));
/** No user of this machine, as in our image. */
const USER = 65_532;
const isRoot = process.getuid?.() === 0;

export interface PodOptions {
  readonly plane: ControlPlane;
  readonly namespace: string;
  readonly deployment: string;
  /** Address of the pod: one of 127.0.0.0/8, on which nothing else listens. */
  readonly ip: string;
  /** Command of the CLI that the image starts. */
  readonly entrypoint: string;
}

/** A pod of a Deployment: its container's command as a process of this machine. */
export interface Pod {
  readonly url: string;
  /** All that it has printed. */
  log(): Promise<string>;
  /** Renews what is mounted, as the kubelet does in time. */
  renew(): Promise<void>;
  /** Whether a probe of the container succeeds. */
  probe(which: 'readinessProbe' | 'livenessProbe'): Promise<boolean>;
  /** As on deletion: SIGTERM, and time to end. */
  stop(): Promise<void>;
}

/**
 * Stands in for scheduler, kubelet and container runtime: starts what a Deployment says in the file system that it says,
 * with its environment and tokens of the TokenRequest API, not as root, and tells the Deployment's status when it is ready. The
 * image is this machine's file system, and its address is in the place of 0.0.0.0, since there is one network.
 */
export async function startPod(options: PodOptions): Promise<Pod> {
  const { plane, namespace, ip } = options;
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${options.deployment}`;
  const { status, body } = await plane.api('GET', path);
  if (status !== 200) throw new Error(`there is no Deployment ${namespace}/${options.deployment}`);
  const deployment = body as DeploymentObject;
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;
  const folder = await mkdtemp(join(tmpdir(), 'onbehalf-pod-'));
  await chmod(folder, 0o755);
  const ground = { plane, namespace, pod, folder: join(folder, 'volumes') };
  await fillVolumes(ground);
  const log = join(folder, 'log');
  await writeFile(log, '');
  await mkdir(join(folder, 'root'));
  const image = await makeImage(folder);
  const unshare = isRoot ? ['unshare', '--mount'] : ['unshare', '--mount', '--map-root-user'];
  const command = [
    ...unshare,
    ...['sh', ENTER, join(folder, 'root'), isRoot ? `${USER}:${pod.securityContext.fsGroup ?? USER}` : ''],
    ...[container.securityContext.readOnlyRootFilesystem ? '1' : '', log],
    ...image,
    ...mounts(ground, container),
    '--',
    ...['/usr/bin/env', '-i', ...(await environment(ground, container))],
    ...(container.command ?? ['/node/node', '/app/dist/cli/main.js', options.entrypoint]),
    ...container.args.map((argument) => (argument === '0.0.0.0' ? ip : argument)),
  ] as [string, ...string[]];
  const options2 = { ready: /the pod is made/, pidFile: join(folder, 'pid'), folder };
  const kept = await startKubeProcess(command, options2);
  const url = `http://${ip}:${portOf(container)}`;
  const probe = (which: 'readinessProbe' | 'livenessProbe'): Promise<boolean> =>
    succeeds(url, container[which]);
  const started: Pod = {
    url,
    log: () => readFile(log, 'utf8'),
    renew: () => fillVolumes(ground),
    probe,
    stop: () => kept.end('graceful'),
  };
  try {
    await expect.poll(() => probe('readinessProbe'), { timeout: 60_000, interval: 100 }).toBe(true);
  } catch (error) {
    const said = await started.log();
    await started.stop();
    throw new Error(`the pod did not become ready; it said:\n${said}`, { cause: error });
  }
  await tellReady(plane, path, deployment);
  return started;
}

/** What our image has: Node, the program, and its packages; wherever they are here, and whoever may look there. */
async function makeImage(folder: string): Promise<readonly string[]> {
  const app = join(folder, 'app');
  await mkdir(join(app, 'node_modules'), { recursive: true });
  for (const name of ['dist', 'package.json'])
    await cp(join(ROOT, name), join(app, name), { recursive: true });
  const packages = join(ROOT, 'node_modules');
  return [`${dirname(process.execPath)}:/node:ro`, `${app}:/app:ro`, `${packages}:/app/node_modules:ro`];
}

function mounts({ folder }: Ground, { volumeMounts }: Container): readonly string[] {
  return volumeMounts.map(({ name, mountPath, readOnly }) => {
    return `${join(folder, name)}:${mountPath}:${readOnly ? 'ro' : 'rw'}`;
  });
}

async function environment(ground: Ground, { env = [] }: Container): Promise<readonly string[]> {
  const given = env.map(async ({ name, value = '', valueFrom }) => {
    const reference = valueFrom?.secretKeyRef;
    if (!reference) return `${name}=${value}`;
    const content = (await data(ground, 'secrets', reference)).get(reference.key);
    if (!content) throw new Error(`the pod cannot start: ${reference.name} has no key ${reference.key}`);
    return `${name}=${content.toString('utf8')}`;
  });
  return [`PATH=${process.env.PATH}`, 'HOME=/', ...(await Promise.all(given))];
}

function portOf({ args }: Container): string {
  const port = args[args.indexOf('--port') + 1];
  if (port === undefined) throw new Error('the container is told no port');
  return port;
}

async function succeeds(url: string, { httpGet }: Probe): Promise<boolean> {
  try {
    const response = await fetch(`${url}${httpGet.path}`, { signal: AbortSignal.timeout(3_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** What the controller of Deployments would say. */
async function tellReady(
  plane: ControlPlane,
  path: string,
  { spec, metadata }: DeploymentObject,
): Promise<void> {
  const { replicas } = spec;
  const counts = {
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
  };
  const told = { ...counts, observedGeneration: metadata.generation };
  const { status } = await plane.api('PATCH', `${path}/status`, { body: { status: told } });
  expect(status).toBe(200);
}
