import type { IncomingMessage } from 'node:http';
import { decodeJwt, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { AuthenticationConfig, RuntimeConfig } from '../config/runtime-config.ts';
import { createRefusals, type Refusal } from '../context/inbound-refusal.ts';
import { inboundToken, reasonOf } from '../context/inbound-token.ts';
import { OnbehalfError } from '../core/errors.ts';
import { securityToken } from '../core/token-types.ts';
import { anonymousCaller, type Caller, knownCaller } from './caller.ts';
import { inboundHeadersOf } from './inbound-headers.ts';
import { createIssuerKeys, type IssuerKeys } from './issuer-keys.ts';
import { createRefusedLimit } from './refused-limit.ts';
import { seldom } from './seldom.ts';

/** Lets a request in, as its caller, or says what it is answered. */
export type Door = (request: IncomingMessage) => Promise<Caller | Refusal>;

/** Options of {@link createDoor}. */
export interface DoorOptions {
  /** Verifies a token; see {@link createVerifier}. */
  readonly verify: Verify | undefined;
  /** Where this agent says whose tokens it takes (RFC 9728). */
  readonly resourceMetadata: string | undefined;
  /** Hears why requests were answered 503: of each issuer and kind of error once in 10 seconds, with how often it was. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Tokens of one address with a wrong signature in a minute before no more are looked at. Default: 12,000. */
  readonly maxForgedPerMinute?: number | undefined;
}

/** Reads a token and gives what it says, or throws. */
export type Verify = (token: string) => Promise<JWTPayload>;

/** How tokens are checked, and what is needed for that. */
export interface Verifier {
  readonly verify: Verify;
  /** Whose keys have to be had; none where signatures are not looked at. */
  readonly issuers: readonly IssuerKeys[];
}

/** Only algorithms whose keys can be published. Nobody can sign with a public key as if it were a shared secret. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** For clocks that differ; it makes no token last longer. */
const CLOCK_TOLERANCE_S = 5;
/** Keys of an issuer that are tried for a token that names none. */
const MOST_KEYS = 8;
/** So many cost a fiftieth of a core, with eight keys each a sixth; the address may be that of a proxy, and so everybody's. */
const MAX_FORGED_PER_MINUTE = 12_000;

/**
 * Makes the check of callers' tokens; none where callers are anonymous.
 *
 * @throws OnbehalfError `insecure_url` when an issuer's keys would come in clear text
 */
export function createVerifier(config: RuntimeConfig): Verifier | undefined {
  const authentication = config.authentication ?? { mode: 'anonymous' };
  switch (authentication.mode) {
    case 'anonymous':
      return undefined;
    case 'trusted_proxy':
      return { verify: async (token) => checked(decodeJwt(token), authentication), issuers: [] };
    case 'jwt':
      return jwtVerifier(authentication, config);
  }
}

function jwtVerifier(authentication: AuthenticationConfig, config: RuntimeConfig): Verifier {
  const { issuers = [], audience = '' } = authentication;
  const services = Object.values(config.token_exchange?.token_services ?? {});
  const keys = new Map<string, IssuerKeys>(
    issuers.map(({ issuer, jwks_url: jwksUrl }) => {
      const dangerouslyAllowInsecureHttp = services.some(
        (service) => service.issuer === issuer && service.dangerously_allow_insecure_http,
      );
      return [issuer, createIssuerKeys({ issuer, jwksUrl, dangerouslyAllowInsecureHttp })];
    }),
  );
  const verify: Verify = async (token) => {
    const { iss: issuer = '' } = decodeJwt(token);
    const { getKey } = keys.get(issuer) ?? {};
    if (!getKey) throw malformed('the token is of an issuer whose tokens are not taken');
    const payload = await verified(token, getKey, {
      ...{ issuer, audience, algorithms: ALGORITHMS },
      clockTolerance: CLOCK_TOLERANCE_S,
      requiredClaims: ['sub', 'exp'],
    });
    return checked(payload, authentication);
  };
  return { verify, issuers: [...keys.values()] };
}

/** A token need not name its key (RFC 7515 section 4.1.4), and its issuer may have several that it can be of. */
async function verified(
  token: string,
  getKey: IssuerKeys['getKey'],
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, getKey, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let tried = 0;
    for await (const key of error) {
      if (tried === MOST_KEYS) break;
      tried += 1;
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (cause) {
        // Claims are looked at where the signature is good; all else says that it is not this key.
        if (OF_CLAIMS.test(String(Object(cause).code))) throw cause;
      }
    }
    // What is left of it says that no key fits.
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Only what got as far as a signature has cost anything; nobody who is let in elsewhere has such a token. */
const isForged = (error: unknown): boolean => error instanceof errors.JWSSignatureVerificationFailed;

const OF_CLAIMS = /^ERR_JWT_/;

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
 * 5.1), by 503 when its token cannot be checked now, or by 429 (RFC 6585 section 4) when too many tokens of its address were refused.
 */
export function createDoor({ verify, resourceMetadata, onError, ...more }: DoorOptions): Door {
  if (!verify) return async (request) => anonymousCaller(inboundHeadersOf(request));
  const refusals = createRefusals({ resourceMetadata });
  const limit = createRefusedLimit(more.maxForgedPerMinute ?? MAX_FORGED_PER_MINUTE);
  const tell = seldom((error) => onError?.(error));
  return async (request) => {
    const found = inboundToken(request);
    if ('reason' in found) return refusals[found.reason];
    const { token } = found;
    const address = String(request.socket.remoteAddress);
    const seconds = limit.wait(address, token);
    if (seconds > 0) return tooMany(seconds);
    try {
      const { iss = '', sub = '' } = await verify(token);
      const caller = knownCaller({ iss, sub }, securityToken(token), inboundHeadersOf(request));
      limit.admitted(token);
      return caller;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === 'unavailable') tell(kindOf(token, error), error);
      else if (isForged(error)) limit.refused(address);
      return refusals[reason];
    }
  };
}

/** By issuer and error, whatever the error says: only tokens of issuers that are known get so far that nobody can check them. */
function kindOf(token: string, error: unknown): string {
  const { code, name } = Object(error) as { readonly code?: unknown; readonly name?: unknown };
  let issuer: unknown;
  try {
    issuer = decodeJwt(token).iss;
  } catch {
    // Whose it is, it does not say.
  }
  return JSON.stringify([issuer, String(code ?? name)]);
}

function tooMany(seconds: number): Refusal {
  return {
    status: 429,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'retry-after': String(seconds),
    },
    body: JSON.stringify({ error: 'too many tokens were refused: try again later' }),
  };
}

function malformed(message: string): OnbehalfError {
  return new OnbehalfError('subject_malformed', message, { failure: 'reauthentication_required' });
}
