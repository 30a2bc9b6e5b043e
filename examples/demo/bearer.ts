// What an MCP server does with the bearer token of a request: check it and read who is calling (RFC 6750).
import type { IncomingMessage } from 'node:http';
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';

/** The claims this example looks at. `act` is the `sub` of the acting party (RFC 8693, 4.1). */
export interface Caller {
  sub: string;
  act?: string;
  aud: string[];
  scope?: string;
}

export type BearerResult =
  | { kind: 'absent' }
  | { kind: 'invalid'; reason: string }
  | { kind: 'valid'; caller: Caller };

export interface BearerVerifierOptions {
  issuer: string;
  jwksUri: string;
  /** The only audience accepted: a token made for another server is refused. */
  audience: string;
}

/**
 * Returns a function that verifies the `Authorization` header of a request: signature by the issuer's JWKS,
 * issuer, expiry and audience. The reason it gives for a refusal never holds the token. It throws where the keys
 * cannot be had: of a token that could not be looked at, nobody may say that it is bad.
 */
export function createBearerVerifier(
  options: BearerVerifierOptions,
): (request: IncomingMessage) => Promise<BearerResult> {
  const keys = keysOf(options.jwksUri);
  const { issuer, audience } = options;

  return async (request) => {
    const header = request.headers.authorization;
    if (header === undefined) return { kind: 'absent' };
    const token = /^Bearer ([\w~+/.-]+=*)$/i.exec(header)?.[1];
    if (token === undefined) return { kind: 'invalid', reason: 'malformed Authorization header' };
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience, requiredClaims: ['sub', 'exp'] });
      return { kind: 'valid', caller: callerOf(payload) };
    } catch (error) {
      if (error instanceof KeysMissing) throw error;
      const reason = error instanceof errors.JOSEError ? error.code : 'the token could not be verified';
      return { kind: 'invalid', reason };
    }
  };
}

const OF_TOKEN = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

class KeysMissing extends Error {
  override readonly name = 'KeysMissing';
}

/** The issuer's keys, asked for now, so that the first of many requests need not wait for them, and then for unknown ones only. */
function keysOf(jwksUri: string): JWTVerifyGetKey {
  const jwks = createRemoteJWKSet(new URL(jwksUri), {
    timeoutDuration: 30_000,
    cooldownDuration: 1_000,
    cacheMaxAge: Number.POSITIVE_INFINITY,
  });
  // An issuer that starts later is asked again when a token comes.
  jwks.reload().catch(() => {});
  return async (...token) => {
    try {
      return await jwks(...token);
    } catch (error) {
      // What is said of the token, and not of the answer with the keys.
      if (OF_TOKEN.some((type) => error instanceof type)) throw error;
      throw new KeysMissing('the keys of the issuer cannot be had', { cause: error });
    }
  };
}

function callerOf(payload: Record<string, unknown>): Caller {
  const actor = payload.act as { sub?: unknown } | undefined;
  const caller: Caller = { sub: String(payload.sub), aud: [payload.aud].flat().map(String) };
  if (typeof actor?.sub === 'string') caller.act = actor.sub;
  if (typeof payload.scope === 'string') caller.scope = payload.scope;
  return caller;
}
