import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createKubeClient, type KubeClientOptions } from '../../../src/kubernetes/client/kube-client.ts';
import type { KubeClient } from '../../../src/kubernetes/client/types.ts';
import { temporaryDirectory } from '../../support/files.ts';
import { type Handler, json, type Loopback, startLoopback } from '../../support/loopback.ts';
import { createSimulatedTime, type SimulatedTime } from '../../support/simulated-time.ts';

/** A token that no message may show. */
export const TOKEN = 'fake-token-of-a-service-account-0123456789';

export interface Started {
  readonly api: Loopback;
  readonly client: KubeClient;
  readonly time: SimulatedTime;
  readonly kubeconfig: string;
}

/** A kubeconfig for a server without TLS, which only a test may have. */
export const kubeconfigOf = (server: string, user: unknown): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    users: [{ name: 'test', user }],
  });

/** Starts what fails as no API server does when it is asked to, and a client of it. */
export async function startFaulty(
  handler: Handler,
  options: Partial<KubeClientOptions> = {},
): Promise<Started> {
  const api = await startLoopback(handler);
  const kubeconfig = join(await temporaryDirectory(), 'config');
  await writeFile(kubeconfig, kubeconfigOf(api.origin, { token: TOKEN }));
  const time = createSimulatedTime();
  const client = await createKubeClient({ kubeconfig, fieldManager: 'test', time, ...options });
  onTestFinished(() => client.close());
  return { api, client, time, kubeconfig };
}

/** A Status of the API. */
export const status = (code: number, reason: string, more: object = {}): object => ({
  ...{ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason },
  ...more,
});

/** Answers so many requests with this, the others with that. */
export function first(count: number, then: { readonly these: Handler; readonly others: Handler }): Handler {
  let left = count;
  return (request, response) => {
    left -= 1;
    (left >= 0 ? then.these : then.others)(request, response);
  };
}

/** Answers with a Status. */
export const refuse =
  (code: number, reason: string, more: { headers?: Record<string, string>; body?: object } = {}): Handler =>
  (_request, response) =>
    json(response, status(code, reason, more.body), {
      status: code,
      ...(more.headers && { headers: more.headers }),
    });

/** Breaks the connection off. */
export const hangUp: Handler = (_request, response: ServerResponse<IncomingMessage>) => {
  response.destroy();
};

export const configMap = (name: string, version = '7'): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'demo', name, resourceVersion: version, uid: `uid-of-${name}` },
});
