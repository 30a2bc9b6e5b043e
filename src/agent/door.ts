import type { IncomingMessage } from 'node:http';
import { decodeJwt, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { AuthenticationConfig, RuntimeConfig } from '../config/runtime-config.ts';
import { createRefusals, type Refusal } from '../context/inbound-refusal.ts';
import { inboundToken, reasonOf } from '../context/inbound-token.ts';
import { OnbehalfError } from '../core/errors.ts';
import { securityToken } from '../core/token-types.ts';
import { anonymousCaller, type Caller, knownCaller } from './caller.ts';
import { inboundHeadersOf } from './inbound-headers.ts';
import { createIssuerKeys } from './issuer-keys.ts';

/** Lets a request in, as its caller, or says what it is answered. */
export type Door = (request: IncomingMessage) => Promise<Caller | Refusal>;

/** Options of {@link createDoor}. */
export interface DoorOptions {
  /** Verifies a token; see {@link createVerifier}. */
  readonly verify: Verify | undefined;
  /** Where this agent says whose tokens it takes (RFC 9728). */
  readonly resourceMetadata: string | undefined;
  /** Hears why a request was answered 503. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Reads a token and gives what it says, or throws. */
export type Verify = (token: string) => Promise<JWTPayload>;

/** Only algorithms whose keys can be published. Nobody can sign with a public key as if it were a shared secret. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** For clocks that differ; it makes no token last longer. */
const CLOCK_TOLERANCE_S = 5;

/**
 * Makes the check of callers' tokens; none where callers are anonymous.
 *
 * @throws OnbehalfError `insecure_url` when an issuer's keys would come in clear text
 */
export function createVerifier(config: RuntimeConfig): Verify | undefined {
  const authentication = config.authentication ?? { mode: 'anonymous' };
  switch (authentication.mode) {
    case 'anonymous':
      return undefined;
    case 'trusted_proxy':
      return async (token) => checked(decodeJwt(token), authentication);
    case 'jwt':
      return jwtVerifier(authentication, config);
  }
}

function jwtVerifier(authentication: AuthenticationConfig, config: RuntimeConfig): Verify {
  const { issuers = [], audience = '' } = authentication;
  const services = Object.values(config.token_exchange?.token_services ?? {});
  const keys = new Map<string, JWTVerifyGetKey>(
    issuers.map(({ issuer, jwks_url: jwksUrl }) => {
      const dangerouslyAllowInsecureHttp = services.some(
        (service) => service.issuer === issuer && service.dangerously_allow_insecure_http,
      );
      return [issuer, createIssuerKeys({ issuer, jwksUrl, dangerouslyAllowInsecureHttp })];
    }),
  );
  return async (token) => {
    const { iss: issuer = '' } = decodeJwt(token);
    const getKey = keys.get(issuer);
    if (!getKey) throw malformed('the token is of an issuer whose tokens are not taken');
    const { payload } = await jwtVerify(token, getKey, {
      ...{ issuer, audience, algorithms: ALGORITHMS },
      clockTolerance: CLOCK_TOLERANCE_S,
      requiredClaims: ['sub', 'exp'],
    });
    return checked(payload, authentication);
  };
}

/** What holds in every mode, also where somebody before this server has verified the token. */
function checked(payload: JWTPayload, { audience }: AuthenticationConfig): JWTPayload {
  const { iss, sub, exp, aud = [] } = payload;
  if (typeof sub !== 'string' || sub === '' || typeof iss !== 'string')
    throw malformed('the token names no subject');
  if (typeof exp !== 'number' || exp * 1000 <= Date.now()) {
    throw new OnbehalfError('subject_expired', 'the token has expired', {
      failure: 'reauthentication_required',
    });
  }
  if (audience !== undefined && ![aud].flat().includes(audience))
    throw malformed('the token is for another audience');
  return payload;
}

/**
 * Makes the door of an agent. A request without a good token is refused by 401 with the way to get one (RFC 6750 section 3, RFC 9728 section
 * 5.1), or by 503 when its token cannot be checked now.
 */
export function createDoor({ verify, resourceMetadata, onError }: DoorOptions): Door {
  if (!verify) return async (request) => anonymousCaller(inboundHeadersOf(request));
  const refusals = createRefusals({ resourceMetadata });
  return async (request) => {
    const found = inboundToken(request);
    if ('reason' in found) return refusals[found.reason];
    try {
      const { iss = '', sub = '' } = await verify(found.token);
      return knownCaller({ iss, sub }, securityToken(found.token), inboundHeadersOf(request));
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === 'unavailable') onError?.(error);
      return refusals[reason];
    }
  };
}

function malformed(message: string): OnbehalfError {
  return new OnbehalfError('subject_malformed', message, { failure: 'reauthentication_required' });
}
