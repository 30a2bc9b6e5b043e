import { randomUUID } from 'node:crypto';
import { abortable } from '../core/abortable.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import { checkOptions } from '../core/options.ts';
import { assertNotExpired, checkSubject } from '../core/subject.ts';
import { type ResolvedTarget, resolveTarget } from '../core/target.ts';
import { assertTokenService } from '../core/token-service.ts';
import { securityToken, TOKEN_TYPE } from '../core/token-types.ts';
import { createActorCache } from './actor-cache.ts';
import { createRunGroups, type Delegation, type DelegationRecord } from './delegation.ts';
import { createExchanger } from './exchanger.ts';
import { createKeyring } from './key.ts';
import { createMemoryStore } from './memory-store.ts';
import { onlook } from './onlook.ts';
import { createSingleFlight } from './single-flight.ts';
import { createKeyOf } from './token-key.ts';
import type { Broker, BrokerOptions } from './types.ts';

const HOUR = 3_600_000;
const SWEEP_MS = 30_000;

/**
 * Makes a broker.
 *
 * @throws TypeError when an option is not of its form
 */
export function createBroker(options: BrokerOptions): Broker {
  assertOptions(options);
  const { tokenService, retention = 'run', now = Date.now } = options;
  const keyring = createKeyring();
  const actors = options.actor && createActorCache(options.actor, keyring, now);
  const store = createMemoryStore(options.maxEntries ?? 10_000);
  const flights = createSingleFlight<IssuedToken>();
  const records = new WeakMap<Delegation, DelegationRecord>();
  const listeners = new Set<(group: string) => void>();
  let closed = false;
  const count = { exchanges: 0, failures: 0, hits: 0, joined: 0 };
  const groups = createRunGroups({
    maxRuns: options.maxRuns ?? 100_000,
    now,
    // Under `run` retention every group has a key part of its own, so that no later run meets what it left.
    name: (label) => (retention === 'subject' ? { id: label, keyPart: '' } : unique()),
    onEnd: (group) => {
      if (retention === 'subject' && !closed) return;
      for (const listener of listeners) onlook(listener, group.id);
      for (const key of group.keys) store.delete(key);
    },
  });
  const exchange = createExchanger({ ...options, actors });
  const keyOf = createKeyOf({ ...options, keyring, actors });

  let timer: ReturnType<typeof setInterval> | undefined;
  const sweep = (): void => {
    groups.sweep();
    store.sweep(now());
    if (groups.size + store.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  const recordOf = (delegation: Delegation): DelegationRecord => {
    const record = records.get(delegation);
    if (!record) {
      throw new OnbehalfError('delegation_missing', 'the delegation is not of this broker', {
        failure: 'misconfigured',
      });
    }
    if (record.ended || record.group.ended || record.endsAt <= now()) {
      throw new OnbehalfError('delegation_ended', 'the run that this delegation was for has ended', {
        failure: 'reauthentication_required',
      });
    }
    assertNotExpired(record.claims.exp, now());
    return record;
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
      const id = randomUUID();
      const group = groups.join(keyring.digest(shared, subjectDigest, subject.type), { id, endsAt });
      const delegation: Delegation = Object.freeze({
        id,
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
      const resolved = resolveTarget(target);
      const record = records.get(delegation);
      // A refused token goes also when the run has ended meanwhile: under `subject` retention the next would meet it.
      if (!record) return;
      const key = keyOf(record, resolved);
      if (store.get(key, now())?.accessToken === accessToken) store.delete(key);
    },

    status(delegation) {
      if (!records.has(delegation)) return 'unknown';
      try {
        recordOf(delegation);
        return 'active';
      } catch {
        return 'ended';
      }
    },

    end(delegation) {
      const record = records.get(delegation);
      if (!record || record.ended) return;
      record.ended = true;
      groups.leave(record.group, delegation.id);
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
  checkOptions(options, 'createBroker()', {
    tokenService: 'object',
    actor: 'function?',
    retention: ['run', 'subject'],
    maxTtlMs: 'positive?',
    marginMs: 'natural?',
    unknownTtlMs: 'positive?',
    maxRunMs: 'positive?',
    maxEntries: 'positive?',
    maxRuns: 'positive?',
    allowOpaqueSubject: 'boolean?',
    allowOpaqueIssued: 'boolean?',
    tenant: 'string?',
    generation: 'string?',
    onExchange: 'function?',
    now: 'function?',
  });
  assertTokenService(options.tokenService);
}
