import { randomUUID } from 'node:crypto';
import type { ActorSource } from '../core/actor.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import { assertNotExpired, checkSubject } from '../core/subject.ts';
import { type ResolvedTarget, resolveTarget, type Target } from '../core/target.ts';
import type { TokenService } from '../core/token-service.ts';
import { securityToken, TOKEN_TYPE } from '../core/token-types.ts';
import { createActorCache } from './actor-cache.ts';
import { createRunGroups, type Delegation, type DelegationRecord, type Retention } from './delegation.ts';
import { createExchanger, type ExchangeEvent } from './exchanger.ts';
import { createKeyring } from './key.ts';
import { createMemoryStore } from './memory-store.ts';
import { abortable, createSingleFlight } from './single-flight.ts';

/** Options of {@link createBroker}. All times in milliseconds. */
export interface BrokerOptions {
  readonly tokenService: TokenService;
  /** Who acts; its token goes along as `actor_token`. Default: nobody, so tokens impersonate the subject. */
  readonly actor?: ActorSource | undefined;
  /** Default: `run`. */
  readonly retention?: Retention | undefined;
  /** Longest that a token is kept. Default: one hour. */
  readonly maxTtlMs?: number | undefined;
  /** How long before its end a token is no longer used; at most a quarter of its lifetime. Default: 10,000. */
  readonly marginMs?: number | undefined;
  /** Lifetime of a token for which nobody says one. Default: one minute. */
  readonly unknownTtlMs?: number | undefined;
  /** A run that nobody ends is over after this time. Default: one hour. */
  readonly maxRunMs?: number | undefined;
  /** Most tokens kept; the least recently used goes first. Default: 10,000. */
  readonly maxEntries?: number | undefined;
  /** Most run groups under way at once. Default: 100,000. */
  readonly maxRuns?: number | undefined;
  /** Takes subject tokens that are not JWTs: their expiry and `sub` cannot be checked. Default: false. */
  readonly allowOpaqueSubject?: boolean | undefined;
  /** Takes issued tokens that are not JWTs: nothing in them can be checked. Default: false. */
  readonly allowOpaqueIssued?: boolean | undefined;
  /** Separates the tokens of tenants that share a process. */
  readonly tenant?: string | undefined;
  /** Separates the tokens of successive configurations. */
  readonly generation?: string | undefined;
  /** Called after each exchange, with claims and never a token. What it throws is dropped. */
  readonly onExchange?: ((event: ExchangeEvent) => void) | undefined;
  /** Clock, in milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Who a run is for. */
export interface BeginOptions {
  /** The user's token as it came in, without `Bearer`. */
  readonly subjectToken: string | undefined;
  /** Token type identifier (RFC 8693 section 3). Default: access token. */
  readonly subjectTokenType?: string | undefined;
  /** Runs of one session and subject share tokens while they overlap. Default: this run shares with no other. */
  readonly session?: string | undefined;
}

/** Counters since the broker was made, and sizes as of now. */
export interface BrokerStats {
  readonly entries: number;
  readonly delegations: number;
  readonly exchanges: number;
  readonly failures: number;
  readonly hits: number;
  readonly joined: number;
}

/** Turns a delegation and a target into a token. The only part that holds tokens. */
export interface Broker {
  /**
   * Begins a run for a subject. Nothing is exchanged.
   *
   * @throws OnbehalfError `subject_missing`, `subject_malformed`, `subject_expired` or `capacity_exceeded`
   */
  begin(options: BeginOptions): Delegation;
  /**
   * The token for a target: kept, joined while under way, or exchanged (RFC 8693).
   *
   * @throws OnbehalfError of any code but those of servers and toolsets; or the reason of `signal`
   */
  token(
    delegation: Delegation,
    target: Target | string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<IssuedToken>;
  /** The kept token for a target, read synchronously. Throws like `token` when the subject is no longer good. */
  peek(delegation: Delegation, target: Target | string): IssuedToken | undefined;
  /**
   * A way to read the kept token for a target later, as long as it is kept, even when the run has ended by then.
   * It never exchanges, and holds no token itself. For closing what was opened with that token.
   */
  reader(delegation: Delegation, target: Target | string): () => IssuedToken | undefined;
  /** Forgets a token that a server refused, if it is still the one that is kept. */
  reject(delegation: Delegation, target: Target | string, accessToken: string): void;
  /** Ends a run: under `run` retention, the last of a group clears its tokens. Ending twice does nothing. */
  end(delegation: Delegation): void;
  /** Calls back with a group's id when its last run has ended, just before its tokens go. Returns the way to stop. */
  onGroupEnd(listener: (group: string) => void): () => void;
  stats(): BrokerStats;
  /** Ends every run and forgets every token. */
  close(): void;
}

const HOUR = 3_600_000;
const SWEEP_MS = 30_000;

/**
 * Makes a broker.
 *
 * @throws TypeError when an option is not of its form
 */
export function createBroker(options: BrokerOptions): Broker {
  const { tokenService, retention = 'run', now = Date.now } = options;
  assertOptions(options);
  const keyring = createKeyring();
  const actors = options.actor && createActorCache(options.actor, keyring, now);
  const store = createMemoryStore(options.maxEntries ?? 10_000);
  const flights = createSingleFlight<IssuedToken>();
  const records = new WeakMap<Delegation, DelegationRecord>();
  const listeners = new Set<(group: string) => void>();
  const count = { exchanges: 0, failures: 0, hits: 0, joined: 0 };
  const groups = createRunGroups({
    maxGroups: options.maxRuns ?? 100_000,
    // Under `run` retention every group has a key part of its own, so that no later run meets what it left.
    name: (label) => (retention === 'subject' ? { id: label, keyPart: '' } : unique()),
    onEnd: (group) => {
      if (retention === 'subject') return;
      for (const listener of listeners) listener(group.id);
      for (const key of group.keys) store.delete(key);
    },
  });
  const exchange = createExchanger({ ...options, actors });

  let closed = false;
  let timer: ReturnType<typeof setInterval> | undefined;
  const sweep = (): void => {
    groups.sweep(now());
    store.sweep(now());
    if (groups.size + store.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  const recordOf = (delegation: Delegation): DelegationRecord => {
    const record = records.get(delegation);
    if (!record) throw new TypeError('"delegation" must come from begin() of this broker');
    if (record.ended || record.group.ended || record.endsAt <= now()) {
      throw new OnbehalfError('delegation_ended', 'the run that this delegation was for has ended', {
        failure: 'reauthentication_required',
      });
    }
    assertNotExpired(record.claims.exp, now());
    return record;
  };

  const keyOf = (
    record: DelegationRecord,
    target: ResolvedTarget,
    actorIdentity = actors?.identity,
  ): string => {
    const memo = record.keys.get(target);
    if (memo && memo.actorIdentity === actorIdentity && memo.endpoint === tokenService.tokenEndpoint) {
      return memo.key;
    }
    const key = keyring.key({
      tenant: options.tenant ?? '',
      generation: options.generation ?? '',
      profile: 'rfc8693',
      group: record.group.keyPart,
      subjectDigest: record.subjectDigest,
      subjectTokenType: record.subject.type,
      actorIdentity: actorIdentity ?? '',
      tokenEndpoint: tokenService.tokenEndpoint ?? '',
      clientId: tokenService.clientId,
      ...target,
    });
    record.keys.set(target, { key, actorIdentity, endpoint: tokenService.tokenEndpoint });
    return key;
  };

  const isReady = (): boolean =>
    tokenService.tokenEndpoint !== undefined && (actors === undefined || actors.identity !== undefined);

  /** The endpoint and the actor are part of the key, so they come first, once for all who wait. */
  const prepare = async (signal?: AbortSignal): Promise<void> => {
    await Promise.all([abortable(tokenService.discover(), signal), actors?.current(signal)]);
  };

  const fetchToken = async (
    record: DelegationRecord,
    target: ResolvedTarget,
    signal: AbortSignal,
  ): Promise<IssuedToken> => {
    count.exchanges += 1;
    try {
      const { token, usableUntil, actorIdentity } = await exchange(record, target, signal);
      // The run may have ended, and the actor may be another one by now: never keep it where it does not belong.
      if (retention === 'subject' ? !closed : !record.group.ended) {
        const key = keyOf(record, target, actorIdentity);
        store.set(key, token, usableUntil);
        record.group.keys.add(key);
      }
      return token;
    } catch (error) {
      count.failures += 1;
      throw error;
    }
  };

  const lookUp = (record: DelegationRecord, target: ResolvedTarget): IssuedToken | undefined => {
    const found = isReady() ? store.get(keyOf(record, target), now()) : undefined;
    if (found) count.hits += 1;
    return found;
  };

  return Object.freeze<Broker>({
    begin({ subjectToken, subjectTokenType = TOKEN_TYPE.accessToken, session }) {
      if (closed) throw new TypeError('this broker was closed');
      const allowOpaque = options.allowOpaqueSubject ?? false;
      const claims = checkSubject(subjectToken, { now: now(), allowOpaque });
      const subject = securityToken(subjectToken as string, subjectTokenType);
      const subjectDigest = keyring.digest(subject.token);
      const shared = retention === 'subject' ? '' : (session ?? randomUUID());
      const endsAt = now() + (options.maxRunMs ?? HOUR);
      const group = groups.join(keyring.digest(shared, subjectDigest, subject.type), endsAt);
      const delegation: Delegation = Object.freeze({
        id: randomUUID(),
        group: group.id,
        endsAt,
        subject: Object.freeze({
          sub: claims.sub,
          iss: claims.iss,
          digest: subjectDigest,
          expiresAt: claims.exp,
        }),
      });
      records.set(delegation, {
        subject,
        claims,
        subjectDigest,
        group,
        endsAt,
        ended: false,
        keys: new WeakMap(),
      });
      timer ??= setInterval(sweep, SWEEP_MS).unref();
      return delegation;
    },

    async token(delegation, target, { signal } = {}) {
      const resolved = resolveTarget(target);
      const record = recordOf(delegation);
      signal?.throwIfAborted();
      if (!isReady()) await prepare(signal);
      const found = lookUp(recordOf(delegation), resolved);
      if (found) return found;
      const key = keyOf(record, resolved);
      if (flights.has(key)) count.joined += 1;
      const token = await flights.run(key, (all) => fetchToken(record, resolved, all), signal);
      recordOf(delegation);
      return token;
    },

    peek: (delegation, target) => lookUp(recordOf(delegation), resolveTarget(target)),

    reader(delegation, target) {
      const record = recordOf(delegation);
      const resolved = resolveTarget(target);
      return () => store.get(keyOf(record, resolved), now());
    },

    reject(delegation, target, accessToken) {
      const record = recordOf(delegation);
      const key = keyOf(record, resolveTarget(target));
      if (store.get(key, now())?.accessToken === accessToken) store.delete(key);
    },

    end(delegation) {
      const record = records.get(delegation);
      if (!record || record.ended) return;
      record.ended = true;
      groups.leave(record.group);
    },

    onGroupEnd(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    stats: () => ({ entries: store.size, delegations: groups.runs, ...count }),

    close() {
      closed = true;
      groups.endAll();
      store.clear();
      clearInterval(timer);
      timer = undefined;
    },
  });

  function unique(): { id: string; keyPart: string } {
    const id = randomUUID();
    return { id, keyPart: id };
  }
}

function assertOptions(options: BrokerOptions): void {
  if (options.retention !== undefined && options.retention !== 'run' && options.retention !== 'subject') {
    throw new TypeError('"retention" must be "run" or "subject"');
  }
  for (const name of ['maxTtlMs', 'marginMs', 'unknownTtlMs', 'maxRunMs', 'maxEntries', 'maxRuns'] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= (name === 'marginMs' ? 0 : 1))) {
      throw new TypeError(`"${name}" must be a positive number`);
    }
  }
}
