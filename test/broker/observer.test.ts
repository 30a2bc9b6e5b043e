import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type {
  BreakerEvent,
  BrokerObserver,
  ExchangeEvent,
  ExchangeStart,
  LookUpEvent,
  StoreEvent,
} from '../../src/broker/observer.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import { closedAtEnd } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { AGENT, serviceOf, startSts, subjectJwt } from '../support/sts.ts';
import { createStsDouble, type StsDoubleOptions, settled, WHOLE } from './support.ts';

/** What was hashed. */
const hashed = vi.hoisted(() => [] as unknown[]);
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  const createHash: typeof crypto.createHash = (algorithm) => {
    const hash = crypto.createHash(algorithm);
    const update = hash.update.bind(hash);
    return Object.assign(hash, {
      update: (value: string) => {
        hashed.push(value);
        return update(value);
      },
    });
  };
  return { ...crypto, createHash };
});

afterEach(() => {
  vi.useRealTimers();
});

type Told = {
  readonly exchange: ExchangeEvent[];
  readonly lookUp: LookUpEvent[];
  readonly breaker: BreakerEvent[];
  readonly store: StoreEvent[];
  readonly trace: { kind: 'exchange' | 'join'; about: ExchangeStart; outcome: Promise<unknown> }[];
};

/** An observer that writes down all it is told. */
function createWitness(): { readonly told: Told; readonly observer: BrokerObserver } {
  const told: Told = { exchange: [], lookUp: [], breaker: [], store: [], trace: [] };
  return {
    told,
    observer: {
      exchange: (event) => void told.exchange.push(event),
      lookUp: (event) => void told.lookUp.push(event),
      breaker: (event) => void told.breaker.push(event),
      store: (event) => void told.store.push(event),
      trace: (kind, about, run) => {
        const outcome = run();
        told.trace.push({ kind, about, outcome });
        return outcome;
      },
    },
  };
}

function start(options: Partial<BrokerOptions> = {}, double: StsDoubleOptions = {}) {
  const clock = createClock(WHOLE);
  const sts = createStsDouble({ now: clock.now, ...double });
  const { told, observer } = createWitness();
  const make = (more: Partial<BrokerOptions> = {}): Broker =>
    closedAtEnd(
      createBroker({
        tokenService: sts.service,
        now: clock.now,
        maxRunMs: 1e9,
        observer,
        ...options,
        ...more,
      }),
    );
  const subjectToken = subjectJwt('alice', { exp: seconds(WHOLE) + 36_000 });
  const broker = make();
  return { clock, sts, told, make, broker, subjectToken, run: broker.begin({ subjectToken }) };
}

const results = ({ lookUp }: Told): string[] => lookUp.map(({ result }) => result);

describe('each request for a token is told with where its answer came from', () => {
  test('an exchange of its own, one under way, this process’s memory', async () => {
    const { sts, told, broker, run } = start();
    sts.answer('hold');
    const asking = [1, 2, 3].map(() => broker.token(run, { audience: 'calendar', resource: 'urn:x' }));
    await sts.arrived(1);
    sts.waiting[0]?.grant();
    await Promise.all(asking);
    await broker.token(run, { audience: 'calendar', resource: 'urn:x' });
    broker.peek(run, { audience: 'calendar', resource: 'urn:x' });
    expect(results(told).sort()).toEqual(['exchanged', 'hit', 'hit', 'joined', 'joined']);
    for (const event of told.lookUp) {
      expect(event).toEqual({ result: event.result, audiences: ['calendar'], resources: ['urn:x'] });
    }
  });

  test('an exchange that failed, and the memory of that', async () => {
    const { sts, told, broker, run } = start();
    sts.answer((held) => held.refuse('invalid_target'));
    await failureOf(broker.token(run, 'calendar'));
    await failureOf(broker.token(run, 'calendar'));
    expect(results(told)).toEqual(['exchanged', 'refused']);
  });

  test('the store of another replica', async () => {
    const store = createMemorySharedStore();
    const { told, make, subjectToken, run, broker } = start({ store, retention: 'subject' });
    await broker.token(run, 'calendar');
    const other = make();
    await other.token(other.begin({ subjectToken }), 'calendar');
    expect(results(told)).toEqual(['exchanged', 'shared']);
    expect(other.stats()).toMatchObject({ shared: 1, exchanges: 0 });
  });

  test('but nothing that happens in the background', async () => {
    const { clock, sts, told, broker, run } = start();
    await broker.token(run, 'calendar');
    clock.advance(280_000);
    broker.peek(run, 'calendar');
    await settled();
    expect(sts.asked).toHaveLength(2);
    expect(results(told)).toEqual(['exchanged', 'hit']);
  });
});

