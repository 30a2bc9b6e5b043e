import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { showable } from './exchange-log.ts';
import { oauthError } from './oauth-error.ts';
import type { TrustedIssuer } from './options.ts';

/** A subject or actor token whose signature, issuer and lifetime hold. */
export interface VerifiedToken {
  /** Whether this server issued it. */
  readonly own: boolean;
  readonly issuer: string;
  readonly sub: string;
  /** Seconds since the epoch. */
  readonly exp: number;
  readonly audiences: readonly string[];
  readonly claims: JWTPayload;
}

/**
 * @param name - the parameter that held the token, for the error description
 * @throws `invalid_request`, whatever is wrong with the token (RFC 8693 section 2.2.2)
 */
export type TokenVerifier = (token: string, name: 'subject_token' | 'actor_token') => Promise<VerifiedToken>;

/** Verifies JWTs of this server and of the trusted issuers; no clock tolerance, all clocks are this one. */
export function createTokenVerifier(
  ownIssuer: string,
  ownKeys: JSONWebKeySet,
  trusted: readonly TrustedIssuer[] = [],
): TokenVerifier {
  const keys = new Map(trusted.map((entry) => [entry.issuer, keysOf(entry)]));
  keys.set(ownIssuer, createLocalJWKSet(ownKeys));

  return async (token, name) => {
    const issuer = issuerOf(token, name);
    const key = keys.get(issuer);
    if (key === undefined) {
      throw oauthError(
        'invalid_request',
        `${name} is from ${showable(issuer)}, which is not a trusted issuer`,
      );
    }
    const claims = await verify(token, key, { issuer, name });
    const { sub, exp, aud = [] } = claims;
    if (typeof sub !== 'string' || sub === '' || exp === undefined) {
      throw oauthError('invalid_request', `${name} has no sub`);
    }
    return { own: issuer === ownIssuer, issuer, sub, exp, audiences: [aud].flat(), claims };
  };
}

function keysOf({ jwks, jwksUri }: TrustedIssuer): JWTVerifyGetKey {
  if (jwks !== undefined) return createLocalJWKSet(jwks);
  return createRemoteJWKSet(new URL(jwksUri ?? ''));
}

function issuerOf(token: string, name: string): string {
  try {
    const { iss } = decodeJwt(token);
    if (typeof iss === 'string') return iss;
  } catch {
    throw oauthError('invalid_request', `${name} is not a JWT`);
  }
  throw oauthError('invalid_request', `${name} has no iss`);
}

async function verify(
  token: string,
  key: JWTVerifyGetKey,
  expected: { readonly issuer: string; readonly name: string },
): Promise<JWTPayload> {
  try {
    const options = { issuer: expected.issuer, requiredClaims: ['sub', 'exp'] };
    return (await jwtVerify(token, key, options)).payload;
  } catch (error) {
    throw oauthError('invalid_request', `${expected.name} ${whatIsWrong(error)}`);
  }
}

function whatIsWrong(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `has an unacceptable ${error.claim} claim`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'has a signature that does not verify';
  if (error instanceof errors.JWKSNoMatchingKey) return 'is signed with a key its issuer does not publish';
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'is not a valid JWT';
  return 'could not be verified: the keys of its issuer are not available or do not fit';
}
