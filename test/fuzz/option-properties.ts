import fc from 'fast-check';
import { createBroker } from '../../src/broker/broker.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { isOnbehalfError } from '../../src/core/errors.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { createRedisStore, type RedisStoreOptions } from '../../src/redis/index.ts';
import { createFakeRedis } from '../redis/fake-client.ts';
import { assertOurs } from './leaks.ts';
import { assertMisuse } from './misuse.ts';
import { type Outcome, type Property, property } from './property.ts';
import { CLIENT_ID, CLIENT_SECRET, ENDPOINT } from './world.ts';

const STORE_KEY = Buffer.alloc(32, 'fake key').toString('base64');
const SECRETS = [CLIENT_SECRET, STORE_KEY];

const ODD: readonly unknown[] = [
  ...[
    undefined,
    null,
    '',
    'text',
    '\ud800',
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 31,
    true,
    5n,
  ],
  ...[[], {}, () => {}, Symbol('odd'), { toString: 0 }, Object.create(null)],
  // A secret in the wrong place is still one.
  ...[CLIENT_SECRET, [CLIENT_SECRET], { method: CLIENT_SECRET }, { [CLIENT_ID]: CLIENT_SECRET }],
];
const odd: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.constantFrom(...ODD), weight: 3 },
  fc.anything({ maxDepth: 2, withBigInt: true, withNullPrototype: true }),
);

/**
 * Options that are right but for a few of them.
 *
 * @param near - by name, values that are nearly right, or other right ones
 */
function optionsLike(
  right: Readonly<Record<string, unknown>>,
  near: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.Arbitrary<unknown> {
  const change = fc
    .constantFrom(...Object.entries(near), ['typo', odd] as const)
    .chain(([name, value]) =>
      fc.oneof({ arbitrary: value, weight: 2 }, odd).map((given) => [name, given] as const),
    );
  const changed = fc
    .array(change, { maxLength: 3 })
    .map((changes) => ({ ...right, ...Object.fromEntries(changes) }));
  return fc.oneof({ arbitrary: changed, weight: 20 }, odd);
}

const anyOf = (...values: readonly unknown[]): fc.Arbitrary<unknown> => fc.constantFrom(...values);
const count = anyOf(1, 5, 10_000, undefined);
const counts = (...names: readonly string[]): Record<string, fc.Arbitrary<unknown>> =>
  Object.fromEntries(names.map((name) => [name, count]));

const METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt'];
const secret = anyOf(CLIENT_SECRET, () => CLIENT_SECRET, { file: '/dev/null' }, { file: 5 });

const serviceOptions = optionsLike(
  { tokenEndpoint: ENDPOINT, clientId: CLIENT_ID },
  {
    tokenEndpoint: anyOf(
      'http://sts.example.com/token',
      'https://user:password@sts.example.com',
      `https://${CLIENT_SECRET}`,
    ),
    issuer: anyOf('https://sts.example.com', 'sts', 'http://sts.example.com'),
    metadataUrl: anyOf('https://sts.example.com/metadata', 'metadata'),
    host: anyOf('sts.internal', 'sts.internal:8443', 'sts.internal/'),
    clientId: anyOf('another'),
    clientAuth: optionsLike(
      { method: 'client_secret_basic', clientSecret: CLIENT_SECRET },
      {
        method: anyOf(...METHODS, 'tls_client_auth'),
        clientSecret: secret,
        privateKey: secret,
        assertion: secret,
      },
    ),
    dialect: optionsLike(
      { name: 'odd' },
      { profile: anyOf('rfc8693', 'entra-obo', 'id-jag'), unchecked: anyOf(['scope'], ['none'], 'scope') },
    ),
    retry: optionsLike({}, counts('attempts', 'backoffMs', 'maxWaitMs')),
    breaker: optionsLike({}, counts('failures', 'openMs')),
    dangerouslyAllowInsecureHttp: anyOf(true, 'yes'),
    fetch: anyOf(fetch, 'fetch'),
    ...counts('timeoutMs', 'maxResponseBytes'),
  },
);

const tokenService = createTokenService({ tokenEndpoint: ENDPOINT, clientId: CLIENT_ID });
const { client } = createFakeRedis();
const store = createRedisStore({ client, keys: [{ id: 'k1', key: STORE_KEY }] });

const brokerOptions = optionsLike(
  { tokenService, retention: 'subject' },
  {
    tokenService: anyOf({}, { ...tokenService }),
    retention: anyOf('run', 'session', undefined),
    actor: anyOf(() => 'fake-actor-token', 'fake-actor-token'),
    store: anyOf(store, { ...store, get: 5 }, client),
    observer: optionsLike({ exchange: () => {} }, { trace: anyOf(() => {}), onExchange: anyOf(() => {}) }),
    ...{ tenant: anyOf('one', ''), generation: anyOf('2'), now: anyOf(Date.now), refreshAhead: anyOf(false) },
    ...counts('maxTtlMs', 'marginMs', 'unknownTtlMs', 'maxRunMs', 'maxEntries', 'maxRuns', 'deadlineMs'),
  },
);

const keyLike = optionsLike(
  { id: 'k1', key: STORE_KEY },
  {
    id: anyOf('k2', 'a key'),
    key: anyOf(`${STORE_KEY}A`, Buffer.alloc(32), Buffer.alloc(31), STORE_KEY.slice(1)),
  },
);
const storeOptions = optionsLike(
  { client, keys: [{ id: 'k1', key: STORE_KEY }] },
  {
    client: anyOf({ ...client, SET: () => {} }, { get: client.get }),
    keys: fc.array(keyLike, { maxLength: 3 }),
    prefix: anyOf('one:', 'a b', 'a'.repeat(101)),
    now: anyOf(Date.now),
  },
);

function made(make: () => object): Outcome {
  try {
    const thing = make();
    if ('close' in thing) (thing.close as () => void)();
    return 'made';
  } catch (error) {
    if (isOnbehalfError(error)) assertOurs(error, SECRETS);
    else assertMisuse(error, SECRETS);
    return 'refused';
  }
}

const outcomes = ['made', 'refused'];

export const optionProperties: readonly Property[] = [
  property('a token service is made, or a TypeError says which option is wrong', {
    ...{ cases: 5_000, arbitrary: serviceOptions, outcomes },
    check: (options) => made(() => createTokenService(options as TokenServiceOptions)),
  }),
  property('a broker is made, or a TypeError says which option is wrong', {
    ...{ cases: 5_000, arbitrary: brokerOptions, outcomes },
    check: (options) => made(() => createBroker(options as BrokerOptions)),
  }),
  property('a store in Redis is made, or a TypeError says which option is wrong', {
    ...{ cases: 5_000, arbitrary: storeOptions, outcomes },
    check: (options) => made(() => createRedisStore(options as RedisStoreOptions)),
  }),
];
