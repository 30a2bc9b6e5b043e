import { isKubeError } from '../client/kube-error.ts';
import { RESOURCES } from '../client/resources.ts';
import type { KubeClient, KubeObject, Place } from '../client/types.ts';
import type { Time } from '../time.ts';

/** A lease of the API group `coordination.k8s.io`, as one of those who want it sees it. */
export interface Lease {
  /**
   * Takes the lease or renews it.
   *
   * @param leads - whether it is held for sure: then one that was deleted is made again at once
   * @returns since when it is held, by our clock: others have seen that later; `other` when somebody else holds it, or
   * may hold it; `raced` when it was changed meanwhile
   * @throws what the client throws: it may be held then, or not
   */
  take(signal: AbortSignal, leads: boolean): Promise<{ readonly heldSince: number } | 'other' | 'raced'>;
  /** Gives it back, if it is ours. */
  release(signal: AbortSignal): Promise<void>;
}

export interface LeaseOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly place: Place;
  readonly identity: string;
  readonly durationMs: number;
  readonly time: Time;
  /** Told who holds it, when that is another than before; empty: nobody. */
  readonly onHolder: (identity: string) => void;
}

/** `coordination.k8s.io/v1` LeaseSpec. */
interface Spec {
  readonly holderIdentity?: string | undefined;
  readonly leaseDurationSeconds?: number | undefined;
  readonly acquireTime?: string | undefined;
  readonly renewTime?: string | undefined;
  readonly leaseTransitions?: number | undefined;
}

const specOf = (lease: KubeObject): Spec => (lease.spec ?? {}) as Spec;
const LEASE = RESOURCES.Lease;

export function createLease(options: LeaseOptions): Lease {
  const { client, place, identity, durationMs, time } = options;
  let holder = '';
  /** What was seen last of a lease that is not ours, and since when. The times in it are those of another clock. */
  let seen: { readonly version: string; readonly since: number; readonly forMs: number } | undefined;
  /** Whether there ever was a lease. */
  let isKnown = false;

  const told = (next: string): void => {
    if (next !== holder) options.onHolder(next);
    holder = next;
  };

  const observe = (lease: KubeObject | undefined): void => {
    const { holderIdentity = '', leaseDurationSeconds: seconds = 0 } = lease ? specOf(lease) : {};
    isKnown ||= lease !== undefined;
    told(holderIdentity);
    // Somebody may have deleted the lease of a leader, and that one leads on.
    const isFree = lease ? holderIdentity === '' : !isKnown;
    const version = lease?.metadata.resourceVersion ?? 'none';
    if (isFree) seen = undefined;
    else if (seen?.version !== version) {
      seen = { version, since: time.now(), forMs: seconds > 0 ? seconds * 1000 : durationMs };
    }
  };

  const isOver = (): boolean => seen === undefined || time.now() - seen.since >= seen.forMs;

  const ours = (before: Spec | undefined): Spec => {
    const now = microTime();
    const isRenewal = before?.holderIdentity === identity;
    const transitions = before?.leaseTransitions ?? 0;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: isRenewal ? (before.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: before === undefined || isRenewal ? transitions : transitions + 1,
    };
  };

  /** Writes only what nobody has changed since it was read. */
  const write = async (lease: KubeObject | undefined, spec: Spec, signal: AbortSignal): Promise<boolean> => {
    try {
      if (lease) await client.replace(LEASE, { ...lease, spec }, signal);
      else await client.create(LEASE, { ...typeMeta, metadata: place, spec }, signal);
      return true;
    } catch (error) {
      const isRace = ['AlreadyExists', 'Conflict', 'NotFound'].some((reason) => isKubeError(error, reason));
      // What is missing when it is to be created is its namespace.
      if (isRace && (lease || !isKubeError(error, 'NotFound'))) return false;
      throw error;
    }
  };

  return {
    async take(signal, leads) {
      const lease = await client.get(LEASE, place, signal);
      const before = lease && specOf(lease);
      const isOurs = before ? before.holderIdentity === identity : leads;
      if (!isOurs) observe(lease);
      if (!isOurs && !isOver()) return 'other';
      // Read before it is written: what others wait for begins when they see it.
      const heldSince = time.now();
      if (!(await write(lease, ours(before), signal))) return 'raced';
      isKnown = true;
      told(identity);
      return { heldSince };
    },
    async release(signal) {
      const lease = await client.get(LEASE, place, signal);
      if (!lease || specOf(lease).holderIdentity !== identity) return;
      const spec: Spec = {
        ...specOf(lease),
        holderIdentity: '',
        leaseDurationSeconds: 1,
        renewTime: microTime(),
      };
      if (await write(lease, spec, signal)) told('');
    },
  };
}

const typeMeta = { apiVersion: LEASE.apiVersion, kind: LEASE.kind };

/** `metav1.MicroTime`. */
const microTime = (): string => new Date().toISOString().replace('Z', '000Z');
