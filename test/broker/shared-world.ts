import { createBroker } from '../../src/broker/broker.ts';
import type { LookUpEvent } from '../../src/broker/observer.ts';
import type { SharedStore } from '../../src/broker/shared-store.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import type { Target } from '../../src/core/target.ts';
import { createMemorySharedStore } from '../contract/memory-shared-store.ts';
import { closedAtEnd } from '../support/broker.ts';
import { type Clock, createClock } from '../support/clock.ts';
import { seconds } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { createStsDouble, type StsDouble, WHOLE } from './support.ts';

export interface World {
  readonly clock: Clock;
  readonly sts: StsDouble;
  /** What the store holds, by key; a test may put something else there. */
  readonly values: Map<string, string>;
  readonly store: SharedStore;
  readonly results: LookUpEvent['result'][];
  readonly subjectToken: string;
  /** Another process. */
  replica(options?: Partial<BrokerOptions>): Replica;
}

export interface Replica {
  readonly broker: Broker;
  token(target?: Target | string, subjectToken?: string): ReturnType<Broker['token']>;
  peek(): ReturnType<Broker['peek']>;
  reject(accessToken: string): void;
}

export function startShared(shared: Partial<BrokerOptions> = {}): World {
  const clock = createClock(WHOLE);
  const sts = createStsDouble({ now: clock.now });
  const values = new Map<string, string>();
  const memory = createMemorySharedStore(clock.now);
  const store: SharedStore = {
    get: async (key) => values.get(key),
    set: async (key, value, ttlMs) => {
      if (ttlMs > 0) values.set(key, value);
    },
    delete: async (key, matches) => {
      const value = values.get(key);
      if (value !== undefined && matches(value)) values.delete(key);
    },
    lease: memory.lease,
  };
  const results: LookUpEvent['result'][] = [];
  const subjectToken = subjectJwt('alice', { exp: seconds(WHOLE) + 36_000 });
  return {
    ...{ clock, sts, values, store, results, subjectToken },
    replica(options) {
      const broker = closedAtEnd(
        createBroker({
          ...{ tokenService: sts.replica(), now: clock.now, retention: 'subject', store, maxRunMs: 1e9 },
          observer: { lookUp: ({ result }) => void results.push(result) },
          ...shared,
          ...options,
        }),
      );
      const begin = (token = subjectToken) => broker.begin({ subjectToken: token });
      return {
        broker,
        token: (target = 'calendar', token) => broker.token(begin(token), target),
        peek: () => broker.peek(begin(), 'calendar'),
        reject: (accessToken) => broker.reject(begin(), 'calendar', accessToken),
      };
    },
  };
}
