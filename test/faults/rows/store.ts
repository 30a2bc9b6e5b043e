import type { SharedStore } from '../../../src/broker/shared-store.ts';
import { TOKEN_TYPE } from '../../../src/core/token-types.ts';
import { createRedisStore } from '../../../src/redis/index.ts';
import { createMemorySharedStore } from '../../contract/memory-shared-store.ts';
import { createFakeRedis, type FakeRedis } from '../../redis/fake-client.ts';
import { fakeJwt, seconds } from '../../support/jwt.ts';
import { subjectJwt } from '../../support/sts.ts';
import type { Places } from '../places.ts';
import type { FaultRow, Given } from '../row.ts';
import { bare } from './handlers.ts';

const fine = { outcome: 'ok', sts: 1, mcp: 1 } as const;

/** A store that works but for some methods. */
const store = (methods: Partial<SharedStore>) => (): Given => ({
  broker: {
    ...{ retention: 'subject', storeTimeoutMs: 50 },
    store: { ...createMemorySharedStore(), ...methods },
  },
});

const fail = async (): Promise<never> => {
  throw new Error('the store is down');
};
const hang = (): Promise<never> => new Promise(() => {});

/** What a store would hold of a good token, but for some claims and some members. */
function held(claims: object, members: object = {}): string {
  return JSON.stringify({
    accessToken: fakeJwt({ sub: 'alice', aud: 'calendar', act: { sub: 'agent' }, ...claims }),
    issuedTokenType: TOKEN_TYPE.accessToken,
    usableUntil: Date.now() + 250_000,
    refreshAt: null,
    ...members,
  });
}

/** A store that gives this for every key. */
const poisoned =
  (text: () => string) =>
  (places: Places): Given => {
    const value = text();
    const token = /"accessToken":"([^"]+)"/.exec(value)?.[1];
    if (token !== undefined) places.secret(token);
    return store({ get: async () => value })();
  };

const KEY = { id: 'one', key: Buffer.alloc(32, 1) };
const OTHER_KEY = { id: 'one', key: Buffer.alloc(32, 2) };

/** A Redis that must get no secret to see. */
function redis(places: Places): FakeRedis {
  const fake = createFakeRedis();
  places.watch('what Redis got', fake.commands);
  return fake;
}

const sharedBy = (fake: FakeRedis, key = KEY): NonNullable<Given['broker']> => ({
  retention: 'subject',
  store: createRedisStore({ client: fake.client, keys: [key] }),
});

/** Two replicas, one after the other; something is done to Redis between. */
const twoReplicas =
  (between: (fake: FakeRedis) => unknown, second = KEY) =>
  (places: Places): Given => {
    const fake = redis(places);
    return {
      broker: sharedBy(fake),
      async play({ call, replica }) {
        await call();
        between(fake);
        await call({ broker: replica(sharedBy(fake, second)) });
      },
    };
  };

const values = ({ entries }: FakeRedis): [string, string][] =>
  [...entries].map(([name, { value }]): [string, string] => [name, value]);

