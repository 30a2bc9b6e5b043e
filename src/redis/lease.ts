import { randomUUID } from 'node:crypto';
import type { Lease } from '../broker/shared-store.ts';
import { deleteIfEqual, type RedisClient } from './client.ts';

/**
 * Takes a lease that stands under these names; `undefined` when another holds one of them.
 *
 * @param names - in an order that all who ask agree on: whoever has the first of those they share gets the rest
 * @throws what the client throws
 */
export async function takeLease(
  client: RedisClient,
  names: readonly string[],
  ms: number,
): Promise<Lease | undefined> {
  const owner = randomUUID();
  const give = async (name: string): Promise<void> => {
    try {
      await deleteIfEqual(client, name, owner);
    } catch {
      // It runs out by itself.
    }
  };
  const held: string[] = [];
  const release = async (): Promise<void> => {
    await Promise.all(held.map(give));
  };
  for (const name of names) {
    try {
      if (!(await take(name))) {
        await release();
        return undefined;
      }
      held.push(name);
    } catch (error) {
      // The name may be ours though the answer was lost. Nobody waits for a server that just failed.
      held.push(name);
      void release();
      throw error;
    }
  }
  return Object.freeze<Lease>({ release });

  async function take(name: string): Promise<boolean> {
    if ((await client.set(name, owner, 'PX', ms, 'NX')) === 'OK') return true;
    // A client that sends a command again after a lost connection meets itself here.
    return (await client.get(name)) === owner;
  }
}
