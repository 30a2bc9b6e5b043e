import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached } from './cache.ts';
import { findGo } from './kube-go.ts';

/** The programs of a Kubernetes control plane: paths of executables. */
export interface KubePrograms {
  readonly apiServer: string;
  readonly controllerManager: string;
  readonly etcd: string;
  readonly kubectl: string;
  /** Of Kubernetes: `v1.37.2`. */
  readonly version: string;
}

const BUILD = fileURLToPath(new URL('kube-build', import.meta.url));
const KEEPER = fileURLToPath(new URL('keeper.mjs', import.meta.url));
/** All that decides what is built. */
const FILES = ['go.mod', 'go.sum', 'build.sh'] as const;
const DIGEST_CHARS = 16;

/**
 * Kubernetes and etcd, built once from the Go module proxy, at exactly the versions of `kube-build/go.mod` and `go.sum`, into
 * the user's cache. The first time takes minutes, and says on stderr how far it is.
 *
 * @throws Error when there is no Go, or when it cannot build, which Go has then said on stderr
 */
export async function kubePrograms(): Promise<KubePrograms> {
  const files = await Promise.all(FILES.map((name) => readFile(join(BUILD, name), 'utf8')));
  const [, version] = /^\s*k8s\.io\/kubernetes (v1\.\d+\.\d+)/m.exec(files[0] ?? '') ?? [];
  if (version === undefined) throw new Error('the go.mod of kube-build names no version of Kubernetes');
  const digest = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, DIGEST_CHARS);
  const folder = await cached(`kubernetes-${version}-${digest}`, build);
  return {
    apiServer: join(folder, 'kube-apiserver'),
    controllerManager: join(folder, 'kube-controller-manager'),
    etcd: join(folder, 'etcd'),
    kubectl: join(folder, 'kubectl'),
    version,
  };
}

async function build(folder: string): Promise<void> {
  const go = await findGo();
  const scratch = `${folder}.scratch`;
  console.error(
    'building Kubernetes and etcd, once: six minutes on two idle cores, and 5 GB of disk meanwhile, 0.3 GB after',
  );
  // Kept like a server: one who does not want to wait is left neither with the scratch folder nor with a busy machine.
  const command = [KEEPER, scratch, join(BUILD, 'build.sh'), folder, go];
  const child = spawn(process.execPath, command, {
    env: { ...process.env, SCRATCH: scratch },
    // A group of its own: what kills ours at once must not kill the keeper.
    detached: true,
    stdio: ['pipe', 2, 2],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the build ended with ${code}`);
}
