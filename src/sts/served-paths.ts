import type Provider from 'oidc-provider';
import type { DevelopmentClient } from './options.ts';
import type { Middleware } from './token-endpoint.ts';

const METADATA_PATHS = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];

/**
 * Lets only token endpoint, JWKS and metadata through, and makes the metadata say so. oidc-provider always
 * has its authorization endpoint and the scope `openid`; no client here could use them.
 */
export function onlyServedPaths(provider: Provider, clients: readonly DevelopmentClient[]): Middleware {
  const served = new Set([provider.pathFor('token'), provider.pathFor('jwks'), ...METADATA_PATHS]);
  const scopes = [...new Set(clients.flatMap((client) => client.scopes ?? []))];
  return async (ctx, next) => {
    if (!served.has(ctx.path)) return;
    await next();
    if (!METADATA_PATHS.includes(ctx.path) || ctx.status !== 200) return;
    // RFC 8414 section 2: no authorization_endpoint when no grant type uses it.
    const { authorization_endpoint: _, ...metadata } = ctx.body as Record<string, unknown>;
    ctx.body = { ...metadata, scopes_supported: scopes };
  };
}
