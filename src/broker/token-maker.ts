import { randomUUID } from 'node:crypto';
import { isOnbehalfError, OnbehalfError } from '../core/errors.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import { identityAssertionTarget } from '../core/profiles/id-jag.ts';
import { profileNameOf } from '../core/profiles/profile-of.ts';
import type { ResolvedTarget } from '../core/target.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import { securityToken, TOKEN_TYPE } from '../core/token-types.ts';
import type { Actor, ActorCache } from './actor-cache.ts';
import type { DelegationRecord } from './delegation.ts';
import type { ExchangeOrder, ExchangeResult, Exchanger } from './exchanger.ts';

/** A token to be made for a delegation and a target. */
export interface MakeOrder extends Pick<ExchangeOrder, 'id' | 'reason' | 'signal'> {
  readonly record: DelegationRecord;
  readonly target: ResolvedTarget;
  /** The actor, where it is fixed already. Default: as of then. */
  readonly actor?: Actor | undefined;
}

/** The first step's token, an ID-JAG, and whom it names as actor. */
export interface Assertion {
  readonly token: IssuedToken;
  readonly actor: Actor | undefined;
  /** Whether it was made for this very order, so that nobody can have used it. */
  readonly fresh: boolean;
}

/** Where ID-JAGs are had from: kept or made. */
export interface AssertionSource {
  kept(record: DelegationRecord, target: ResolvedTarget): Assertion | undefined;
  obtain(order: MakeOrder): Promise<Assertion>;
  reject(record: DelegationRecord, target: ResolvedTarget, token: IssuedToken): void;
}

/** Makes a token at the STS, in the one or two steps of the target's profile. */
export type TokenMaker = (order: MakeOrder) => Promise<ExchangeResult>;

/** What a {@link TokenMaker} makes tokens with. */
export interface TokenMakerOptions {
  readonly tokenService: TokenService;
  readonly actors: ActorCache | undefined;
  readonly exchange: Exchanger;
  readonly assertions: AssertionSource;
}

/** Errors of an STS that may be about the actor token (RFC 8693 section 2.2.2). */
const MAY_BE_ACTOR: ReadonlySet<string> = new Set(['invalid_grant', 'invalid_request']);

export function createTokenMaker(options: TokenMakerOptions): TokenMaker {
  const { tokenService, actors, exchange, assertions } = options;

  const oneStep = async (order: MakeOrder): Promise<ExchangeResult> => {
    let actor = order.actor;
    const current = async (): Promise<Actor> => {
      actor ??= await (actors as ActorCache).current(order.signal);
      return actor;
    };
    try {
      const { subject } = order.record;
      return await exchange({ ...order, service: tokenService, subject, actor: actors && current });
    } catch (error) {
      const refused = isOnbehalfError(error) && MAY_BE_ACTOR.has(error.oauthError ?? '');
      if (actor && refused) actors?.reject(actor);
      throw error;
    }
  };

  const second = async (order: MakeOrder, { token, actor }: Assertion): Promise<ExchangeResult> => {
    // Between replicas the actor is part of what was agreed on.
    if (order.actor && order.actor.identity !== actor?.identity) {
      throw new OnbehalfError('actor_unavailable', 'the actor became another one meanwhile', {
        failure: 'unavailable',
      });
    }
    const service = order.target.authorizationServer as TokenService;
    const subject = securityToken(token.accessToken, TOKEN_TYPE.idJag);
    const { kept } = await exchange({ ...order, service, subject, actor: undefined });
    return { kept, actor };
  };

  const twoSteps = async (order: MakeOrder): Promise<ExchangeResult> => {
    const { record } = order;
    const target = identityAssertionTarget(order.target);
    const first = assertions.kept(record, target) ?? (await assertions.obtain({ ...order, target }));
    try {
      return await second(order, first);
    } catch (error) {
      // The authorization server may take an ID-JAG once only (RFC 7523 section 3, "jti").
      if (first.fresh || !isOnbehalfError(error) || error.oauthError !== 'invalid_grant') throw error;
      assertions.reject(record, target, first.token);
    }
    const next = await assertions.obtain({ ...order, target });
    return second({ ...order, id: randomUUID() }, next);
  };

  return (order) =>
    profileNameOf(tokenService, order.target) === 'id-jag' ? twoSteps(order) : oneStep(order);
}
