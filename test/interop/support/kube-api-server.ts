import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Api, becomesReady } from './kube-client.ts';
import type { Credentials } from './kube-credentials.ts';
import { type HowToEnd, type KubeProcess, startKubeProcess } from './kube-process.ts';

/** An API server that can be stopped and started again, at the same place and with the same objects. */
export interface ApiServer {
  /** Resolves when it is ready. */
  start(): Promise<void>;
  stop(how?: HowToEnd): Promise<void>;
  /** Stops it from doing anything, its connections open, until {@link resume}. */
  pause(): void;
  resume(): void;
}

export interface ApiServerPlace {
  /** Path of kube-apiserver. */
  readonly program: string;
  /** Where it keeps its files, which whoever calls removes. */
  readonly folder: string;
  readonly port: number;
  readonly etcdUrl: string;
  readonly credentials: Credentials;
  /** Flags, in place of ours or in addition. */
  readonly flags: Readonly<Record<string, string>>;
  /** Asks whether it is ready. */
  readonly api: Api;
}

const READY_MS = 60_000;

/** Prepares an API server; it is started by `start()`. */
export async function createApiServer(place: ApiServerPlace): Promise<ApiServer> {
  const { program, folder, api } = place;
  const flags = { ...(await defaultFlags(place)), ...place.flags };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  let running: KubeProcess | undefined;
  const process = (): KubeProcess => {
    if (running === undefined) throw new Error('the API server does not run');
    return running;
  };
  return {
    async start() {
      if (running !== undefined) throw new Error('the API server runs already');
      running = await startKubeProcess([program, ...args], {
        ready: /Serving securely on/,
        pidFile: join(folder, 'kube-apiserver.pid'),
      });
      await becomesReady(api, READY_MS);
    },
    async stop(how = 'kill') {
      const ending = running;
      running = undefined;
      await ending?.end(how);
    },
    pause: () => process().pause(),
    resume: () => process().resume(),
  };
}

async function defaultFlags(place: ApiServerPlace): Promise<Readonly<Record<string, string>>> {
  const { folder, port, etcdUrl, credentials } = place;
  const file = async (name: string, contents: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, contents, { mode: 0o600 });
    return path;
  };
  const [ca, cert, key, tokenKey] = await Promise.all([
    file('ca.pem', credentials.caPem),
    file('server.pem', credentials.server.cert),
    file('server-key.pem', credentials.server.key),
    file('token-key.pem', credentials.tokenKey),
  ]);
  const origin = `https://127.0.0.1:${port}`;
  return {
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    // Else it tries again and again to make an Endpoints of the address, which may not be of loopback.
    'endpoint-reconciler-type': 'none',
    'secure-port': String(port),
    'etcd-servers': etcdUrl,
    'service-cluster-ip-range': '10.0.0.0/24',
    'tls-cert-file': cert,
    'tls-private-key-file': key,
    'client-ca-file': ca,
    'authorization-mode': 'RBAC',
    // Anyone may read the keys of the tokens, which takes a role binding as well.
    'anonymous-auth': 'true',
    // Else one that is ended gracefully waits a minute for whoever watches.
    'shutdown-watch-termination-grace-period': '1s',
    'service-account-issuer': origin,
    'service-account-jwks-uri': `${origin}/openid/v1/jwks`,
    'service-account-key-file': tokenKey,
    'service-account-signing-key-file': tokenKey,
  };
}
