import { Redis } from 'ioredis';
import { vi } from 'vitest';
import type { RedisBinary } from './binary.ts';
import { type RunningRedis, startRedis } from './launch.ts';

const SLOTS = 16_384;
const MASTERS = 3;

export interface RunningCluster {
  readonly nodes: readonly RunningRedis[];
  stop(): Promise<void>;
}

/** A Redis Cluster of three masters, each with a third of the slots, when all of them know that. */
export async function startCluster(binary: RedisBinary): Promise<RunningCluster> {
  const starting = Array.from({ length: MASTERS }, () => startRedis(binary, { cluster: true }));
  const nodes = await Promise.all(starting);
  const clients = nodes.map(({ port }) => new Redis(port, '127.0.0.1'));
  try {
    const [first] = nodes as [RunningRedis];
    for (const [index, client] of clients.entries()) {
      const from = Math.ceil((index * SLOTS) / MASTERS);
      const to = Math.ceil(((index + 1) * SLOTS) / MASTERS) - 1;
      await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
      await client.call('CLUSTER', 'MEET', '127.0.0.1', first.port, first.busPort);
    }
    for (const client of clients) await vi.waitFor(() => assertWhole(client), 20_000);
  } finally {
    for (const client of clients) client.disconnect();
  }
  return {
    nodes,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

async function assertWhole(client: Redis): Promise<void> {
  const info = String(await client.call('CLUSTER', 'INFO'));
  if (!info.includes('cluster_state:ok') || !info.includes(`cluster_known_nodes:${MASTERS}`)) {
    throw new Error(`the cluster is not whole yet:\n${info}`);
  }
}
