import { abortable } from '../core/abortable.ts';
import { OnbehalfError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { type Check, type OneOrMore, type ResolvedTarget, resolveTarget } from '../core/target.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import type { ProtectedResource } from './resource-metadata.ts';

/** A target whose `resource` is what the server's own metadata says it is (RFC 9728). */
export interface DiscoveredTarget {
  /** Has the metadata read, at the first request that needs a token. */
  readonly discover: true;
  /** Logical name(s) of the server, in addition to its `resource`. */
  readonly audience?: OneOrMore | undefined;
  /** Scope value(s); a string is split at spaces, RFC 6749 section 3.3. */
  readonly scope?: OneOrMore | undefined;
  /**
   * The authorization servers that may be the server's own, for the profile `id-jag`: that one is used which the metadata
   * names. What it names besides is never asked for anything. Default: none; tokens come from the broker's token service.
   */
  readonly authorizationServers?: readonly TokenService[] | undefined;
  /** Takes an issued token that is not a JWT: nothing in it can be checked. Default: false. */
  readonly allowOpaqueIssued?: boolean | undefined;
  /** Checks of the issued token that are left out. Default: none. */
  readonly unchecked?: readonly Check[] | undefined;
}

/** @throws TypeError when a field is not of its form */
export function checkDiscoveredTarget(target: DiscoveredTarget): void {
  checkOptions(target, 'a discovered target', {
    discover: 'boolean',
    audience: 'any?',
    scope: 'any?',
    authorizationServers: 'object?',
    allowOpaqueIssued: 'boolean?',
    unchecked: 'object?',
  });
  const { authorizationServers = [] } = target;
  if (target.discover !== true || !Array.isArray(authorizationServers)) {
    throw new TypeError('a discovered target has "discover: true"; "authorizationServers" is a list');
  }
  // Whatever is wrong with the rest is told now, not at the first call.
  const [authorizationServer] = authorizationServers;
  targetOf(target, { resource: 'https://mcp.example/', authorizationServer });
}

/** The target for a server whose metadata has been read. */
export async function resolveDiscovered(
  target: DiscoveredTarget,
  metadata: ProtectedResource,
  signal: AbortSignal | undefined,
): Promise<ResolvedTarget> {
  const { resource } = metadata;
  const { authorizationServers } = target;
  if (!authorizationServers?.length) return targetOf(target, { resource, authorizationServer: undefined });
  const named = new Set(metadata.authorizationServers.map(normal));
  for (const authorizationServer of authorizationServers) {
    if (authorizationServer.issuer === undefined) await abortable(authorizationServer.discover(), signal);
    if (named.has(normal(authorizationServer.issuer ?? ''))) {
      return targetOf(target, { resource, authorizationServer });
    }
  }
  throw new OnbehalfError(
    'resource_metadata_invalid',
    `the metadata of ${place(resource)} names no authorization server that "authorizationServers" allows`,
    { failure: 'misconfigured' },
  );
}

function targetOf(
  { discover: _, authorizationServers: __, ...rest }: DiscoveredTarget,
  found: { readonly resource: string; readonly authorizationServer: TokenService | undefined },
): ResolvedTarget {
  return resolveTarget({ ...rest, ...found, ...(found.authorizationServer && { profile: 'id-jag' }) });
}

/** A URL for people: its query may hold a key. */
function place(resource: string): string {
  const { origin, pathname } = new URL(resource);
  return `${origin}${pathname}`;
}

/** An issuer may be written with a slash at its end or without (RFC 8414 section 3.3 compares what was configured). */
const normal = (issuer: string): string => issuer.replace(/\/$/, '');
