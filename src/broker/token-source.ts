import { randomUUID } from 'node:crypto';
import { makeRoom } from '../core/bounded.ts';
import { withDeadline } from '../core/deadline.ts';
import { isOnbehalfError } from '../core/errors.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import type { ResolvedTarget } from '../core/target.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import { verifyIssuedToken } from '../core/verify.ts';
import type { Actor, ActorCache } from './actor-cache.ts';
import type { DelegationRecord, RunGroup } from './delegation.ts';
import { createExchanger, startOf } from './exchanger.ts';
import { type KeepTimes, keepTimes } from './keep-times.ts';
import type { Keyring } from './key.ts';
import { createMemoryStore, type KeptToken } from './memory-store.ts';
import { type BrokerObserver, type ExchangeStart, type LookUpEvent, traced } from './observer.ts';
import { onlook } from './onlook.ts';
import { createRefreshAhead } from './refresh-ahead.ts';
import { createRefusals } from './refusals.ts';
import type { Replicas } from './replicas.ts';
import { createSingleFlight } from './single-flight.ts';
import type { TokenKeys } from './token-key.ts';
import { createTokenMaker, type MakeOrder } from './token-maker.ts';

/** What a {@link TokenSource} is made from; see `BrokerOptions`. */
export interface TokenSourceOptions extends KeepTimes {
  readonly tokenService: TokenService;
  readonly actors: ActorCache | undefined;
  readonly keyring: Keyring;
  readonly keys: TokenKeys;
  readonly replicas: Replicas | undefined;
  readonly observer: BrokerObserver | undefined;
  readonly now: () => number;
  readonly maxEntries: number;
  readonly deadlineMs: number;
  readonly refusalTtlMs: number;
  /** Whether a token that was made for a group may still be kept. */
  readonly mayKeep: (group: RunGroup) => boolean;
}

/** Counters of a {@link TokenSource}. */
export interface TokenCounts {
  exchanges: number;
  failures: number;
  hits: number;
  joined: number;
  shared: number;
  refreshes: number;
  refused: number;
}

/** The tokens themselves: kept, joined while under way, or made. Who may have them was decided before. */
export interface TokenSource {
  /** The kept token. A use near its end has another one made ahead. */
  lookUp(record: DelegationRecord, target: ResolvedTarget): IssuedToken | undefined;
  /** The token that is being made, or made now. */
  obtain(
    record: DelegationRecord,
    target: ResolvedTarget,
    how: { readonly signal: AbortSignal | undefined; readonly deadlineMs: number },
  ): Promise<IssuedToken>;
  /** The kept token, and nothing else happens. */
  read(record: DelegationRecord, target: ResolvedTarget): IssuedToken | undefined;
  /** Forgets a token that a server refused. */
  reject(record: DelegationRecord, target: ResolvedTarget, accessToken: string): void;
  /** Forgets every token of a group. */
  forget(group: RunGroup): void;
  sweep(): void;
  clear(): void;
  readonly counts: Readonly<TokenCounts>;
  readonly size: number;
}

interface Made {
  readonly kept: KeptToken;
  /** Whom it names as actor. */
  readonly actor: Actor | undefined;
  readonly result: LookUpEvent['result'];
}

