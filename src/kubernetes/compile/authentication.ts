import type { AuthenticationConfig } from '../../config/runtime-config.ts';
import type { AuthenticationSpec } from '../api/agent.ts';
import { atAgent, type Context } from './context.ts';
import { textOf } from './dependencies.ts';
import { soleAudience } from './target.ts';
import type { TokenServices } from './token-services.ts';

const MODES = { JWT: 'jwt', TrustedProxy: 'trusted_proxy', Anonymous: 'anonymous' } as const;

/** How callers are known: whose tokens are taken defaults to the issuer that the Agent gets its own tokens from. */
export function compileAuthentication(
  context: Context,
  services: TokenServices,
): AuthenticationConfig | undefined {
  const { agent, key } = context;
  const { authentication } = agent.spec;
  const mode = MODES[authentication.mode];
  if (mode === 'anonymous') return { mode };
  const audience = authentication.audience ?? soleAudience(agent.spec) ?? `${key.namespace}/${key.name}`;
  // The proxy has verified the token; that it is for this agent costs nothing to look at again.
  if (mode === 'trusted_proxy') return { mode, audience };
  const issuers = issuersOf(context, services, authentication);
  return issuers && { mode, audience, issuers };
}

function issuersOf(
  context: Context,
  services: TokenServices,
  { issuers = [] }: AuthenticationSpec,
): AuthenticationConfig['issuers'] {
  if (issuers.length > 0) {
    return issuers.map(({ issuer, jwksURL }) => ({ issuer, ...(jwksURL && { jwks_url: jwksURL }) }));
  }
  const at = atAgent(context, 'spec.authentication.issuers');
  const wayOut = 'say whose tokens are taken, or set spec.authentication.mode';
  const own = services.ofAgent();
  if (own === undefined) {
    const message = `callers are known by their tokens, and there is no TokenService "default" in namespace ${context.namespace} whose issuer could be trusted: ${wayOut}`;
    context.report(at, 'NoTokenService', message);
    return undefined;
  }
  const service = services.find(own);
  if (service === undefined) return undefined;
  if (service.spec.issuer !== undefined) return [{ issuer: service.spec.issuer }];
  const name = textOf({ kind: 'TokenService', ...own.reference });
  context.report(at, 'NoTokenService', `${name} does not say its issuer: ${wayOut}`);
  return undefined;
}
