import { checkOptions } from '../../core/options.ts';
import { type Backoff, systemTime, type Time } from '../time.ts';
import { loadCredentials } from './credentials.ts';
import { createOperations } from './operations.ts';
import { createRequests } from './requests.ts';
import { createTransport, type Transport } from './transport.ts';
import type { KubeClient } from './types.ts';
import { watchOnce } from './watch.ts';

/** Where the API server is, and how it is talked to. */
export interface KubeClientOptions {
  /** Path of a kubeconfig. Default: as kubectl; `KUBECONFIG`, `~/.kube/config`, or the service account of the pod. */
  readonly kubeconfig?: string | undefined;
  /** Only the service account of the pod. Default: false. */
  readonly inCluster?: boolean | undefined;
  /** Who owns the fields that are applied: `onbehalf-controller`. */
  readonly fieldManager: string;
  /** Default: `onbehalf`. */
  readonly userAgent?: string | undefined;
  /** Longest wait for a whole answer, in milliseconds. Default: 30,000. */
  readonly timeoutMs?: number | undefined;
  /** How often a read, an apply or a deletion is tried, the first time included. Default: 5. */
  readonly attempts?: number | undefined;
  /** Waits between tries. Default: 200 ms to 10 s. */
  readonly backoff?: Backoff | undefined;
  /**
   * Longest silence of a watch, in milliseconds, after which it ends. Default: 150,000: in quiet times the API server says
   * something once a minute, the first time after two.
   */
  readonly watchIdleMs?: number | undefined;
  /** Default: that of this computer. */
  readonly time?: Time | undefined;
  /** Default: HTTP/1.1 over connections that are kept. */
  readonly transport?: Transport | undefined;
}

/**
 * Makes a client of the Kubernetes API. A token that is read from a file is read again as it is replaced.
 *
 * @throws OnbehalfError `peer_missing` without the package `@kubernetes/client-node`
 * @throws TypeError when an option is wrong, or there is no kubeconfig that can be used
 */
export async function createKubeClient(options: KubeClientOptions): Promise<KubeClient> {
  checkOptions(options, 'createKubeClient()', {
    kubeconfig: 'text?',
    inCluster: 'boolean?',
    fieldManager: 'text',
    userAgent: 'text?',
    timeoutMs: 'positive?',
    attempts: 'positive?',
    backoff: 'object?',
    watchIdleMs: 'positive?',
    time: 'object?',
    transport: 'object?',
  });
  const { kubeconfig, inCluster = false, fieldManager, time = systemTime } = options;
  if (inCluster && kubeconfig !== undefined) {
    throw new TypeError('"kubeconfig" and "inCluster" exclude each other');
  }
  const { userAgent = 'onbehalf', timeoutMs = 30_000, attempts = 5, watchIdleMs = 150_000 } = options;
  const { backoff = { firstMs: 200, mostMs: 10_000 }, transport = createTransport() } = options;
  const credentials = await loadCredentials({ kubeconfig, inCluster, time });
  const requests = createRequests({ credentials, transport, userAgent, timeoutMs, time });
  return {
    ...createOperations({ requests, fieldManager, retry: { attempts, backoff, time } }),
    watch: (resource, from, signal) =>
      watchOnce({ requests, resource, from, idleMs: watchIdleMs, time, signal }),
    close: transport.close,
  };
}
