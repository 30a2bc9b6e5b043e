export { createBroker } from './broker/broker.ts';
export type { Delegation, Retention } from './broker/delegation.ts';
export type { ExchangeEvent } from './broker/exchanger.ts';
export type { BeginOptions, Broker, BrokerOptions, BrokerStats } from './broker/types.ts';
export { currentDelegation, iterateAs, runAs } from './context/carrier.ts';
export { type ActorSource, type ClientCredentialsOptions, clientCredentialsActor } from './core/actor.ts';
export { bearerToken } from './core/bearer.ts';
export type { TokenClaims } from './core/claims.ts';
export type { ClientAuth } from './core/client-authentication.ts';
export {
  type ErrorCode,
  type FailureClass,
  isOnbehalfError,
  OnbehalfError,
  type OnbehalfErrorOptions,
} from './core/errors.ts';
export { type ExchangeParameters, exchangeRequest, processExchangeResponse } from './core/exchange.ts';
export type { FetchLike } from './core/http.ts';
export type { IssuedToken } from './core/issued-token.ts';
export { type OneOrMore, type ResolvedTarget, resolveTarget, type Target } from './core/target.ts';
export { createTokenService, type TokenService, type TokenServiceOptions } from './core/token-service.ts';
export { type SecurityToken, securityToken, TOKEN_TYPE } from './core/token-types.ts';
export { type Expectation, verifyIssuedToken } from './core/verify.ts';
