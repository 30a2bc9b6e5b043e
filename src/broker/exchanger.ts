import { createHash } from 'node:crypto';
import { isOnbehalfError, OnbehalfError } from '../core/errors.ts';
import { exchangeRequest, processExchangeResponse } from '../core/exchange.ts';
import { profileNameOf } from '../core/profiles/profile-of.ts';
import { assertNotExpired } from '../core/subject.ts';
import type { ResolvedTarget } from '../core/target.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import type { SecurityToken } from '../core/token-types.ts';
import { verifyIssuedToken } from '../core/verify.ts';
import type { Actor } from './actor-cache.ts';
import type { DelegationRecord } from './delegation.ts';
import { type KeepTimes, keepTimes } from './keep-times.ts';
import type { KeptToken } from './memory-store.ts';
import { type BrokerObserver, type ExchangeEvent, type ExchangeStart, traced } from './observer.ts';
import { onlook } from './onlook.ts';

/** One exchange to be made. */
export interface ExchangeOrder {
  /** Names it; those who join are told the same. */
  readonly id: string;
  readonly reason: ExchangeStart['reason'];
  /** Where: the broker's STS; for the second step of `id-jag` the resource's. */
  readonly service: TokenService;
  /** What goes in: the user's token; for the second step of `id-jag` the ID-JAG. */
  readonly subject: SecurityToken;
  readonly record: Pick<DelegationRecord, 'subject' | 'claims' | 'subjectDigest'>;
  readonly target: ResolvedTarget;
  /** Gives the actor to send; nobody's, without one. */
  readonly actor: (() => Promise<Actor>) | undefined;
  readonly signal: AbortSignal;
}

/** A verified token, how long it may be used, and who was sent as actor. */
export interface ExchangeResult {
  readonly kept: KeptToken;
  readonly actor: Actor | undefined;
}

/** The part of the broker's options that concerns a single exchange. */
export interface ExchangerOptions extends KeepTimes {
  readonly observer?: BrokerObserver | undefined;
  readonly now: () => number;
}

/** Makes one exchange, verifies the outcome and tells about it. */
export type Exchanger = (order: ExchangeOrder) => Promise<ExchangeResult>;

export function createExchanger(options: ExchangerOptions): Exchanger {
  const { observer, now } = options;

  const exchange = async (order: ExchangeOrder, actor: Actor | undefined): Promise<KeptToken> => {
    const { service, subject, record, target, signal } = order;
    assertMayAct(record, actor);
    const parameters = { subject, actor: actor?.token, target };
    const response = await exchangeRequest(service, parameters, { signal, who: record.subjectDigest });
    const token = await processExchangeResponse(service, response, parameters);
    const time = now();
    // It may have taken long.
    assertNotExpired(record.claims.exp, time);
    verifyIssuedToken(token, { service, target, subject: record.claims, actor, now: time });
    const times = keepTimes(token, record.claims, { ...options, now: time });
    if (times.usableUntil > time) return { token, ...times };
    const message = 'the token that the STS issued was refused: it has no lifetime';
    throw new OnbehalfError('issued_token_rejected', message, { failure: 'misconfigured' });
  };

  return async (order) => {
    const about = startOf(order);
    const run = async (): Promise<ExchangeResult> => {
      const at = now();
      let actor: Actor | undefined;
      const tell = (outcome: Outcome): void => {
        if (!observer?.exchange) return;
        const facts = { ...about, at, durationMs: now() - at, act: actor?.sub };
        onlook(observer.exchange, { ...facts, ...eventOf(order, outcome) });
      };
      try {
        actor = await order.actor?.();
        const kept = await exchange(order, actor);
        tell({ kept });
        return { kept, actor };
      } catch (error) {
        tell({ error });
        throw error;
      }
    };
    return observer ? traced(observer, 'exchange', about, run) : run();
  };
}

type Outcome = { readonly kept: KeptToken } | { readonly error: unknown };

/** What an observer may know of an exchange before it is made. */
export function startOf({ id, reason, service, record, target }: ExchangeOrder): ExchangeStart {
  const { audiences, resources, scopes } = target;
  const name = profileNameOf(service, target);
  return {
    ...{ id, reason, audiences, resources },
    tokenEndpoint: service.tokenEndpoint ?? '',
    profile: service.dialect === undefined ? name : `${name}/${service.dialect}`,
    clientId: service.clientId,
    scope: scopes.length > 0 ? scopes.join(' ') : undefined,
    sub: record.claims.sub,
    iss: record.claims.iss,
  };
}

const sha256 = (token: string): string => createHash('sha256').update(token).digest('base64url');

function eventOf(
  { record, signal }: ExchangeOrder,
  outcome: Outcome,
): Omit<ExchangeEvent, keyof ExchangeStart | 'at' | 'durationMs' | 'act'> {
  const kept = 'kept' in outcome ? outcome.kept : undefined;
  const error = 'error' in outcome && isOnbehalfError(outcome.error) ? outcome.error : undefined;
  return {
    subjectTokenDigest: sha256(record.subject.token),
    outcome: kept ? 'issued' : !error && signal.aborted ? 'aborted' : 'failed',
    tokenDigest: kept && sha256(kept.token.accessToken),
    usableUntil: kept?.usableUntil,
    code: error?.code,
    failure: error?.failure,
    oauthError: error?.oauthError,
    status: error?.status,
  };
}

/** @throws OnbehalfError `actor_not_permitted` when the subject token names another actor (RFC 8693 section 4.4) */
function assertMayAct({ claims }: ExchangeOrder['record'], actor: Actor | undefined): void {
  if (!actor) return;
  const { mayAct, malformed = [] } = claims;
  const named = mayAct !== undefined || malformed.includes('may_act');
  // Whose an opaque actor token is, only the STS knows.
  if (!named || actor.sub === undefined) return;
  const sameIssuer = mayAct?.iss === undefined || mayAct.iss === actor.iss;
  if (mayAct?.sub === actor.sub && sameIssuer) return;
  throw new OnbehalfError('actor_not_permitted', 'the "may_act" of the subject token names another actor', {
    failure: 'denied',
  });
}
