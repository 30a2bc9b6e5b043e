import { randomUUID } from 'node:crypto';
import { abortable } from '../core/abortable.ts';
import { withDeadline } from '../core/deadline.ts';
import { OnbehalfError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { assertNotExpired, checkSubject } from '../core/subject.ts';
import { type ResolvedTarget, resolveTarget } from '../core/target.ts';
import { securityToken, TOKEN_TYPE } from '../core/token-types.ts';
import { createActorCache } from './actor-cache.ts';
import { createBreakerWatch } from './breaker-watch.ts';
import { checkBrokerOptions } from './broker-options.ts';
import { createCarefulStore } from './careful-store.ts';
import { createRunGroups, type Delegation, type DelegationRecord } from './delegation.ts';
import { createKeyring } from './key.ts';
import { onlook } from './onlook.ts';
import { createReplicas } from './replicas.ts';
import { createTokenKeys } from './token-key.ts';
import { createTokenSource } from './token-source.ts';
import type { Broker, BrokerOptions } from './types.ts';

const HOUR = 3_600_000;
const SWEEP_MS = 30_000;
/** One exchange takes far less; a replica that died must not hold up the others for long. */
const LEASE_MS = 5_000;

/**
 * Makes a broker.
 *
 * @throws TypeError when an option is not of its form
 */
export function createBroker(given: BrokerOptions): Broker {
  checkBrokerOptions(given);
  const options = { ...given };
  const { tokenService, retention = 'run', now = Date.now, deadlineMs = 30_000, observer } = options;
  const keyring = createKeyring();
  const actors = options.actor && createActorCache(options.actor, keyring, { now, deadlineMs });
  const shared =
    options.store &&
    createCarefulStore(options.store, {
      timeoutMs: options.storeTimeoutMs ?? 250,
      now,
      onChange: (event) => onlook(observer?.store, event),
    });
  const records = new WeakMap<Delegation, DelegationRecord>();
  const listeners = new Set<(group: string) => void>();
  let closed = false;
  const tokens = createTokenSource({
    ...options,
    ...{ actors, keyring, now, deadlineMs, observer },
    keys: createTokenKeys({ ...options, keyring, actors }),
    replicas: shared && createReplicas(shared, { leaseMs: LEASE_MS, now }),
    maxEntries: options.maxEntries ?? 10_000,
    refusalTtlMs: options.refusalTtlMs ?? 5_000,
    // The run may have ended meanwhile: a token must not be kept where it no longer belongs.
    mayKeep: (group) => (retention === 'subject' ? !closed : !group.ended),
  });
  const groups = createRunGroups({
    maxRuns: options.maxRuns ?? 100_000,
    now,
    // Under `run` retention every group has a key part of its own, so that no later run meets what it left.
    name: (label) => (retention === 'subject' ? { id: label, keyPart: '' } : unique()),
    onEnd: (group) => {
      if (retention === 'subject' && !closed) return;
      for (const listener of listeners) onlook(listener, group.id);
      tokens.forget(group);
    },
  });
  const watch = createBreakerWatch(observer?.breaker);
  watch.add(tokenService);

  let timer: ReturnType<typeof setInterval> | undefined;
  const sweep = (): void => {
    groups.sweep();
    tokens.sweep();
    if (groups.size + tokens.size > 0) return;
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

  const isReady = ({ authorizationServer }: ResolvedTarget): boolean =>
    tokenService.tokenEndpoint !== undefined &&
    (actors === undefined || actors.identity !== undefined) &&
    (authorizationServer === undefined || authorizationServer.tokenEndpoint !== undefined);

  /** The endpoints and the actor are part of the key, so they come first, once for all who wait. */
  const prepare = async (
    { authorizationServer }: ResolvedTarget,
    signal: AbortSignal | undefined,
  ): Promise<void> => {
    await withDeadline(deadlineMs, signal, async (either) => {
      await Promise.all([
        abortable(tokenService.discover(), either),
        authorizationServer && abortable(authorizationServer.discover(), either),
        actors?.current(either),
      ]);
    });
  };

  return Object.freeze<Broker>({
    begin(run) {
      if (closed) throw new TypeError('this broker was closed');
      checkOptions(run, 'begin()', { subjectToken: 'any?', subjectTokenType: 'text?', session: 'string?' });
      const { subjectToken, subjectTokenType = TOKEN_TYPE.accessToken, session } = run;
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
      const kept = isReady(resolved) ? tokens.lookUp(record, resolved) : undefined;
      if (kept) return kept;
      let leftMs = deadlineMs;
      // Another actor would have another key.
      if (!isReady(resolved) || actors?.stale) {
        const begun = Date.now();
        await prepare(resolved, signal);
        leftMs = Math.max(1, deadlineMs - (Date.now() - begun));
        recordOf(delegation);
        const found = tokens.lookUp(record, resolved);
        if (found) return found;
      }
      if (resolved.authorizationServer) watch.add(resolved.authorizationServer);
      const token = await tokens.obtain(record, resolved, { signal, deadlineMs: leftMs });
      recordOf(delegation);
      return token;
    },

    peek(delegation, target) {
      const record = recordOf(delegation);
      const resolved = resolveTarget(target);
      return isReady(resolved) ? tokens.lookUp(record, resolved) : undefined;
    },

    reader(delegation, target) {
      const record = recordOf(delegation);
      const resolved = resolveTarget(target);
      return () => tokens.read(record, resolved);
    },

    reject(delegation, target, accessToken) {
      const resolved = resolveTarget(target);
      const record = records.get(delegation);
      // A refused token goes also when the run has ended meanwhile: under `subject` retention the next would meet it.
      if (record) tokens.reject(record, resolved, accessToken);
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

    stats: () => ({
      entries: tokens.size,
      delegations: groups.runs,
      ...tokens.counts,
      store: shared?.state ?? 'none',
      breaker: tokenService.breaker,
    }),

    close() {
      closed = true;
      groups.endAll();
      tokens.clear();
      watch.stop();
      clearInterval(timer);
      timer = undefined;
    },
  });

  function unique(): { id: string; keyPart: string } {
    const id = randomUUID();
    return { id, keyPart: id };
  }
}
