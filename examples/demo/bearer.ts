// What an MCP server does with the bearer token of a request: check it and read who is calling (RFC 6750).
import type { IncomingMessage } from 'node:http';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

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
 * issuer, expiry and audience. The reason it gives for a refusal never holds the token.
 */
export function createBearerVerifier(
  options: BearerVerifierOptions,
): (request: IncomingMessage) => Promise<BearerResult> {
  const jwks = createRemoteJWKSet(new URL(options.jwksUri));
  const { issuer, audience } = options;

  return async (request) => {
    const header = request.headers.authorization;
    if (header === undefined) return { kind: 'absent' };
    const token = /^Bearer ([\w~+/.-]+=*)$/i.exec(header)?.[1];
    if (token === undefined) return { kind: 'invalid', reason: 'malformed Authorization header' };
    try {
      const { payload } = await jwtVerify(token, jwks, { issuer, audience, requiredClaims: ['sub', 'exp'] });
      return { kind: 'valid', caller: callerOf(payload) };
    } catch (error) {
      const reason = error instanceof errors.JOSEError ? error.code : 'the token could not be verified';
      return { kind: 'invalid', reason };
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
