import { parseUrl } from '../core/url.ts';
import { showable } from './exchange-log.ts';
import { oauthError } from './oauth-error.ts';
import type { DevelopmentClient } from './options.ts';
import { type Parameters, repeated, single } from './token-request.ts';

/** What a client asked for and may have. */
export interface PermittedTarget {
  /** `audience` values, then `resource` values, without duplicates. */
  readonly audiences: readonly string[];
  readonly scope?: string;
}

/**
 * Holds the requested audiences, resources and scopes against what the client may obtain.
 *
 * @throws `invalid_target` (RFC 8693 section 2.2.2), `invalid_scope` (RFC 6749 section 5.2)
 */
export function permittedTarget(parameters: Parameters, client: DevelopmentClient): PermittedTarget {
  const resources = repeated(parameters, 'resource');
  resources.forEach(checkResource);
  const audiences = [...new Set([...repeated(parameters, 'audience'), ...resources])];
  for (const audience of audiences) {
    if (client.audiences.includes(audience)) continue;
    throw oauthError('invalid_target', `this client may not obtain a token for ${showable(audience)}`);
  }
  const scope = single(parameters, 'scope');
  if (scope === undefined) return { audiences };
  checkScope(scope, client);
  return { audiences, scope };
}

function checkResource(resource: string): void {
  // RFC 8693 section 2.1: an absolute URI without a fragment.
  if (parseUrl(resource) && !resource.includes('#')) return;
  throw oauthError('invalid_target', 'resource must be an absolute URI without a fragment');
}

function checkScope(scope: string, client: DevelopmentClient): void {
  for (const one of scope.split(' ')) {
    if (client.scopes?.includes(one)) continue;
    throw oauthError('invalid_scope', `this client may not obtain the scope ${showable(one)}`);
  }
}