describe('an exchange', () => {
  test('is traced around the whole of it, and who joins is told the same', async () => {
    const { sts, told, broker, run } = start();
    sts.answer('hold');
    const asking = [1, 2, 3].map(() => broker.token(run, 'calendar'));
    await sts.arrived(1);
    expect(told.trace.map(({ kind }) => kind)).toEqual(['exchange', 'join', 'join']);
    expect(told.exchange).toEqual([]);
    sts.waiting[0]?.grant();
    await Promise.all(asking);
    const ids = new Set([...told.trace.map(({ about }) => about.id), ...told.exchange.map(({ id }) => id)]);
    expect(ids.size).toBe(1);
    // A span ends as the exchange does, and learns nothing of what came of it.
    expect(await Promise.all(told.trace.map(({ outcome }) => outcome))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(told.exchange).toHaveLength(1);
    const [exchange, join] = told.trace;
    expect(join?.about).toEqual(exchange?.about);
    expect(exchange?.about).toEqual({
      id: expect.any(String),
      reason: 'demand',
      tokenEndpoint: 'https://sts.example.com/token',
      profile: 'rfc8693',
      clientId: 'agent',
      audiences: ['calendar'],
      resources: [],
      scope: undefined,
      sub: 'alice',
      iss: 'https://idp.example.com',
    });
  });

  test('has an id of its own each time', async () => {
    const { clock, told, broker, run, sts } = start({ refusalTtlMs: 0 });
    await Promise.all(['calendar', 'files', 'notes'].map((target) => broker.token(run, target)));
    clock.advance(280_000);
    broker.peek(run, 'calendar');
    await settled();
    sts.answer((held) => held.refuse('invalid_target'));
    await failureOf(broker.token(run, 'mail'));
    await failureOf(broker.token(run, 'mail'));
    expect(new Set(told.exchange.map(({ id }) => id)).size).toBe(6);
    expect(told.exchange.map(({ reason }) => reason)).toEqual([
      'demand',
      'demand',
      'demand',
      'refresh',
      'demand',
      'demand',
    ]);
  });

  test('runs inside of the span that the observer opens', async () => {
    const span = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const sts = createStsDouble();
    sts.answer((held) => {
      seen.push(span.getStore());
      held.grant();
    });
    const observer: BrokerObserver = { trace: (kind, { id }, run) => span.run(`${kind} ${id}`, run) };
    const actor = (): string => {
      seen.push(span.getStore());
      return fakeJwt({ sub: 'agent' });
    };
    const broker = closedAtEnd(createBroker({ tokenService: sts.service, observer, actor }));
    const run = broker.begin({ subjectToken: subjectJwt('alice') });
    await broker.token(run, 'calendar');
    // Who the actor is, is asked once for all, before there is an exchange.
    expect(seen).toEqual([undefined, expect.stringMatching(/^exchange ./)]);
    expect(span.getStore()).toBeUndefined();
  });

  test('is told with digests that say which tokens they were, to whoever has them', async () => {
    const { sts, told, broker, run, subjectToken, clock } = start({ actor: () => fakeJwt({ sub: 'agent' }) });
    await broker.token(run, 'calendar');
    const sha256 = (token = ''): string => createHash('sha256').update(token).digest('base64url');
    expect(told.exchange).toMatchObject([
      {
        subjectTokenDigest: sha256(subjectToken),
        tokenDigest: sha256(sts.issued[0]),
        usableUntil: clock.now() + 290_000,
        act: 'agent',
        outcome: 'issued',
      },
    ]);
  });

  test('that failed is told with the class, the error of the STS and the status', async () => {
    const { sts, told, broker, run } = start();
    sts.answer((held) => held.refuse('slow_down', { status: 429, retryAfter: 3 }));
    await failureOf(broker.token(run, 'calendar'));
    sts.answer((held) => held.grant({ claims: { aud: 'elsewhere' } }));
    await failureOf(broker.token(run, 'files'));
    expect(told.exchange).toMatchObject([
      { outcome: 'failed', code: 'sts_error', failure: 'unavailable', oauthError: 'slow_down', status: 429 },
      { outcome: 'failed', code: 'issued_token_rejected', failure: 'misconfigured', tokenDigest: undefined },
    ]);
  });

  test('that a dialect breaks is told as failed, not as given up', async () => {
    const dialect = {
      name: 'broken',
      form: (): never => {
        throw new TypeError('a bug in the dialect');
      },
    };
    const { told, broker, run } = start({}, { service: { dialect } });
    await thrownBy(broker.token(run, 'calendar'));
    expect(told.exchange).toMatchObject([{ outcome: 'failed', profile: 'rfc8693/broken' }]);
  });
});

test('the breaker is told as it changes, with the origin of the STS', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const { sts, told, broker, run } = start({}, { service: { breaker: { failures: 2, openMs: 10_000 } } });
  sts.answer((held) => held.drop());
  for (let index = 0; index < 4; index++) await failureOf(broker.token(run, 'calendar'));
  expect(sts.asked).toHaveLength(2);
  expect(broker.stats().breaker).toBe('open');
  vi.setSystemTime(Date.now() + 10_000);
  sts.answer('grant');
  await broker.token(run, 'calendar');
  expect(told.breaker).toEqual(
    ['open', 'half_open', 'closed'].map((state) => ({ state, sts: 'https://sts.example.com' })),
  );
  expect(broker.stats().breaker).toBe('closed');
});

