export { createBroker } from './broker/broker.ts';
export type { Delegation, Retention } from './broker/delegation.ts';
export type {
  BreakerEvent,
  BrokerObserver,
  ExchangeEvent,
  ExchangeStart,
  LookUpEvent,
  StoreEvent,
} from './broker/observer.ts';
export type { Lease, SharedStore } from './broker/shared-store.ts';
export type { BeginOptions, Broker, BrokerOptions, BrokerStats } from './broker/types.ts';
export { currentDelegation, iterateAs, runAs } from './context/carrier.ts';
export {
  createInbound,
  type HonoContext,
  type Inbound,
  type InboundOptions,
  type InboundRequest,
  type NodeRequest,
  type NodeResponse,
} from './context/inbound.ts';
export type { ChallengeOptions } from './context/inbound-refusal.ts';
export { type ActorSource, type ClientCredentialsOptions, clientCredentialsActor } from './core/actor.ts';
export { bearerToken } from './core/bearer.ts';
export type { BreakerOptions, BreakerState } from './core/breaker.ts';
export type { TokenClaims } from './core/claims.ts';
export type { AssertionOptions } from './core/client-assertion.ts';
export type { ClientAuth } from './core/client-authentication.ts';
export type { Dialect, ErrorAnswer } from './core/dialect.ts';
export {
  type ErrorCode,
  type FailureClass,
  isOnbehalfError,
  OnbehalfError,
  type OnbehalfErrorOptions,
} from './core/errors.ts';
export { exchangeRequest, processExchangeResponse } from './core/exchange.ts';
export type { ExchangeParameters } from './core/exchange-parameters.ts';
export { type FileActorOptions, fileActor } from './core/file-actor.ts';
export type { FetchLike } from './core/http.ts';
export type { IssuedToken } from './core/issued-token.ts';
export { type JwtBearerOptions, jwtBearerActor } from './core/jwt-bearer-actor.ts';
export type { RetryOptions } from './core/retry.ts';
export type { SecretSource } from './core/secret.ts';
export {
  type Check,
  type OneOrMore,
  type ProfileName,
  type ResolvedTarget,
  resolveTarget,
  type Target,
} from './core/target.ts';
export { createTokenService } from './core/token-service.ts';
export type { TokenService } from './core/token-service-handle.ts';
export type { TokenServiceOptions } from './core/token-service-options.ts';
export { type SecurityToken, securityToken, TOKEN_TYPE } from './core/token-types.ts';
export { type Expectation, verifyIssuedToken } from './core/verify.ts';