/** What can happen to the store that replicas share. It must cost exchanges at most. */
export const storeRows: readonly FaultRow[] = [
  { fault: 'store: down', ...fine, given: store({ get: fail, set: fail, delete: fail, lease: fail }) },
  {
    fault: 'store: slow, never answers',
    ...fine,
    given: store({ get: hang, set: hang, delete: hang, lease: hang }),
  },
  { fault: 'store: reads, but cannot write', ...fine, given: store({ set: fail }) },
  { fault: 'store: reads, but gives no lease', ...fine, given: store({ lease: hang }) },
  {
    fault: 'store: down, left alone for a second, then it is back',
    ...{ outcome: ['ok', 'asked once', 'ok', 'asked again'], sts: 2, mcp: 2 },
    given: leftAlone,
  },
  { fault: 'store: a value that is no JSON', ...fine, given: poisoned(() => '{"accessToken":') },
  { fault: 'store: a value of another form', ...fine, given: poisoned(() => '{"accessToken":42}') },
  { fault: 'store: token of another user', ...fine, given: poisoned(() => held({ sub: 'bob' })) },
  { fault: 'store: token for another audience', ...fine, given: poisoned(() => held({ aud: 'payroll' })) },
  {
    fault: 'store: token of another agent',
    ...fine,
    given: poisoned(() => held({ act: { sub: 'other-agent' } })),
  },
  {
    fault: 'store: token that has expired, said to be good',
    ...fine,
    given: poisoned(() => held({ exp: seconds(Date.now()) - 1 })),
  },
  {
    fault: 'store: opaque token',
    ...fine,
    given: poisoned(() => held({}, { accessToken: 'opaque-access-token-for-tests' })),
  },
  {
    fault: 'store: token with a line break',
    ...fine,
    given: poisoned(() => held({}, { accessToken: `${fakeJwt({ sub: 'alice', aud: 'calendar' })}\r\nx: y` })),
  },
  {
    fault: 'store: the user’s own token, good for the server',
    ...fine,
    given: withSubjectToken,
  },
  {
    fault: 'store: sealed with another key',
    ...{ outcome: ['ok', 'ok'], sts: 2, mcp: 2 },
    given: twoReplicas(() => {}, OTHER_KEY),
  },
  {
    fault: 'store: a sealed value that was changed',
    ...{ outcome: ['ok', 'ok'], sts: 2, mcp: 2 },
    given: twoReplicas((fake) => {
      for (const [name, value] of values(fake)) fake.plant(name, flipped(value));
    }),
  },
  {
    fault: 'store: a sealed value of another key in its place',
    ...{ outcome: ['ok', 'ok', 'ok'], sts: 3, mcp: 3 },
    given: misplaced,
  },
  {
    fault: 'store: the replica that held the lease has died',
    ...{ outcome: 'ok', sts: 1, mcp: 1 },
    given: deadLeaseHolder,
  },
  {
    fault: 'store: works, eight replicas make one exchange between them',
    ...{ outcome: Array.from({ length: 8 }, () => 'ok'), sts: 1, mcp: 8 },
    given: store({}),
    play: ({ broker, call, replica }) =>
      Promise.all(
        [broker, ...Array.from({ length: 7 }, () => replica())].map((one) => call({ broker: one })),
      ),
  },
  {
    fault: 'MCP server: 401 to a token that another replica left',
    ...{ outcome: ['ok', 'ok', 'ok'], sts: 2, mcp: 4 },
    given: refusedLater,
  },
];

/** The user came with a token that would pass every check of an issued one. */
function withSubjectToken(): Given {
  const token = subjectJwt('alice', { aud: 'calendar', act: { sub: 'agent' } });
  return { ...store({ get: async () => held({}, { accessToken: token }) })(), subject: { token } };
}

function flipped(text: string): string {
  const last = text.at(-5) === 'A' ? 'B' : 'A';
  return text.slice(0, -5) + last + text.slice(-4);
}

/** After it failed, it is not asked for a second, whatever for. */
function leftAlone(): Given {
  const shared = createMemorySharedStore();
  let asked = 0;
  const failOnce = async (): Promise<void> => {
    asked += 1;
    if (asked === 1) throw new Error('the store is down');
  };
  const { broker } = store({
    get: (key) => failOnce().then(() => shared.get(key)),
    set: (key, value, ttlMs) => failOnce().then(() => shared.set(key, value, ttlMs)),
    lease: (key, ttlMs) => failOnce().then(() => shared.lease(key, ttlMs)),
  })();
  return {
    broker: { ...broker, refreshAhead: false, maxTtlMs: 1_000, marginMs: 0 },
    async play({ call, note, places }) {
      await call();
      note(asked === 1 ? 'asked once' : `asked ${asked} times`);
      places.pass(1_000);
      await call();
      note(asked > 1 ? 'asked again' : 'not asked again');
    },
  };
}

/** Somebody who can write to Redis puts the value of one key in the place of another. */
function misplaced(places: Places): Given {
  const fake = redis(places);
  return {
    broker: sharedBy(fake),
    async play({ call, replica }) {
      await call();
      const [mine] = values(fake);
      await call({ broker: replica({ ...sharedBy(fake), tenant: 'other' }) });
      const theirs = values(fake).find(([name]) => name !== mine?.[0]);
      if (!mine || !theirs) throw new Error('Redis does not hold two values');
      fake.plant(mine[0], theirs[1]);
      await call({ broker: replica() });
    },
  };
}

/** Its lease is there, its token is not, and never comes; the lease ends while we wait. */
function deadLeaseHolder(places: Places): Given {
  const shared = createMemorySharedStore();
  let asked = 0;
  return {
    broker: {
      retention: 'subject',
      store: {
        ...shared,
        async lease(key, ttlMs) {
          asked += 1;
          if (asked === 3) places.pass(ttlMs);
          const lease = await shared.lease(key, ttlMs);
          return asked === 1 ? undefined : lease;
        },
      },
    },
  };
}

/** What one replica was refused, it must not take from the store again; the others get its new one. */
function refusedLater(places: Places): Given {
  return {
    ...store({})(),
    async play({ call, replica }) {
      await call();
      places.mcp.handle((request, response) => {
        const isFirst = request.headers.authorization === places.mcp.received[0]?.headers.authorization;
        bare(isFirst ? 401 : 200)(request, response);
      });
      await call({ broker: replica() });
      await call({ broker: replica() });
    },
  };
}