test('a closed broker tells nothing of breakers any more', async () => {
  const { sts, told, broker, make, subjectToken } = start({}, { service: { breaker: { failures: 1 } } });
  const other = make({ observer: undefined });
  broker.close();
  sts.answer((held) => held.drop());
  await failureOf(other.token(other.begin({ subjectToken }), 'calendar'));
  expect(other.stats().breaker).toBe('open');
  expect(told.breaker).toEqual([]);
});

test('the store is told once when it fails, and once when it works again', async () => {
  let fail = true;
  const memory = createMemorySharedStore();
  const get = async (key: string): Promise<string | undefined> => {
    if (fail) throw new Error('the store is down');
    return memory.get(key);
  };
  const { clock, told, broker, run } = start({ store: { ...memory, get }, retention: 'subject' });
  expect(broker.stats().store).toBe('up');
  await Promise.all(['calendar', 'files'].map((target) => broker.token(run, target)));
  await broker.token(run, 'notes');
  expect(broker.stats().store).toBe('down');
  clock.advance(60_000);
  fail = false;
  await broker.token(run, 'mail');
  expect(broker.stats().store).toBe('up');
  expect(told.store).toEqual([{ state: 'down' }, { state: 'up' }]);
});

test('nothing that an observer is told holds a token, a secret or anything made of them', async () => {
  const tokens: string[] = [];
  const sts = await startSts({ onToken: (token) => tokens.push(token) });
  const tokenService = serviceOf(sts, { retry: { attempts: 1 }, breaker: { failures: 1 } });
  const { told, observer } = createWitness();
  const memory = createMemorySharedStore();
  const broker = closedAtEnd(
    createBroker({
      ...{ tokenService, observer, actor: clientCredentialsActor(tokenService), retention: 'subject' },
      store: { ...memory, lease: () => Promise.reject(new Error(`the lease of ${tokens[0]} failed`)) },
    }),
  );
  const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId });
  const run = broker.begin({ subjectToken });
  await Promise.all([1, 2].map(() => broker.token(run, { audience: 'calendar', scope: 'read' })));
  await broker.token(run, { audience: 'calendar', scope: 'read' });
  await failureOf(broker.token(run, 'payroll'));
  for (const [kind, target] of [
    ['other-subject', 'files'],
    ['error-body', 'notes'],
    ['disconnect', 'calendar'],
  ] as const) {
    sts.inject({ kind });
    await failureOf(broker.token(run, target));
  }
  expect(tokens).toContain(subjectToken);
  expect(tokens.length).toBeGreaterThanOrEqual(4);
  for (const [name, events] of Object.entries(told)) {
    expect(events.length, name).toBeGreaterThan(0);
    expectNoLeak(events, [...tokens, AGENT.clientSecret]);
  }
});

