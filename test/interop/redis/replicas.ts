import { once } from 'node:events';
import { Cluster, Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { createBroker } from '../../../src/broker/broker.ts';
import type { StoreEvent } from '../../../src/broker/observer.ts';
import type { Broker } from '../../../src/broker/types.ts';
import type { TokenService } from '../../../src/core/token-service-handle.ts';
import { createRedisStore, type RedisClient, type RedisStoreKey } from '../../../src/redis/index.ts';
import { closedAtEnd } from '../../support/broker.ts';
import type { RedisBinary } from './binary.ts';
import { type RunningRedis, startRedis } from './launch.ts';

/** One process of several that run the same agent; here they are in one, each with a connection of its own. */
export interface Replica {
  readonly broker: Broker;
  /** What the broker said of the store, in order. */
  readonly storeStates: readonly StoreEvent['state'][];
}

/** Keys of a store that are the same in every process that the tests start. */
export const STORE_KEYS: readonly RedisStoreKey[] = [
  { id: 'k1', key: Buffer.from('a key of 32 bytes for the tests.').toString('base64') },
];

/** A server that is stopped at the end of the test. */
export async function startRedisForTest(binary: RedisBinary | undefined): Promise<RunningRedis> {
  const server = await startRedis(binary as RedisBinary);
  onTestFinished(() => server.stop());
  return server;
}

/** A client as the documentation of the store advises, connected, and closed at the end of the test. */
export async function connect(port: number): Promise<Redis> {
  const client = new Redis(port, '127.0.0.1', {
    commandTimeout: 2000,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    retryStrategy: () => 100,
  });
  // Nobody listening, ioredis prints each failed attempt to connect.
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  await once(client, 'ready');
  return client;
}

/** The same for a cluster. */
export async function connectCluster(ports: readonly number[]): Promise<Cluster> {
  const client = new Cluster(
    ports.map((port) => ({ host: '127.0.0.1', port })),
    {
      enableOfflineQueue: false,
      clusterRetryStrategy: () => 100,
      redisOptions: { commandTimeout: 2000, maxRetriesPerRequest: 1 },
    },
  );
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  await once(client, 'ready');
  return client;
}

function startReplica(tokenService: TokenService, client: RedisClient): Replica {
  const storeStates: StoreEvent['state'][] = [];
  const broker = createBroker({
    tokenService,
    retention: 'subject',
    store: createRedisStore({ client, keys: STORE_KEYS }),
    // Many replicas in one process on a slow machine: slow is not broken.
    storeTimeoutMs: 1000,
    observer: { store: ({ state }) => storeStates.push(state) },
  });
  return { broker: closedAtEnd(broker), storeStates };
}

/** @param open - opens a connection for one of them */
export function startReplicas(
  count: number,
  tokenService: TokenService,
  open: () => Promise<RedisClient>,
): Promise<readonly Replica[]> {
  return Promise.all(Array.from({ length: count }, async () => startReplica(tokenService, await open())));
}
