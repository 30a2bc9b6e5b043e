import { readTokenResponse } from './exchange.ts';
import { checkOptions } from './options.ts';
import { type OneOrMore, resolveTarget, targetForm } from './target.ts';
import { assertTokenService, tokenRequest } from './token-service.ts';
import type { TokenService } from './token-service-handle.ts';
import { type SecurityToken, securityToken } from './token-types.ts';

/**
 * Where the actor token comes from: asked again whenever the last one is about to expire, never kept beyond.
 * A string is an access token.
 */
export type ActorSource = (options: {
  readonly signal?: AbortSignal | undefined;
}) => string | SecurityToken | Promise<string | SecurityToken>;

/** Asks for the agent's own token, not on behalf of anyone. */
export interface ClientCredentialsOptions {
  /** `audience` parameter(s), as far as the STS takes them. */
  readonly audience?: OneOrMore | undefined;
  /** `resource` parameter(s), RFC 8707 section 2. */
  readonly resource?: OneOrMore | undefined;
  /** `scope` parameter, RFC 6749 section 3.3. */
  readonly scope?: OneOrMore | undefined;
}

/**
 * Gets the agent's own token by the client credentials grant (RFC 6749 section 4.4), for use as actor token.
 *
 * @param options - `audience`, `resource` and `scope` as the STS wants them; default: none
 */
export function clientCredentialsActor(
  service: TokenService,
  options: ClientCredentialsOptions = {},
): ActorSource {
  assertTokenService(service);
  checkOptions(options, 'clientCredentialsActor()', { audience: 'any?', resource: 'any?', scope: 'any?' });
  const parameters = agentTokenForm(options);
  return ({ signal }) =>
    agentToken(service, { grantType: 'client_credentials', parameters, secrets: [], signal });
}

/** The parameters that say what the agent's own token is for; none where the STS is to decide. */
export function agentTokenForm(options: ClientCredentialsOptions): URLSearchParams {
  if (!options.audience && !options.resource && !options.scope) return new URLSearchParams();
  return targetForm(resolveTarget(options));
}

/** Asks for the agent's own token by a grant. */
export async function agentToken(
  service: TokenService,
  request: {
    readonly grantType: string;
    readonly parameters: URLSearchParams;
    /** Values of the parameters that must not come back in an error. */
    readonly secrets: readonly string[];
    readonly signal: AbortSignal | undefined;
  },
): Promise<SecurityToken> {
  const { grantType, parameters, secrets, signal } = request;
  const response = await tokenRequest(service, grantType, {
    parameters: new URLSearchParams(parameters),
    signal,
  });
  const { access_token, expires_in } = await readTokenResponse(service, response, { secrets });
  return securityToken(access_token, undefined, expires_in === undefined ? undefined : expires_in * 1000);
}
