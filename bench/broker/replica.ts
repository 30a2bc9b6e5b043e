// A process of its own: one replica of an agent. Has every token at once, then says how many tokens it was given.
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { createBroker, createTokenService } from 'onbehalf';
import { createRedisStore } from 'onbehalf/redis';
import type { ReplicaOrder } from './replicas.ts';

const [order] = (await once(process, 'message')) as [ReplicaOrder];
const client = new Redis(order.redisPort, '127.0.0.1');
const broker = createBroker({
  tokenService: createTokenService({ tokenEndpoint: order.tokenEndpoint, clientId: 'bench-agent' }),
  retention: 'subject',
  store: createRedisStore({ client, keys: [{ id: 'bench', key: order.storeKey }] }),
  storeTimeoutMs: 5_000,
});
const runs = order.subjectTokens.map((subjectToken) => broker.begin({ subjectToken }));
const tokens = await Promise.all(
  runs.flatMap((run) => order.targets.map((target) => broker.token(run, target))),
);
process.send?.(tokens.length, () => process.exit(0));
