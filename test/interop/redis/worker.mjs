// @ts-check
/**
 * A process that runs the built package as one replica: gets its settings in the first message, says `ready`, and for
 * each `ask` after that has all tokens that are asked for and tells their digests.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import process from 'node:process';
import { Redis } from 'ioredis';
import { createBroker, createTokenService } from 'onbehalf';
import { createRedisStore } from 'onbehalf/redis';

/**
 * @typedef {object} Settings
 * @property {number} redisPort
 * @property {string} tokenEndpoint
 * @property {import('onbehalf/redis').RedisStoreKey[]} keys
 */

/**
 * @typedef {object} Ask
 * @property {string[]} subjectTokens
 * @property {string[]} audiences
 */

/** @param {object} message */
const say = (message) => process.send?.(message);

const [settings] = /** @type {[Settings]} */ (await once(process, 'message'));
const client = new Redis(settings.redisPort, '127.0.0.1', {
  commandTimeout: 5000,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
});
client.on('error', () => {});
await once(client, 'ready');
const broker = createBroker({
  tokenService: createTokenService({ tokenEndpoint: settings.tokenEndpoint, clientId: 'agent' }),
  retention: 'subject',
  store: createRedisStore({ client, keys: settings.keys }),
  // Many processes on a slow machine: slow is not broken.
  storeTimeoutMs: 5000,
});

process.on('message', async (/** @type {Ask} */ { subjectTokens, audiences }) => {
  const wanted = subjectTokens.flatMap((subjectToken) => {
    const delegation = broker.begin({ subjectToken });
    return audiences.map((audience) => broker.token(delegation, audience));
  });
  const tokens = await Promise.all(wanted);
  const digests = tokens.map(({ accessToken }) => createHash('sha256').update(accessToken).digest('hex'));
  say({ digests, stats: broker.stats() });
});
say({ ready: true });
