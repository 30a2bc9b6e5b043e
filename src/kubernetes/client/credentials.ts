import { access, readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { loadPeer } from '../../core/peer.ts';
import { redact } from '../../core/redact.ts';
import type { Time } from '../time.ts';
import { KubeError } from './kube-error.ts';

/** How requests are sent so that the API server knows whom they are from. */
export interface Access {
  /** URL of the API server; it may have a path, in front of a proxy for several. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `user:password` of basic authentication. */
  readonly auth: string | undefined;
  readonly tls: {
    readonly ca: Buffer | undefined;
    readonly cert: Buffer | string | undefined;
    readonly key: Buffer | string | undefined;
    readonly servername: string | undefined;
    readonly rejectUnauthorized: boolean;
  };
}

/** A service account's token and its authority, or what a kubeconfig says. */
export interface Credentials {
  /** What is valid now. @throws KubeError `Unauthorized` when it cannot be had */
  current(): Promise<Access>;
  /** The API server did not accept it: reads everything anew next time. */
  renew(): void;
}

/** Where credentials come from. */
export interface CredentialSource {
  readonly kubeconfig?: string | undefined;
  readonly inCluster?: boolean | undefined;
  /** Directory before the path of the service account's files, for tests. Default: none. */
  readonly root?: string | undefined;
  readonly time: Time;
}

type ClientNode = typeof import('@kubernetes/client-node');

/** For so long nothing is read again: a plug-in without a time of expiry would be run for each request. */
const FRESH_MS = 10_000;

/** @throws TypeError when there is no kubeconfig, or it says nothing that can be used */
export async function loadCredentials(source: CredentialSource): Promise<Credentials> {
  const { time } = source;
  const library = await loadPeer(
    '@kubernetes/client-node',
    'the Kubernetes API',
    () => import('@kubernetes/client-node'),
  );
  let config: KubeConfig | undefined = await load(library, source);
  let current: { readonly access: Promise<Access>; readonly until: number } | undefined;
  const read = async (): Promise<Access> => {
    try {
      config ??= await load(library, source);
      return await accessOf(config);
    } catch (error) {
      current = undefined;
      if (error instanceof KubeError) throw error;
      // It may be what a plug-in has printed.
      throw new KubeError(`there are no credentials for the API server: ${explained(error)}`, {
        ...{ code: 401, reason: 'Unauthorized' },
      });
    }
  };
  return {
    current() {
      if (!current || current.until <= time.now()) {
        current = { access: read(), until: time.now() + FRESH_MS };
      }
      return current.access;
    },
    renew() {
      config = undefined;
      current = undefined;
    },
  };
}

async function load({ KubeConfig, loadYaml }: ClientNode, source: CredentialSource): Promise<KubeConfig> {
  const files = source.inCluster ? [] : await kubeconfigs(source.kubeconfig);
  const config = new KubeConfig();
  if (files.length === 0) {
    if (!process.env.KUBERNETES_SERVICE_HOST) {
      throw new TypeError(
        'there is no Kubernetes API server to talk to: this is no pod of a cluster. Give a kubeconfig, as an option or in KUBECONFIG',
      );
    }
    config.loadFromCluster(source.root);
    return config;
  }
  for (const [index, file] of files.entries()) {
    const one = index === 0 ? config : new KubeConfig();
    try {
      const text = await readFile(file, 'utf8');
      one.loadFromString(text);
      one.makePathsAbsolute(dirname(file));
      addTokenFiles(one, loadYaml(text), dirname(file));
      if (index > 0) config.mergeConfig(one, config.currentContext !== undefined);
    } catch (error) {
      throw new TypeError(`the kubeconfig ${file} cannot be used: ${explained(error)}`);
    }
  }
  checkContext(config, files.join(delimiter));
  return config;
}

async function kubeconfigs(given: string | undefined): Promise<readonly string[]> {
  if (given !== undefined) return [resolve(given)];
  const named = (process.env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '');
  if (named.length > 0) return named;
  const own = join(homedir(), '.kube', 'config');
  return access(own).then(
    () => [own],
    () => [],
  );
}

function checkContext(config: KubeConfig, files: string): void {
  const cluster = config.getCurrentCluster();
  const missing = !config.getCurrentContext()
    ? 'no current-context'
    : !cluster
      ? 'no cluster for its current-context'
      : // Without one the library does not even apply the authority.
        !config.getCurrentUser() && 'no user for its current-context';
  if (missing) throw new TypeError(`the kubeconfig ${files} has ${missing}`);
  if (cluster?.proxyUrl)
    throw new TypeError(`the kubeconfig ${files} has a proxy-url, which is not supported`);
}

interface UserEntry {
  readonly name?: string;
  readonly user?: { readonly tokenFile?: string } | null;
}

/** The library knows the files of tokens in pods, not those that a kubeconfig names. */
function addTokenFiles(config: KubeConfig, said: { readonly users?: UserEntry[] }, folder: string): void {
  config.users = config.users.map((user) => {
    const tokenFile = said.users?.find(({ name }) => name === user.name)?.user?.tokenFile;
    if (tokenFile === undefined || user.token || user.authProvider) return user;
    return {
      ...user,
      authProvider: { name: 'tokenFile', config: { tokenFile: resolve(folder, tokenFile) } },
    };
  });
}

async function accessOf(config: KubeConfig): Promise<Access> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // The line break at the end of a token file cannot be sent.
    if (value !== undefined) headers[name.toLowerCase()] = String(value).trim();
  }
  const { ca, cert, key, servername, rejectUnauthorized, auth } = options as TlsOptions;
  return {
    server: (config.getCurrentCluster()?.server ?? '').replace(/\/+$/, ''),
    headers,
    auth: auth ?? undefined,
    tls: { ca, cert, key, servername, rejectUnauthorized: rejectUnauthorized ?? true },
  };
}

/** What the library fills in, of all that its type could hold. */
interface TlsOptions {
  readonly ca?: Buffer;
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
  readonly auth?: string | null;
}

function explained(error: unknown): string {
  // It quotes the lines around the mistake.
  if (error instanceof Error && error.name === 'YAMLException') return 'it is not YAML';
  return redact(error instanceof Error ? error.message : String(error));
}
