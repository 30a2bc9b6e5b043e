import { randomBytes } from 'node:crypto';
import { Redis, Cluster as RedisCluster } from 'ioredis';
import { Valkey, Cluster as ValkeyCluster } from 'iovalkey';
import { describe, inject } from 'vitest';
import { createRedisStore, type RedisClient, type RedisStoreKey } from '../../../src/redis/index.ts';
import { describeSharedStore, type StoreUnderTest } from '../../contract/shared-store.ts';
import type { RedisBinary } from './binary.ts';
import { startCluster } from './cluster.ts';
import { type RunningRedis, startRedis } from './launch.ts';

type Client = RedisClient & { disconnect(): void };
type Keys = readonly [readonly RedisStoreKey[], readonly RedisStoreKey[]];

const binary = inject('redis');
const [oldKey, newKey] = [
  { id: 'old', key: randomBytes(32) },
  { id: 'new', key: randomBytes(32) },
];
/** The keys of two replicas. */
const SAME = [[oldKey], [oldKey]] as const;
const ROTATING = [
  [oldKey, newKey],
  [newKey, oldKey],
] as const;
const HOST = '127.0.0.1';
const placeOf = ({ port }: RunningRedis): { host: string; port: number } => ({ host: HOST, port });

describe.skipIf(binary === undefined)('a real Redis server', () => {
  const ioredis = (port: number): Client => new Redis(port, HOST);
  describeSharedStore('through ioredis', () => onServer(ioredis));
  describeSharedStore('through iovalkey', () => onServer((port) => new Valkey(port, HOST)));
  describeSharedStore('in the middle of a rotation', () => onServer(ioredis, ROTATING));
});

describe.skipIf(binary === undefined)('a real Redis Cluster of three masters', () => {
  const ioredis = (nodes: readonly RunningRedis[]): Client => new RedisCluster(nodes.map(placeOf));
  describeSharedStore('through ioredis', () => onCluster(ioredis));
  describeSharedStore('through iovalkey', () => onCluster((nodes) => new ValkeyCluster(nodes.map(placeOf))));
  describeSharedStore('in the middle of a rotation', () => onCluster(ioredis, ROTATING));
});

async function onServer(connect: (port: number) => Client, keys: Keys = SAME): Promise<StoreUnderTest> {
  const server = await startRedis(binary as RedisBinary);
  return underTest(() => connect(server.port), keys, server);
}

async function onCluster(
  connect: (nodes: readonly RunningRedis[]) => Client,
  keys: Keys = SAME,
): Promise<StoreUnderTest> {
  const { nodes, stop } = await startCluster(binary as RedisBinary);
  const [{ port }] = nodes as [RunningRedis];
  return underTest(() => connect(nodes), keys, { port, stop });
}

function underTest(
  connect: () => Client,
  [keysOfOne, keysOfTwo]: Keys,
  server: Pick<RunningRedis, 'port' | 'stop'>,
): StoreUnderTest {
  const watch = new Redis(server.port, HOST);
  const [one, two] = [connect(), connect()];
  return {
    one: createRedisStore({ client: one, keys: keysOfOne }),
    two: createRedisStore({ client: two, keys: keysOfTwo }),
    pass: (ms) => passOn(watch, ms),
    async close() {
      for (const client of [one, two, watch]) client.disconnect();
      await server.stop();
    },
  };
}

/** Time passes by the server's own clock. */
async function passOn(client: Redis, ms: number): Promise<void> {
  const time = async (): Promise<number> => {
    const [seconds = 0, micros = 0] = (await client.time()).map(Number);
    return seconds * 1000 + micros / 1000;
  };
  const end = (await time()) + ms;
  while ((await time()) < end);
}
