import { type ActorSource, agentToken, agentTokenForm, type ClientCredentialsOptions } from './actor.ts';
import { checkOptions } from './options.ts';
import { jwtSource, type SecretSource } from './secret.ts';
import { assertTokenService } from './token-service.ts';
import type { TokenService } from './token-service-handle.ts';
import { JWT_BEARER_GRANT } from './token-types.ts';

/** Asks for the agent's own token with a JWT that somebody else made for the agent. */
export interface JwtBearerOptions extends ClientCredentialsOptions {
  /**
   * The JWT, such as a workload identity token that the platform projects into a file: its value, `{ file }`, or a
   * function that gives it. A file and a function are asked anew for each token.
   */
  readonly assertion: SecretSource;
}

/**
 * Gets the agent's own token by the JWT bearer grant (RFC 7523 section 2.1), for use as actor token: for an agent whom the
 * platform that it runs on says who it is. How the client authenticates is another matter, and may be `none`.
 *
 * @param options - `assertion`; and `audience`, `resource` and `scope` as the STS wants them, default: none
 * @returns a source that throws OnbehalfError `client_auth_unavailable` while there is no assertion that is a whole JWT and
 * not over, and what a token request throws; an assertion that the STS refuses is not sent again
 * @throws TypeError that names the option which is wrong
 */
export function jwtBearerActor(service: TokenService, options: JwtBearerOptions): ActorSource {
  assertTokenService(service);
  checkOptions(options, 'jwtBearerActor()', {
    ...{ assertion: 'any', audience: 'any?', resource: 'any?', scope: 'any?' },
  });
  const { assertion: source, ...target } = options;
  const read = jwtSource(source, 'assertion');
  const form = agentTokenForm(target);
  return async ({ signal }) => {
    const assertion = await read(signal);
    const parameters = new URLSearchParams([['assertion', assertion], ...form]);
    return agentToken(service, { grantType: JWT_BEARER_GRANT, parameters, secrets: [assertion], signal });
  };
}