const MOST_REFRESHES = 64;
const MOST_REJECTED = 1_000;

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { tokenService, actors, keyring, keys, replicas, observer, now } = options;
  const store = createMemoryStore(options.maxEntries);
  const refusals = createRefusals(options.refusalTtlMs, now);
  const refreshAhead = createRefreshAhead(MOST_REFRESHES, now);
  const flights = createSingleFlight<Made>(options.deadlineMs);
  const starts = new Map<string, ExchangeStart>();
  /** Digests of tokens that servers refused: the shared store may still have them. */
  const rejected = new Set<string>();
  const counts: TokenCounts = {
    ...{ exchanges: 0, failures: 0, hits: 0, joined: 0, shared: 0, refreshes: 0, refused: 0 },
  };
  const exchange = createExchanger(options);

  const tell = (result: LookUpEvent['result'], { audiences, resources }: ResolvedTarget): void => {
    if (observer?.lookUp) onlook(observer.lookUp, { result, audiences, resources });
  };

  const keep = (order: MakeOrder, kept: KeptToken, actor: Actor | undefined): void => {
    const { record, target } = order;
    if (!options.mayKeep(record.group)) return;
    // The actor may be another one by now.
    const key = keys.local(record, target, actor?.identity ?? '');
    store.set(key, kept);
    refusals.forget(key);
    record.group.keys.add(key);
  };

  const make = createTokenMaker({
    ...{ tokenService, actors },
    exchange: async (order) => {
      counts.exchanges += 1;
      try {
        return await exchange(order);
      } catch (error) {
        counts.failures += 1;
        throw error;
      }
    },
    assertions: {
      kept(record, target) {
        const token = find(record, target);
        return token && { token, actor: actors?.last, fresh: false };
      },
      async obtain({ record, target, signal, reason, actor: fixed }) {
        const joined = flights.has(keys.local(record, target));
        const { kept, actor, result } = await join(record, target, { signal, reason, actor: fixed });
        return { token: kept.token, actor, fresh: !joined && result === 'exchanged' };
      },
      reject: (record, target, token) => reject(record, target, token.accessToken),
    },
  });

  const makeAlone = async (order: MakeOrder): Promise<Made> => {
    const { kept, actor } = await make(order);
    keep(order, kept, actor);
    return { kept, actor, result: 'exchanged' };
  };

  const makeBetweenReplicas = async (order: MakeOrder, { obtain }: Replicas): Promise<Made> => {
    const { record, target, signal } = order;
    const actor = order.actor ?? (await actors?.current(signal));
    const localKey = keys.local(record, target, actor?.identity ?? '');
    const last = store.get(localKey, now());
    const accepts = (kept: KeptToken): boolean => {
      // To make one anew, another is wanted than the one at hand.
      const stale = kept.token.accessToken === last?.token.accessToken;
      if (stale || (last && kept.usableUntil < last.usableUntil)) return false;
      // What was sent to the STS must not come back as what it issued.
      const sent = [record.subject.token, actor?.token.token].includes(kept.token.accessToken);
      return !sent && !rejected.has(digest(kept.token)) && isVerified(kept.token, order, actor);
    };
    const made = await obtain({
      key: keys.shared(record, target, actor),
      accepts,
      make: async () => (await make({ ...order, actor })).kept,
      signal,
    });
    const kept = made.shared ? bounded(made.kept, record) : made.kept;
    keep(order, kept, actor);
    if (made.shared) counts.shared += 1;
    return { kept, actor, result: made.shared ? 'shared' : 'exchanged' };
  };

  const digest = (token: IssuedToken): string => keyring.digest(token.accessToken);

  /** Whether a token from elsewhere is one that would have been taken from the STS. */
  const isVerified = (
    token: IssuedToken,
    { record, target }: MakeOrder,
    actor: Actor | undefined,
  ): boolean => {
    const resourceServer = target.authorizationServer;
    const service = resourceServer ?? tokenService;
    const expected = { service, target, subject: record.claims, actor: resourceServer ? undefined : actor };
    try {
      verifyIssuedToken(token, { ...expected, now: now() });
      return true;
    } catch {
      return false;
    }
  };

  /** Another process may have had other settings, and another clock. */
  const bounded = (kept: KeptToken, { claims }: DelegationRecord): KeptToken => {
    const { claims: own } = kept.token;
    // How long the STS said is counted from an answer that another process had; what it left of that, it wrote down.
    const expiresInMs = kept.usableUntil - now() + (options.marginMs ?? 10_000);
    const { usableUntil } = keepTimes({ expiresInMs, claims: own }, claims, {
      ...options,
      now: now(),
    });
    const refreshAt = options.refreshAhead === false ? Number.POSITIVE_INFINITY : kept.refreshAt;
    return { ...kept, usableUntil: Math.min(kept.usableUntil, usableUntil), refreshAt };
  };

  /** Joins the making of a token, or begins it. */
  const join = async (
    record: DelegationRecord,
    target: ResolvedTarget,
    how: Pick<MakeOrder, 'reason' | 'actor'> & {
      readonly signal: AbortSignal | undefined;
      readonly deadlineMs?: number | undefined;
    },
  ): Promise<Made> => {
    const key = keys.local(record, target);
    const { reason, actor, deadlineMs = options.deadlineMs } = how;
    const order = { id: randomUUID(), reason, record, target, actor };
    // The deadline is each waiter's own; what is under way ends when the last has left.
    const run = (): Promise<Made> =>
      withDeadline(deadlineMs, how.signal, (waiting) =>
        flights.run(key, (signal) => fly(key, { ...order, signal }), waiting),
      );
    const start = starts.get(key);
    const joins = start !== undefined && flights.has(key);
    return joins && observer ? traced(observer, 'join', start, run) : run();
  };

  const fly = async (key: string, order: MakeOrder): Promise<Made> => {
    const service = order.target.authorizationServer ?? tokenService;
    const { subject } = order.record;
    const start = startOf({ ...order, service, subject, actor: undefined });
    starts.set(key, start);
    try {
      return await (replicas ? makeBetweenReplicas(order, replicas) : makeAlone(order));
    } catch (error) {
      if (isOnbehalfError(error)) refusals.remember(key, error);
      throw error;
    } finally {
      if (starts.get(key) === start) starts.delete(key);
    }
  };

  /** The kept token; when its end is near, another is made ahead. */
  const find = (record: DelegationRecord, target: ResolvedTarget): IssuedToken | undefined => {
    const key = keys.local(record, target);
    const time = now();
    const kept = store.get(key, time);
    if (!kept) return undefined;
    if (time >= kept.refreshAt) {
      refreshAhead.consider(key, { kept, owner: record.subjectDigest }, async (signal) => {
        const { kept: next } = await join(record, target, { signal, reason: 'refresh' });
        counts.refreshes += 1;
        return next;
      });
    }
    return kept.token;
  };

  const reject = (record: DelegationRecord, target: ResolvedTarget, accessToken: string): void => {
    const key = keys.local(record, target);
    if (store.get(key, now())?.token.accessToken === accessToken) store.delete(key);
    if (!replicas) return;
    makeRoom(rejected, MOST_REJECTED);
    rejected.add(keyring.digest(accessToken));
    void replicas.forget(keys.shared(record, target, actors?.last), accessToken);
  };

  return {
    lookUp(record, target) {
      const token = find(record, target);
      if (!token) return undefined;
      counts.hits += 1;
      if (observer?.lookUp) tell('hit', target);
      return token;
    },
    async obtain(record, target, how) {
      const key = keys.local(record, target);
      const refusal = refusals.get(key);
      if (refusal) {
        counts.refused += 1;
        tell('refused', target);
        throw refusal;
      }
      let result: LookUpEvent['result'] = flights.has(key) ? 'joined' : 'exchanged';
      if (result === 'joined') counts.joined += 1;
      try {
        const made = await join(record, target, { ...how, reason: 'demand' });
        if (result !== 'joined') result = made.result;
        return made.kept.token;
      } finally {
        tell(result, target);
      }
    },
    read: (record, target) => store.get(keys.local(record, target), now())?.token,
    reject,
    forget(group) {
      for (const key of group.keys) {
        store.delete(key);
        refreshAhead.cancel(key);
      }
    },
    sweep: () => store.sweep(now()),
    clear() {
      store.clear();
      refusals.clear();
      refreshAhead.cancelAll();
    },
    counts,
    get size() {
      return store.size;
    },
  };
}
