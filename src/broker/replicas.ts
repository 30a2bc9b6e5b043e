import { setTimeout as delay } from 'node:timers/promises';
import { type CarefulStore, giveBack } from './careful-store.ts';
import type { KeptToken } from './memory-store.ts';
import { accessTokenIn, readSharedToken, writeSharedToken } from './shared-token.ts';

/** One token that replicas want to have only once between them. */
export interface SharedOrder {
  /** Its key in the shared store. */
  readonly key: string;
  /** Whether a token that another replica left is one that this caller would have taken from the STS. */
  readonly accepts: (kept: KeptToken) => boolean;
  /** Makes the token. */
  readonly make: () => Promise<KeptToken>;
  readonly signal: AbortSignal;
}

/** The replicas of an agent, as one of them sees them: they share tokens and make each only once. */
export interface Replicas {
  /** The token, and whether another replica had made it. */
  obtain(order: SharedOrder): Promise<{ readonly kept: KeptToken; readonly shared: boolean }>;
  /** Forgets a token that a server refused, unless another is in its place. */
  forget(key: string, accessToken: string): Promise<void>;
}

const FIRST_LOOK_MS = 20;
const LONGEST_LOOK_MS = 200;

/** @param options - `leaseMs`: how long one replica may take for an exchange before another tries */
export function createReplicas(
  store: CarefulStore,
  options: { readonly leaseMs: number; readonly now: () => number },
): Replicas {
  const { leaseMs, now } = options;

  const read = async ({ key, accepts }: SharedOrder): Promise<KeptToken | undefined> => {
    const answer = await store.get(key);
    if (answer.failed || answer.value === undefined) return undefined;
    const kept = readSharedToken(answer.value);
    return kept && kept.usableUntil > now() && accepts(kept) ? kept : undefined;
  };

  const make = async (order: SharedOrder): Promise<KeptToken> => {
    const kept = await order.make();
    await store.set(order.key, writeSharedToken(kept), kept.usableUntil - now());
    return kept;
  };

  return {
    async obtain(order) {
      // Whoever follows a replica that died has a whole lease, too.
      const giveUpAt = Date.now() + 2 * leaseMs;
      for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 2, LONGEST_LOOK_MS)) {
        const found = await read(order);
        if (found) return { kept: found, shared: true };
        const answer = await store.lease(order.key, leaseMs);
        const lease = answer.failed ? undefined : answer.value;
        if (lease) {
          try {
            return await makeUnlessThere(order);
          } finally {
            giveBack(lease);
          }
        }
        // Without the store everybody makes it for himself; and when nobody makes what the lease was taken for.
        if (answer.failed) return { kept: await make(order), shared: false };
        if (Date.now() > giveUpAt) {
          store.gaveUp();
          return { kept: await make(order), shared: false };
        }
        await pause(wait * (0.75 + Math.random() / 2), order.signal);
      }
    },
    async forget(key, accessToken) {
      await store.delete(key, (value) => accessTokenIn(value) === accessToken);
    },
  };

  /** Another replica may have finished between our look and our lease. */
  async function makeUnlessThere(order: SharedOrder): Promise<{ kept: KeptToken; shared: boolean }> {
    const found = await read(order);
    return found ? { kept: found, shared: true } : { kept: await make(order), shared: false };
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
