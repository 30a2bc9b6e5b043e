import type { Attributes, Meter, ObservableUpDownCounter } from '@opentelemetry/api';
import type { BreakerEvent, StoreEvent } from '../broker/observer.ts';
import { makeRoom } from '../core/bounded.ts';
import { parseUrl } from '../core/url.ts';
import { ATTRIBUTE, serverAttributes } from './attributes.ts';
import { quietly } from './quietly.ts';

const BREAKER_STATES = ['closed', 'half_open', 'open'] as const;
const STORE_STATES = ['up', 'down'] as const;
const MAX_BREAKERS = 100;

/** What is read when metrics are collected. */
export interface Gauges {
  /** Says that an STS is in use: its breaker is closed until it is told otherwise. */
  sts(url: string): void;
  /** Says that the shared store answers: it is up until it is told otherwise. Whoever is watched knows better. */
  storeAnswers(): void;
  breaker(event: BreakerEvent): void;
  store(event: StoreEvent): void;
  /**
   * Watches the shared store of a broker. It is down if it is for one of them.
   *
   * @returns the way to stop
   */
  observeStore(read: () => StoreEvent['state'] | 'none'): () => void;
  /** See `Telemetry`. */
  observeSize(name: string, read: () => number): () => void;
}

interface Breaker {
  readonly attributes: Attributes;
  state: BreakerEvent['state'];
}

/** Sizes and states are up-down counters, as the semantic conventions want them: they can be added up over processes. */
export function createGauges(meter: Meter): Gauges {
  const breakers = new Map<string, Breaker>();
  const sizes = new Map<string, Set<() => number>>();
  const stores = new Set<() => unknown>();
  let store: StoreEvent['state'] | undefined;
  let storeShown = false;

  const storeStatus = (): readonly Observation[] => {
    const state = watchedState(stores) ?? store;
    storeShown ||= state !== undefined;
    // Once shown it stays, as 0: the SDK would go on with the last value of what it no longer sees.
    return storeShown ? oneOf(STORE_STATES, state, (each) => ({ [ATTRIBUTE.storeState]: each })) : [];
  };

  const counter = (name: string, unit: string, description: string): ObservableUpDownCounter =>
    meter.createObservableUpDownCounter(name, { unit, description });
  collect(
    counter('onbehalf.breaker.status', '1', 'Circuit breaker of an STS: 1 for the state it is in.'),
    () => [...breakers.values()].flatMap((one) => oneOf(BREAKER_STATES, one.state, breakerState(one))),
  );
  collect(counter('onbehalf.store.status', '1', 'Shared store: 1 for the state it is in.'), storeStatus);
  collect(counter('onbehalf.pool.size', '{item}', 'What is kept: tokens, delegations, and others.'), () =>
    [...sizes].flatMap(([name, readers]) => sizeOf(name, readers)),
  );

  const breakerOf = (url: string): Breaker => {
    const key = parseUrl(url) ? new URL(url).origin : url;
    const known = breakers.get(key);
    if (known) return known;
    makeRoom(breakers, MAX_BREAKERS);
    const breaker: Breaker = { attributes: serverAttributes(url), state: 'closed' };
    breakers.set(key, breaker);
    return breaker;
  };

  return {
    sts: (url) => void breakerOf(url),
    storeAnswers() {
      store ??= 'up';
    },
    breaker({ sts, state }) {
      breakerOf(sts).state = state;
    },
    store({ state }) {
      store = state;
    },
    observeStore(read) {
      // One of its own, as below.
      const reader = (): unknown => read();
      stores.add(reader);
      return () => void stores.delete(reader);
    },
    observeSize(name, read) {
      const readers = sizes.get(name) ?? new Set();
      sizes.set(name, readers);
      // One of its own, so that registering a function twice and stopping once leaves one.
      const reader = (): number => read();
      readers.add(reader);
      // The name stays, and its size is zero then: the SDK would go on with the last value of what it no longer sees.
      return () => void readers.delete(reader);
    },
  };
}

type Observation = readonly [value: number, attributes: Attributes];

function collect(counter: ObservableUpDownCounter, read: () => readonly Observation[]): void {
  counter.addCallback((result) => {
    for (const [value, attributes] of read()) result.observe(value, attributes);
  });
}

/** 1 for the state that something is in and 0 for the others, so that none goes missing. */
function oneOf<S extends string>(
  states: readonly S[],
  current: S | undefined,
  attributes: (state: S) => Attributes,
): readonly Observation[] {
  return states.map((state) => [state === current ? 1 : 0, attributes(state)] as const);
}

/** What those who are watched say of the shared store; nothing where none has one. */
function watchedState(readers: ReadonlySet<() => unknown>): StoreEvent['state'] | undefined {
  const states = [...readers].map((read) => quietly(read));
  return (['down', 'up'] as const).find((state) => states.includes(state));
}

const breakerState =
  ({ attributes }: Breaker) =>
  (state: string): Attributes => ({ ...attributes, [ATTRIBUTE.breakerState]: state });

/** The sum over all that go by a name. A reader that fails is left out, and if all do the size is not known. */
function sizeOf(name: string, readers: ReadonlySet<() => number>): readonly Observation[] {
  const values = [...readers].map((read) => quietly(read)).filter((value) => Number.isFinite(value));
  if (values.length === 0 && readers.size > 0) return [];
  const sum = values.reduce<number>((total, value) => total + Number(value), 0);
  return [[sum, { [ATTRIBUTE.poolName]: name }]];
}
