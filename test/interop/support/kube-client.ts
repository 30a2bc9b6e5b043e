import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { Credential } from './kube-credentials.ts';

/** An answer of the API server. */
export interface ApiAnswer {
  readonly status: number;
  /** What JSON says; text, where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: each path has its own shape, and tests look at single fields.
  readonly body: any;
}

export interface ApiOptions {
  /** Sent as JSON. Default: none. */
  readonly body?: unknown;
  /** Default: `application/json`, and `application/merge-patch+json` for a PATCH. */
  readonly contentType?: string | undefined;
  /** Longest wait for the whole answer, in milliseconds. Default: 30 seconds. */
  readonly timeoutMs?: number | undefined;
}

/** Sends requests to the API server. */
export type Api = (method: string, path: string, options?: ApiOptions) => Promise<ApiAnswer>;

const TIMEOUT_MS = 30_000;
const POLL_MS = 50;

/**
 * @param server - origin of the API server
 * @param caPem - the authority that it is trusted by
 * @param credential - whom the requests are from; without one, nobody
 */
export function apiOf(server: string, caPem: string, credential?: Credential): Api {
  return async (method, path, { body, contentType, timeoutMs = TIMEOUT_MS } = {}) => {
    const json = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const outgoing = request(new URL(path, server), {
      ...credential,
      ca: caPem,
      // A connection of before a restart is of no use after it.
      agent: false,
      method,
      headers: {
        accept: 'application/json, */*',
        ...(body === undefined ? {} : { 'content-type': contentType ?? json }),
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    // One that comes while the answer is read is the answer's error as well.
    outgoing.on('error', () => {});
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: incoming.statusCode ?? 0, body: parsed(await text(incoming)) };
  };
}

function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    return answer;
  }
}

/** Resolves when the API server says that it is ready. @throws Error with what it said last, after `limitMs` */
export async function becomesReady(api: Api, limitMs: number): Promise<void> {
  const until = Date.now() + limitMs;
  let last: unknown;
  while (Date.now() < until) {
    try {
      const { status, body } = await api('GET', '/readyz?verbose', { timeoutMs: 2_000 });
      if (status === 200) return;
      last = body;
    } catch (error) {
      last = error;
    }
    await wait(POLL_MS);
  }
  throw new Error(`the API server is not ready within ${limitMs} ms: ${last}`);
}

/** Says who asks whom. */
export interface Kubeconfig {
  readonly path: string;
  /** JSON, which is YAML. */
  readonly contents: string;
}

/** Where an API server is, and whom it is trusted by. */
export interface Cluster {
  readonly server: string;
  readonly caPem: string;
}

/** @param path - of the file to write */
export async function writeKubeconfig(
  path: string,
  { server, caPem }: Cluster,
  user: Credential | { readonly token: string },
): Promise<Kubeconfig> {
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
  const name = 'onbehalf-test';
  const contents = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(caPem) } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    users: [
      {
        name,
        user:
          'token' in user
            ? user
            : { 'client-certificate-data': base64(user.cert), 'client-key-data': base64(user.key) },
      },
    ],
  });
  await writeFile(path, contents, { mode: 0o600 });
  return { path, contents };
}

export interface KubectlOptions {
  /** Its stdin: `kubectl(['apply', '-f', '-'], { input })`. Default: none. */
  readonly input?: string | undefined;
  /** Whom it acts for. Default: the administrator. */
  readonly kubeconfig?: Kubeconfig | undefined;
}

/** How kubectl ended. */
export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs kubectl to its end. */
export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<KubectlResult>;

/**
 * @param program - path of kubectl
 * @param home - a folder for what it remembers of the cluster
 * @param signal - ends those that run
 */
export function kubectlOf(program: string, home: string, admin: Kubeconfig, signal: AbortSignal): Kubectl {
  return async (args, { input = '', kubeconfig = admin } = {}) => {
    const child = spawn(program, args, {
      cwd: home,
      // Nothing of the user's own clusters.
      env: {
        PATH: process.env.PATH,
        HOME: home,
        KUBECONFIG: kubeconfig.path,
        KUBECACHEDIR: join(home, 'kubectl'),
      },
      signal,
      killSignal: 'SIGKILL',
    });
    // One that needs no input may have ended before it is written.
    child.stdin.on('error', () => {}).end(input);
    const [[code], stdout, stderr] = await Promise.all([
      once(child, 'close') as Promise<[number | null]>,
      text(child.stdout),
      text(child.stderr),
    ]);
    return { code: code ?? -1, stdout, stderr };
  };
}