describe('a listener that fails', () => {
  const ways: readonly [string, () => never][] = [
    [
      'at once',
      () => {
        throw new Error('a bad listener');
      },
    ],
    ['later', (() => Promise.reject(new Error('a bad asynchronous listener'))) as unknown as () => never],
  ];

  test.each(ways)('%s changes nothing of what anybody gets', async (_when, bad) => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    onTestFinished(() => void process.off('unhandledRejection', onUnhandled));
    const memory = createMemorySharedStore();
    const { clock, sts, broker, run } = start(
      {
        observer: { exchange: bad, lookUp: bad, breaker: bad, store: bad },
        store: { ...memory, get: () => Promise.reject(new Error('down')) },
        retention: 'subject',
      },
      { service: { breaker: { failures: 1, openMs: 1 } } },
    );
    sts.answer('hold');
    const asking = [1, 2].map(() => broker.token(run, 'calendar'));
    await sts.arrived(1);
    sts.waiting[0]?.grant();
    const [one, two] = await Promise.all(asking);
    expect(one).toBe(two);
    expect(broker.peek(run, 'calendar')).toBe(one);
    sts.answer('grant');
    clock.advance(280_000);
    broker.peek(run, 'calendar');
    await settled();
    expect(broker.peek(run, 'calendar')?.accessToken).toBe(sts.issued[1]);
    sts.answer((held) => held.drop());
    expect(await failureOf(broker.token(run, 'files'))).toMatchObject({ code: 'sts_unreachable' });
    await setImmediate();
    expect(unhandled).toEqual([]);
  });

  test('to open a span changes nothing either: the exchange is made, once', async () => {
    const trace = (): never => {
      throw new Error('no span today');
    };
    const { sts, broker, run } = start({ observer: { trace } });
    sts.answer('hold');
    const asking = Promise.all([1, 2].map(() => broker.token(run, 'calendar')));
    asking.catch(() => {});
    await settled();
    sts.waiting[0]?.grant();
    const [one, two] = await asking;
    expect(one?.claims?.sub).toBe('alice');
    expect(two).toBe(one);
    expect(sts.asked).toHaveLength(1);
  });
});

test('who listens to nothing costs nothing: no digest is computed without somebody to tell', async () => {
  const quiet: (BrokerObserver | undefined)[] = [undefined, {}, { lookUp: () => {}, store: () => {} }];
  for (const observer of quiet) {
    const { sts, broker, run } = start({ observer });
    hashed.length = 0;
    await broker.token(run, 'calendar');
    sts.answer((held) => held.refuse('invalid_target'));
    await failureOf(broker.token(run, 'files'));
    // The breaker tells subjects apart, whoever listens.
    expect(hashed.length).toBeLessThanOrEqual(2);
    expect(hashed).not.toContain(sts.issued[0]);
  }
  const { broker, run, sts } = start();
  await broker.token(run, 'calendar');
  expect(hashed).toContain(sts.issued[0]);
});

test('a listener that there is none of is found when the broker is made', () => {
  const { make } = start();
  expect(() => make({ observer: { onExchange: () => {} } as BrokerObserver })).toThrow('"onExchange"');
  expect(() => make({ observer: { lookUp: 'loudly' } as unknown as BrokerObserver })).toThrow('"lookUp"');
});
