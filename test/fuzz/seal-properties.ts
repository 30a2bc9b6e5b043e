import fc from 'fast-check';
import { createBroker } from '../../src/broker/broker.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { createRedisStore } from '../../src/redis/index.ts';
import { createSealer, type Sealer } from '../../src/redis/seal.ts';
import { createFakeRedis } from '../redis/fake-client.ts';
import { bentAnswer, RIGHT, responseOf } from './answers.ts';
import type { Change } from './json-text.ts';
import { type Outcome, type Property, property } from './property.ts';
import { type Tampering, tampered, tampering } from './sealed.ts';
import { asked, CLIENT_ID, ENDPOINT, NOW, type Party, SUBJECTS, type Wish } from './world.ts';

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

/** Keys and prefixes that have something in common. */
const SEALERS = [
  { id: 'k1', fill: 1, prefix: 'one:' },
  { id: 'k2', fill: 2, prefix: 'one:' },
  { id: 'k1', fill: 2, prefix: 'one:' },
  { id: 'k2', fill: 1, prefix: 'one:' },
  { id: 'k1', fill: 1, prefix: 'two:' },
] as const;
type SealerOf = (typeof SEALERS)[number];

const sealerOf = ({ id, fill, prefix }: SealerOf): Sealer => createSealer({ id, bytes: bytes(fill) }, prefix);

/** A value that was sealed. */
interface Box {
  readonly sealer: SealerOf;
  readonly key: string;
  readonly value: string;
  readonly until: number;
}

const key = fc.constantFrom('a', 'b', 'ab');
const box: fc.Arbitrary<Box> = fc.record({
  sealer: fc.constantFrom(...SEALERS),
  key,
  value: fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constant('')),
  until: fc.constantFrom(NOW - 1, NOW, NOW + 1, NOW + 0.5, NOW + 60_000, Number.MAX_VALUE),
});

const seldom = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 3 }, value);

interface Opening {
  readonly boxes: readonly [Box, Box];
  readonly change: Tampering;
  /** Who opens it; that may be whoever sealed the first. */
  readonly opener: SealerOf | undefined;
  readonly key: string | undefined;
}

function checkOpening({ boxes, change, opener, key: otherKey }: Opening): Outcome {
  const [one] = boxes;
  const sealed = boxes.map((each) =>
    sealerOf(each.sealer).seal(sealerOf(each.sealer).name(each.key), each.value, each.until),
  );
  const given = tampered(sealed[0] as string, sealed[1] as string, change);
  const by = opener ?? one.sealer;
  const under = otherKey ?? one.key;
  const opened = sealerOf(by).open(sealerOf(by).name(under), given, NOW);
  const rightful = boxes.find(
    (each, index) => sealed[index] === given && each.sealer === by && each.key === under && each.until > NOW,
  );
  if (rightful === undefined) {
    if (opened === undefined) return 'refused';
    throw new Error('it opened');
  }
  // What is no well-formed text becomes that, as in any UTF-8.
  const value = Buffer.from(rightful.value).toString();
  if (opened?.value !== value || opened.until !== rightful.until)
    throw new Error('it did not open, or as another');
  return 'opened';
}

/** Requests whose tokens look alike, so that only the key keeps them apart. */
interface Asking {
  readonly wish: Wish;
  readonly subject: Party;
  readonly options: Pick<BrokerOptions, 'tenant' | 'generation'>;
}

const [alice, aliceAgain] = SUBJECTS as readonly [Party, Party];
const MINE: Asking = { wish: { audience: 'calendar', scope: 'read' }, subject: alice, options: {} };
const OTHERS: readonly Asking[] = [
  { ...MINE, wish: { audience: 'calendar', scope: 'read write' } },
  { ...MINE, wish: { audience: 'calendar' } },
  { ...MINE, subject: aliceAgain },
  { ...MINE, options: { tenant: 'other' } },
  { ...MINE, options: { generation: '2' } },
];

const unscoped: readonly Change[] = [{ how: 'drop', name: 'scope', value: '' }];
const keys = [{ id: 'k1', key: bytes(1) }];

/** Asks through a store in Redis; returns the token, and whether it was made for that. */
async function ask({ wish, subject, options }: Asking, redis: ReturnType<typeof createFakeRedis>) {
  let made: string | undefined;
  const tokenService = createTokenService({
    tokenEndpoint: ENDPOINT,
    clientId: CLIENT_ID,
    async fetch() {
      const marked: Change = { how: 'set', name: 'jti', value: `"${Math.random()}"` };
      const token = { ...RIGHT.token, claims: [...unscoped, marked] };
      const answer = bentAnswer(asked({ wish, subject }), { ...RIGHT, members: unscoped, token });
      made = answer.token;
      return responseOf(answer);
    },
  });
  const store = createRedisStore({ client: redis.client, keys, now: () => NOW });
  const broker = createBroker({ ...options, tokenService, store, retention: 'subject', now: () => NOW });
  try {
    const { accessToken } = await broker.token(broker.begin({ subjectToken: subject.token }), wish);
    return { accessToken, isMade: accessToken === made };
  } finally {
    broker.close();
  }
}

/** What is in Redis when a request and one that looks like it have been answered. */
interface Prepared {
  readonly name: string;
  readonly mine: { readonly sealed: string; readonly accessToken: string };
  readonly theirs: { readonly sealed: string };
}

async function prepare(other: Asking): Promise<Prepared> {
  const redis = createFakeRedis(() => NOW);
  const { accessToken } = await ask(MINE, redis);
  const mine = [...redis.entries][0];
  await ask(other, redis);
  const theirs = [...redis.entries].find(([name]) => name !== mine?.[0]);
  if (!mine || !theirs) throw new Error('two requests have one place in the store');
  return { name: mine[0], mine: { sealed: mine[1].value, accessToken }, theirs: { sealed: theirs[1].value } };
}

const prepared = new Map<Asking, Promise<Prepared>>();

async function checkPlanted({ other, change }: { other: Asking; change: Tampering }): Promise<Outcome> {
  const given = prepared.get(other) ?? prepare(other);
  prepared.set(other, given);
  const { name, mine, theirs } = await given;
  const redis = createFakeRedis(() => NOW);
  const planted = tampered(mine.sealed, theirs.sealed, change);
  redis.plant(name, planted);
  const { accessToken, isMade } = await ask(MINE, redis);
  if (planted !== mine.sealed) {
    if (!isMade) throw new Error('what was planted was taken');
    return 'made anew';
  }
  if (accessToken !== mine.accessToken) throw new Error('what is stored was not taken');
  return 'shared';
}

export const sealProperties: readonly Property[] = [
  property('a sealed value opens for its name, with its key and until its end, and nothing else opens', {
    cases: 10_000,
    arbitrary: fc.record({
      boxes: fc.tuple(box, box),
      change: tampering,
      opener: seldom(fc.constantFrom(...SEALERS)),
      key: seldom(key),
    }),
    outcomes: ['opened', 'refused'],
    check: checkOpening,
  }),
  property('what somebody puts into Redis is taken only if it was sealed for that very request', {
    cases: 6_000,
    arbitrary: fc.record({ other: fc.constantFrom(...OTHERS), change: tampering }),
    outcomes: ['shared', 'made anew'],
    check: checkPlanted,
  }),
];
