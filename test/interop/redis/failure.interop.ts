import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import type { Broker } from '../../../src/broker/types.ts';
import { createRedisStore } from '../../../src/redis/index.ts';
import { startPlainSts, subjectJwt } from '../../support/sts.ts';
import type { RedisBinary } from './binary.ts';
import { startCluster } from './cluster.ts';
import type { RunningRedis } from './launch.ts';
import {
  connect,
  connectCluster,
  type Replica,
  STORE_KEYS,
  startRedisForTest,
  startReplicas,
} from './replicas.ts';

const binary = inject('redis');
const REPLICAS = 8;
const PACE_MS = 5;
const MOST_ROUNDS = 30_000;

describe.skipIf(binary === undefined)('when Redis fails', () => {
  test('a kill and a restart under load fail no request, and then replicas share again', async () => {
    const server = await startRedisForTest(binary);
    const sts = await startPlainSts();
    const replicas = await startReplicas(REPLICAS, sts.service, () => connect(server.port));
    const load = startLoad(replicas);
    await load.answered(200);
    expect(sharedBy(replicas)).toBeGreaterThan(0);
    await server.kill();
    await expect.poll(() => statesOf(replicas), PATIENT).toEqual(everybody('down'));
    await load.answered(200);
    await server.start();
    await expect.poll(() => statesOf(replicas), PATIENT).toEqual(everybody('up'));
    await load.answered(200);
    expect(await load.stop()).toEqual([]);
    for (const { storeStates } of replicas) expect(storeStates.slice(0, 2)).toEqual(['down', 'up']);
    await expectSharing(replicas, () => sts.exchanges);
  }, 180_000);

  test('a server that hangs holds up no request for long, and then replicas share again', async () => {
    const server = await startRedisForTest(binary);
    const sts = await startPlainSts();
    const replicas = await startReplicas(REPLICAS, sts.service, () => connect(server.port));
    const load = startLoad(replicas);
    await load.answered(100);
    await server.suspend();
    await expect.poll(() => statesOf(replicas), PATIENT).toEqual(everybody('down'));
    await load.answered(200);
    await server.resume();
    await expect.poll(() => statesOf(replicas), PATIENT).toEqual(everybody('up'));
    expect(await load.stop()).toEqual([]);
    expect(load.slowestMs()).toBeLessThan(5000);
    await expectSharing(replicas, () => sts.exchanges);
  }, 180_000);

  test('a lease that a hanging server gave when nobody waited any more is given back', async () => {
    const server = await startRedisForTest(binary);
    const [client, watch] = [await connect(server.port), await connect(server.port)];
    const store = createRedisStore({ client, keys: STORE_KEYS });
    await server.suspend();
    await expect(store.lease('key', 60_000)).rejects.toThrow('Command timed out');
    await server.resume();
    await expect.poll(() => watch.info('commandstats')).toContain('cmdstat_set:calls=1');
    await expect.poll(() => watch.keys('*')).toEqual([]);
  });

  test('a cluster that loses a master fails no request, and is shared again when it is back', async () => {
    const { nodes, stop } = await startCluster(binary as RedisBinary);
    onTestFinished(stop);
    const [node] = nodes as [RunningRedis];
    const sts = await startPlainSts();
    const replicas = await startReplicas(REPLICAS, sts.service, () =>
      connectCluster(nodes.map(({ port }) => port)),
    );
    const load = startLoad(replicas);
    await load.answered(200);
    expect(sharedBy(replicas)).toBeGreaterThan(0);
    await node.kill();
    await expect.poll(() => statesOf(replicas), PATIENT).toEqual(everybody('down'));
    await node.start();
    await expect.poll(() => statesOf(replicas), PATIENT).toEqual(everybody('up'));
    expect(await load.stop()).toEqual([]);
    await expectSharing(replicas, () => sts.exchanges);
  }, 180_000);
});

/** A broker that found its store down leaves it alone for up to half a minute. */
const PATIENT = { timeout: 60_000, interval: 20 };
const everybody = (state: string): readonly string[] => Array.from({ length: REPLICAS }, () => state);
const sharedBy = (replicas: readonly Replica[]): number =>
  replicas.reduce((sum, { broker }) => sum + broker.stats().shared, 0);
const statesOf = (replicas: readonly Replica[]): readonly string[] =>
  replicas.map(({ broker }) => broker.stats().store);

interface Load {
  /** Resolves when that many more requests were answered, by every replica some. */
  answered(count: number): Promise<void>;
  slowestMs(): number;
  /** Ends it; the failures. */
  stop(): Promise<readonly unknown[]>;
}

/** Every replica asks for one token after the other, each a new one, so that each look goes to the store. */
function startLoad(replicas: readonly Replica[]): Load {
  const failures: unknown[] = [];
  const subjectTokens = new Map<string, string>();
  const counts = replicas.map(() => 0);
  let slowest = 0;
  let stopped = false;
  const endless = async ({ broker }: Replica, index: number): Promise<void> => {
    for (let round = 0; !stopped && round < MOST_ROUNDS; round++) {
      // Two replicas each ask for the same, so that some of it is shared.
      const sub = `user ${Math.floor(index / 2)} ${round}`;
      const subjectToken = subjectTokens.get(sub) ?? subjectJwt(sub);
      subjectTokens.set(sub, subjectToken);
      const begun = performance.now();
      await tokenFor(broker, subjectToken).catch((error: unknown) => failures.push(error));
      slowest = Math.max(slowest, performance.now() - begun);
      counts[index] = (counts[index] ?? 0) + 1;
      await delay(PACE_MS);
    }
  };
  const running = Promise.all(replicas.map(endless));
  return {
    async answered(count) {
      const each = Math.ceil(count / replicas.length);
      const wanted = counts.map((answered) => answered + each);
      const isThere = (): boolean => counts.every((answered, index) => answered >= (wanted[index] ?? 0));
      await expect.poll(isThere, PATIENT).toBe(true);
    },
    slowestMs: () => slowest,
    async stop() {
      stopped = true;
      await running;
      return failures;
    },
  };
}

async function tokenFor(broker: Broker, subjectToken: string): Promise<string> {
  const delegation = broker.begin({ subjectToken });
  try {
    return (await broker.token(delegation, 'calendar')).accessToken;
  } finally {
    broker.end(delegation);
  }
}

/** What one has made, all have; at the latest when all of them have found the store again. */
async function expectSharing(replicas: readonly Replica[], exchanges: () => number): Promise<void> {
  const attempt = async (): Promise<{ exchanges: number; tokens: number }> => {
    const subjectToken = subjectJwt('someone new');
    const before = exchanges();
    const tokens = await Promise.all(replicas.map(({ broker }) => tokenFor(broker, subjectToken)));
    return { exchanges: exchanges() - before, tokens: new Set(tokens).size };
  };
  await expect.poll(attempt, PATIENT).toEqual({ exchanges: 1, tokens: 1 });
}
