import { access, constants, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, createApiServer } from './kube-api-server.ts';
import { type Api, apiOf, type Kubeconfig, type Kubectl, kubectlOf, writeKubeconfig } from './kube-client.ts';
import { CONTROLLERS, installCrds, startControllers } from './kube-controllers.ts';
import { type Credentials, createCredentials } from './kube-credentials.ts';
import { type Etcd, startEtcd } from './kube-etcd.ts';
import { type HowToEnd, lastingPort } from './kube-process.ts';
import { type KubePrograms, kubePrograms } from './kube-programs.ts';
import { publishIssuer, requestToken, type ServiceAccountToken } from './kube-tokens.ts';

export interface ControlPlaneOptions {
  /**
   * Flags of kube-apiserver, without the dashes, in place of ours or in addition:
   * `{ 'max-mutating-requests-inflight': '1' }`. Default: none.
   */
  readonly apiServer?: Readonly<Record<string, string>> | undefined;
  /** Controllers of kube-controller-manager; with none it does not run. Default: those that clean up, and service accounts. */
  readonly controllers?: readonly string[] | undefined;
  /**
   * Manifests of CustomResourceDefinitions, YAML or JSON. They are there before kube-controller-manager starts: its garbage
   * collector looks for new kinds only every 30 seconds. Default: none.
   */
  readonly crds?: readonly string[] | undefined;
}

/** A Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager. No node, no scheduler. */
export interface ControlPlane {
  /** `https://127.0.0.1:PORT`, the same after a restart. */
  readonly server: string;
  readonly caPem: string;
  /** Of Kubernetes: `v1.37.2`. */
  readonly version: string;
  /** `iss` of service account tokens. Its metadata and its keys can be read by anyone who trusts `caPem`. */
  readonly issuer: string;
  readonly jwksUri: string;
  readonly adminKubeconfig: Kubeconfig;
  /** A request of the administrator. */
  readonly api: Api;
  /** Runs kubectl, as the administrator by default. That it fails is no error: see its `code`. */
  readonly kubectl: Kubectl;
  /** A token of the TokenRequest API. @throws Error with the API server's words, where there is no such account */
  tokenFor(account: ServiceAccountToken): Promise<string>;
  /** What a service account may do with such a token, and no more. */
  kubeconfigFor(account: ServiceAccountToken): Promise<Kubeconfig>;
  stopApiServer(how?: HowToEnd): Promise<void>;
  /** Starts it after {@link stopApiServer}; resolves when it is ready. */
  startApiServer(): Promise<void>;
  restartApiServer(how?: HowToEnd): Promise<void>;
  /** Stops it from doing anything, its connections open, until {@link resumeApiServer}. */
  pauseApiServer(): void;
  resumeApiServer(): void;
  /** Makes etcd forget all revisions but the newest. What the API server remembers itself it can still tell. */
  compactEtcd(): Promise<void>;
  /** Restarts the API server without its past: a watch from any revision known until now gets 410 (Gone). */
  expireWatches(): Promise<void>;
  /** Ends everything. No process and no file stays. */
  stop(): Promise<void>;
}

const TRIES = 3;
const TMPFS = '/dev/shm';
/** etcd alone allocates 128 MB beforehand. */
const TMPFS_BYTES = 2 ** 30;

/**
 * Starts a control plane with certificates of its own and RBAC. It ends with this process, however that ends.
 *
 * @throws Error when Kubernetes cannot be built, or with the end of the log of the program that does not start
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const programs = await kubePrograms();
  const credentials = await createCredentials();
  for (let tries = 1; ; tries++) {
    try {
      return await start(programs, credentials, options);
    } catch (error) {
      // Between choosing a port and using it, another process may have taken it.
      if (tries === TRIES || !/address already in use/.test(String(error))) throw error;
    }
  }
}

async function start(
  programs: KubePrograms,
  credentials: Credentials,
  options: ControlPlaneOptions,
): Promise<ControlPlane> {
  const began = Date.now();
  const folder = await mkdtemp(join(await quickFolder(), 'onbehalf-kube-'));
  const endings: Ending[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const end of endings.splice(0).reverse()) await end();
  };
  try {
    const servers = await startServers({ programs, credentials, options, folder, endings });
    console.error(`Kubernetes ${programs.version} started in ${((Date.now() - began) / 1000).toFixed(1)} s`);
    return controlPlane(servers, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** In memory where there is plenty of it: etcd writes a lot. */
async function quickFolder(): Promise<string> {
  try {
    await access(TMPFS, constants.W_OK);
    const { bavail, bsize } = await statfs(TMPFS);
    return bavail * bsize >= TMPFS_BYTES ? TMPFS : tmpdir();
  } catch {
    return tmpdir();
  }
}

type Ending = () => Promise<void>;

interface Place {
  readonly programs: KubePrograms;
  readonly credentials: Credentials;
  readonly options: ControlPlaneOptions;
  readonly folder: string;
  /** What is to be done at the end, last first. */
  readonly endings: Ending[];
}

interface Servers
  extends Pick<ControlPlane, 'server' | 'caPem' | 'version' | 'adminKubeconfig' | 'api' | 'kubectl'> {
  readonly folder: string;
  readonly etcd: Etcd;
  readonly apiServer: ApiServer;
}

async function startServers({ programs, credentials, options, folder, endings }: Place): Promise<Servers> {
  const { caPem, admin } = credentials;
  const etcd = await startEtcd(programs.etcd, folder);
  endings.push(() => etcd.process.end('kill'));
  const port = await lastingPort();
  const server = `https://127.0.0.1:${port}`;
  const api = apiOf(server, caPem, admin);
  const apiServer = await createApiServer({
    ...{ program: programs.apiServer, folder, port, etcdUrl: etcd.url, credentials, api },
    flags: options.apiServer ?? {},
  });
  endings.push(() => apiServer.stop());
  await apiServer.start();
  await publishIssuer(api);
  const adminKubeconfig = await writeKubeconfig(join(folder, 'admin.json'), { server, caPem }, admin);
  const commands = new AbortController();
  endings.push(async () => commands.abort());
  const kubectl = kubectlOf(programs.kubectl, folder, adminKubeconfig, commands.signal);
  await installCrds(kubectl, options.crds ?? []);
  const controllers = options.controllers ?? CONTROLLERS;
  if (controllers.length > 0) {
    const manager = await startControllers(controllers, {
      ...{ program: programs.controllerManager, folder, kubeconfig: adminKubeconfig },
    });
    endings.push(() => manager.end('kill'));
  }
  return { server, caPem, version: programs.version, adminKubeconfig, api, kubectl, folder, etcd, apiServer };
}

function controlPlane(servers: Servers, stop: Ending): ControlPlane {
  const { folder, etcd, apiServer, ...known } = servers;
  const { server, api } = known;
  let files = 0;
  return {
    ...known,
    issuer: server,
    jwksUri: `${server}/openid/v1/jwks`,
    tokenFor: (account) => requestToken(api, account),
    async kubeconfigFor(account) {
      const token = await requestToken(api, account);
      files += 1;
      return writeKubeconfig(join(folder, `account-${files}.json`), known, { token });
    },
    stopApiServer: apiServer.stop,
    startApiServer: apiServer.start,
    async restartApiServer(how) {
      await apiServer.stop(how);
      await apiServer.start();
    },
    pauseApiServer: apiServer.pause,
    resumeApiServer: apiServer.resume,
    compactEtcd: etcd.compact,
    async expireWatches() {
      await apiServer.stop();
      await etcd.touch();
      await etcd.compact();
      await apiServer.start();
    },
    stop,
  };
}
