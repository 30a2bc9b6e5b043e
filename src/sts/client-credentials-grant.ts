import type { JWTPayload } from 'jose';
import type { DevelopmentClient } from './options.ts';
import { permittedTarget } from './policy.ts';
import { audClaim, epochSeconds } from './token-mint.ts';
import type { Parameters } from './token-request.ts';

/** A client credentials request that has been granted: what to sign and what to answer. */
export interface GrantedCredentials {
  readonly claims: JWTPayload;
  /** RFC 6749 section 5.1, without `access_token`. */
  readonly response: {
    readonly token_type: 'Bearer';
    readonly expires_in: number;
    readonly scope?: string;
  };
}

/**
 * Decides on a client credentials request (RFC 6749 section 4.4): the client's own token, `sub` = client id.
 * Without `audience` and `resource` it is for this server, to be used as an actor token.
 *
 * @throws `invalid_target`, `invalid_scope`
 */
export function grantClientCredentials(
  parameters: Parameters,
  context: { readonly issuer: string; readonly client: DevelopmentClient; readonly accessTokenTtl: number },
): GrantedCredentials {
  const { issuer, client, accessTokenTtl } = context;
  const target = permittedTarget(parameters, client);
  const now = epochSeconds();
  const scope = target.scope === undefined ? {} : { scope: target.scope };
  return {
    claims: {
      iss: issuer,
      sub: client.clientId,
      aud: audClaim(target.audiences.length === 0 ? [issuer] : target.audiences),
      client_id: client.clientId,
      iat: now,
      exp: now + accessTokenTtl,
      ...scope,
    },
    response: { token_type: 'Bearer', expires_in: accessTokenTtl, ...scope },
  };
}
