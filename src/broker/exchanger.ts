import { isOnbehalfError, OnbehalfError } from '../core/errors.ts';
import { exchangeRequest, processExchangeResponse } from '../core/exchange.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import type { ResolvedTarget } from '../core/target.ts';
import type { TokenService } from '../core/token-service.ts';
import { verifyIssuedToken } from '../core/verify.ts';
import type { Actor, ActorCache } from './actor-cache.ts';
import type { DelegationRecord } from './delegation.ts';
import { onlook } from './onlook.ts';
import { usableUntil } from './ttl.ts';

/** One exchange, as told to `onExchange`: claims and outcome, never a token. */
export interface ExchangeEvent {
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /** Audiences that were asked for. */
  readonly audiences: readonly string[];
  /** Resources that were asked for. */
  readonly resources: readonly string[];
  /** Scope that was asked for. */
  readonly scope: string | undefined;
  /** `sub` of the subject token. */
  readonly sub: string | undefined;
  /** `sub` of the actor token, as far as it was had. */
  readonly act: string | undefined;
  /** `failed` also when what was issued was refused here. */
  readonly outcome: 'issued' | 'failed';
  /** Code of the failure. */
  readonly code: string | undefined;
}

/** A verified token and how long it may be used. */
export interface ExchangeResult {
  readonly token: IssuedToken;
  /** In milliseconds since the epoch. */
  readonly usableUntil: number;
  /** Identity of the actor that was sent; empty without one. */
  readonly actorIdentity: string;
}

/** The part of the broker's options that concerns a single exchange. */
export interface ExchangerOptions {
  readonly tokenService: TokenService;
  readonly actors: ActorCache | undefined;
  readonly maxTtlMs?: number | undefined;
  readonly marginMs?: number | undefined;
  readonly unknownTtlMs?: number | undefined;
  readonly allowOpaqueIssued?: boolean | undefined;
  readonly onExchange?: ((event: ExchangeEvent) => void) | undefined;
  readonly now?: (() => number) | undefined;
}

/** The part of a delegation that an exchange needs. */
type ExchangedRecord = Pick<DelegationRecord, 'subject' | 'claims'>;

/** Exchanges one subject token for one target, verifies the outcome and tells about it. */
export type Exchanger = (
  record: ExchangedRecord,
  target: ResolvedTarget,
  signal: AbortSignal,
) => Promise<ExchangeResult>;

/** Errors of an STS that may be about the actor token (RFC 8693 section 2.2.2). */
const MAY_BE_ACTOR: ReadonlySet<string> = new Set(['invalid_grant', 'invalid_request']);

export function createExchanger(options: ExchangerOptions): Exchanger {
  const { tokenService, now = Date.now } = options;
  const ttl = {
    maxTtlMs: options.maxTtlMs ?? 3_600_000,
    marginMs: options.marginMs ?? 10_000,
    unknownTtlMs: options.unknownTtlMs ?? 60_000,
  };

  const exchange = async (
    record: ExchangedRecord,
    target: ResolvedTarget,
    { actor, signal }: { actor: Actor | undefined; signal: AbortSignal },
  ): Promise<ExchangeResult> => {
    const parameters = { subject: record.subject, actor: actor?.token, target };
    const response = await exchangeRequest(tokenService, parameters, { signal });
    const token = await processExchangeResponse(tokenService, response, parameters);
    const time = now();
    const allowOpaque = options.allowOpaqueIssued ?? false;
    verifyIssuedToken(token, { target, subject: record.claims, actor, now: time, allowOpaque });
    const exps = { tokenExp: token.claims?.exp, subjectExp: record.claims.exp };
    const until = usableUntil({ now: time, expiresInMs: token.expiresInMs, ...exps, ...ttl });
    if (until > time) return { token, usableUntil: until, actorIdentity: actor?.identity ?? '' };
    const message = 'the token that the STS issued was refused: it has no lifetime';
    throw new OnbehalfError('issued_token_rejected', message, { failure: 'misconfigured' });
  };

  return async (record, target, signal) => {
    const at = now();
    let actor: Actor | undefined;
    const tell = (outcome: ExchangeEvent['outcome'], code?: string): void => {
      const { audiences, resources, scopes } = target;
      const scope = scopes.length > 0 ? scopes.join(' ') : undefined;
      const parties = { sub: record.claims.sub, act: actor?.sub };
      const durationMs = now() - at;
      onlook(options.onExchange, { at, durationMs, audiences, resources, scope, ...parties, outcome, code });
    };
    try {
      actor = await options.actors?.current(signal);
      const result = await exchange(record, target, { actor, signal });
      tell('issued');
      return result;
    } catch (error) {
      if (actor && isOnbehalfError(error) && MAY_BE_ACTOR.has(error.oauthError ?? ''))
        options.actors?.reject(actor);
      tell('failed', isOnbehalfError(error) ? error.code : 'aborted');
      throw error;
    }
  };
}
