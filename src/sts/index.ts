/**
 * A development authorization server: client authentication, JWKS and metadata by `oidc-provider`, plus the
 * token exchange grant of RFC 8693. For tests and local work; it refuses to listen beyond loopback.
 */
export { createDevelopmentSts } from './development-sts.ts';
export type { ExchangeRecord } from './exchange-log.ts';
export type { Fault, FaultEffect, FrontFault, LyingFault } from './faults.ts';
export type {
  DevelopmentClient,
  DevelopmentSts,
  DevelopmentStsOptions,
  DevelopmentUser,
  SubjectTokenOptions,
  TrustedIssuer,
} from './options.ts';
