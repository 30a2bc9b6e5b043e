import fc from 'fast-check';
import { createBroker } from '../../src/broker/broker.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { isOnbehalfError } from '../../src/core/errors.ts';
import { createTokenService, type TokenServiceOptions } from '../../src/core/token-service.ts';
import { createRedisStore, type RedisStoreOptions } from '../../src/redis/index.ts';
import { createFakeRedis } from '../redis/fake-client.ts';
import { assertNoLeak, assertOurs } from './leaks.ts';
import { assertMisuse } from './misuse.ts';
import { type Outcome, type Property, property } from './property.ts';
import { CLIENT_ID, CLIENT_SECRET, ENDPOINT } from './world.ts';

const STORE_KEY = Buffer.alloc(32, 'fake key').toString('base64');
const SECRETS = [CLIENT_SECRET, STORE_KEY];

const ODD = [
  undefined,
  null,
  '',
  'text',
  0,
  -1,
  1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  true,
  [],
  {},
  () => {},
  Symbol('odd'),
  5n,
  '\ud800',
];
const odd: fc.Arbitrary<unknown> = fc.oneof(
  {
    arbitrary: fc.constantFrom<unknown>(
      ...ODD,
      CLIENT_SECRET,
      [CLIENT_SECRET],
      { file: CLIENT_SECRET },
      { method: CLIENT_SECRET },
    ),
    weight: 3,
  },
  fc.anything({ maxDepth: 2, withBigInt: true, withNullPrototype: true }),
);

/** Options with some of these members, right or odd. */
function optionsLike(
  right: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  required: readonly string[],
): fc.Arbitrary<unknown> {
  const usually = Object.entries(right).map(
    ([name, value]) => [name, fc.oneof({ arbitrary: value, weight: 6 }, odd)] as const,
  );
  const record = fc.record({ ...Object.fromEntries(usually), typo: odd }, { requiredKeys: [...required] });
  const plain = record.map(({ typo: _, ...rest }) => rest);
  return fc.oneof({ arbitrary: plain, weight: 12 }, record, odd);
}

const anyOf = (...values: readonly unknown[]): fc.Arbitrary<unknown> => fc.constantFrom(...values);
const count = anyOf(1, 5, 10_000);

const clientAuth = optionsLike(
  {
    method: anyOf(
      'none',
      'client_secret_basic',
      'client_secret_post',
      'client_secret_jwt',
      'private_key_jwt',
      'client_assertion',
      'tls_client_auth',
    ),
    clientSecret: anyOf(CLIENT_SECRET, () => CLIENT_SECRET, { file: '/dev/null' }),
    privateKey: anyOf(CLIENT_SECRET),
    assertion: anyOf(CLIENT_SECRET),
  },
  ['method', 'clientSecret'],
);

const serviceOptions = optionsLike(
  {
    tokenEndpoint: anyOf(
      ENDPOINT,
      'http://sts.example.com/token',
      'https://user:password@sts.example.com',
      `https://${CLIENT_SECRET}`,
    ),
    issuer: anyOf('https://sts.example.com', 'sts'),
    metadataUrl: anyOf('https://sts.example.com/metadata'),
    host: anyOf('sts.internal', 'sts.internal:8443'),
    clientId: anyOf(CLIENT_ID),
    clientAuth,
    dialect: optionsLike(
      { name: anyOf('odd'), profile: anyOf('rfc8693', 'entra-obo'), unchecked: anyOf(['scope'], ['none']) },
      ['name'],
    ),
    retry: optionsLike({ attempts: count, backoffMs: count, maxWaitMs: count }, []),
    breaker: optionsLike({ failures: count, openMs: count }, []),
    timeoutMs: count,
    maxResponseBytes: count,
    dangerouslyAllowInsecureHttp: anyOf(true, false),
    fetch: anyOf(fetch),
  },
  ['tokenEndpoint', 'clientId', 'clientAuth'],
);

const tokenService = createTokenService({ tokenEndpoint: ENDPOINT, clientId: CLIENT_ID });
const { client } = createFakeRedis();
const store = createRedisStore({ client, keys: [{ id: 'k1', key: STORE_KEY }] });

const brokerOptions = optionsLike(
  {
    tokenService: anyOf(tokenService, {}, { ...tokenService }),
    actor: anyOf(() => 'fake-actor-token'),
    retention: anyOf('run', 'subject', 'session'),
    store: anyOf(store, { ...store, get: 5 }, client),
    observer: optionsLike({ exchange: anyOf(() => {}), trace: anyOf(() => {}) }, []),
    tenant: anyOf('one', ''),
    ...Object.fromEntries(
      ['maxTtlMs', 'marginMs', 'unknownTtlMs', 'maxRunMs', 'maxEntries', 'deadlineMs'].map((name) => [
        name,
        count,
      ]),
    ),
    now: anyOf(Date.now),
  },
  ['tokenService', 'retention'],
);

const keyLike = optionsLike(
  {
    id: anyOf('k1', 'k2', 'a key'),
    key: anyOf(STORE_KEY, `${STORE_KEY}A`, Buffer.alloc(32), Buffer.alloc(31)),
  },
  ['id', 'key'],
);
const storeOptions = optionsLike(
  {
    client: anyOf(client, { ...client, SET: () => {} }, { get: client.get }),
    keys: fc.array(keyLike, { maxLength: 3 }),
    prefix: anyOf('one:', 'a b', 'a'.repeat(101)),
    now: anyOf(Date.now),
  },
  ['client', 'keys'],
);

function made(make: () => object): Outcome {
  try {
    const thing = make();
    assertNoLeak(thing, SECRETS);
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
    cases: 10_000,
    ...{ arbitrary: serviceOptions, outcomes },
    check: (options) => made(() => createTokenService(options as TokenServiceOptions)),
  }),
  property('a broker is made, or a TypeError says which option is wrong', {
    cases: 10_000,
    ...{ arbitrary: brokerOptions, outcomes },
    check: (options) => made(() => createBroker(options as BrokerOptions)),
  }),
  property('a store in Redis is made, or a TypeError says which option is wrong', {
    cases: 10_000,
    ...{ arbitrary: storeOptions, outcomes },
    check: (options) => made(() => createRedisStore(options as RedisStoreOptions)),
  }),
];
