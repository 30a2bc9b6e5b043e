import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import type { KubeClient, KubeObject } from '../../../src/kubernetes/client/types.ts';
import type { Time } from '../../../src/kubernetes/time.ts';

/** How one request goes. */
export interface Way {
  /** Until the API server has it, in milliseconds. */
  readonly there: number;
  /** Until its answer is back. */
  readonly back: number;
  /** What does not arrive. */
  readonly lost?: 'request' | 'answer' | undefined;
}

export interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly leaseTransitions: number;
  readonly acquireTime: string;
  readonly renewTime: string;
}

/** The one Lease of an API server. */
export interface FakeLease {
  /** A client whose requests go each its way. */
  client(wayOf: () => Way): Pick<KubeClient, 'get' | 'create' | 'replace'>;
  spec(): LeaseSpec | undefined;
  /** Someone sets a label. */
  touch(): void;
  remove(): void;
  /** How often it was written. */
  writes(): number;
}

export function createFakeLease(time: Time): FakeLease {
  let lease: KubeObject | undefined;
  let version = 0;
  let writes = 0;
  const refuse = (code: number, reason: string): never => {
    throw new KubeError(reason, { code, reason });
  };
  const put = (object: KubeObject): KubeObject => {
    version += 1;
    lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    return lease;
  };

  const travel = <T>(
    { there, back, lost }: Way,
    signal: AbortSignal | undefined,
    work: () => T,
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      // Also what nobody waits for any more arrives.
      time.after(there, () => {
        if (lost === 'request') return;
        let answer: () => void;
        try {
          const done = work();
          answer = () => resolve(done);
        } catch (error) {
          answer = () => reject(error);
        }
        if (lost !== 'answer') time.after(back, answer);
      });
    });

  return {
    client: (wayOf) => ({
      get: (_resource, _place, signal) => travel(wayOf(), signal, () => lease),
      create: (_resource, object, signal) =>
        travel(wayOf(), signal, () => {
          if (lease) return refuse(409, 'AlreadyExists');
          writes += 1;
          return put(object);
        }),
      replace: (_resource, object, signal) =>
        travel(wayOf(), signal, () => {
          if (!lease) return refuse(404, 'NotFound');
          const { resourceVersion } = lease.metadata;
          if (object.metadata.resourceVersion !== resourceVersion) return refuse(409, 'Conflict');
          writes += 1;
          return put(object);
        }),
    }),
    spec: () => lease?.spec as LeaseSpec | undefined,
    touch() {
      if (lease) put({ ...lease, metadata: { ...lease.metadata, labels: { touched: String(version) } } });
    },
    remove() {
      lease = undefined;
    },
    writes: () => writes,
  };
}
