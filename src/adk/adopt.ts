import type { MCPSessionManager, MCPToolset } from '@google/adk';
import { OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import type { Target } from '../core/target.ts';
import type { DiscoveredTarget } from '../mcp/discovered-target.ts';
import type { HeaderFields } from '../mcp/headers.ts';
import type { McpServerOptions } from '../mcp/server.ts';
import { sessionManagerOf } from './binding.ts';
import { DelegatedMCPToolset, toolsetOptions } from './toolset.ts';

type AnyTarget = Target | DiscoveredTarget;

/** How ADK's session manager describes its server; private there, read at each session. */
interface ConnectionParams {
  readonly type?: unknown;
  readonly url?: unknown;
  readonly header?: Readonly<Record<string, string>>;
  readonly transportOptions?: {
    readonly fetch?: (url: string | URL, init?: RequestInit) => Promise<Response>;
    readonly authProvider?: unknown;
    readonly requestInit?: { readonly headers?: HeaderFields };
  };
}

const unsupported = (why: string): OnbehalfError =>
  new OnbehalfError('toolset_unsupported', `this toolset cannot act on behalf of a user: ${why}`, {
    failure: 'misconfigured',
  });

/**
 * Reads from a toolset, ours or ADK's own, which server it is for.
 *
 * @param given - the target, which overrides the toolset's own
 * @throws OnbehalfError `toolset_unsupported`
 * @throws TypeError when there is no target
 */
export function readToolset(
  toolset: MCPToolset,
  given: Target | DiscoveredTarget | string | undefined,
): { manager: MCPSessionManager; server: McpServerOptions } {
  // A string is an audience here, whatever it is.
  const target = typeof given === 'string' ? { audience: given } : given;
  const manager = typeof toolset === 'object' && toolset !== null ? sessionManagerOf(toolset) : undefined;
  if (!manager) throw unsupported('it is not an MCPToolset of @google/adk 2');
  const server =
    toolset instanceof DelegatedMCPToolset ? fromOurs(toolset, target) : fromStock(manager, target);
  return { manager, server };
}

function fromOurs(toolset: DelegatedMCPToolset, override: AnyTarget | undefined): McpServerOptions {
  const options = toolsetOptions(toolset);
  const { stsAudience } = options;
  const target =
    override ?? options.target ?? (stsAudience === undefined ? undefined : { audience: stsAudience });
  if (target === undefined) {
    throw new TypeError(
      'the toolset has no "stsAudience" and no "target", and registerToolset() was given none',
    );
  }
  const { url, name, headers, stepUpScopes, dangerouslyAllowInsecureHttp, fetch } = options;
  return { url, target, name, headers, stepUpScopes, dangerouslyAllowInsecureHttp, fetch };
}

function fromStock(manager: MCPSessionManager, target: AnyTarget | undefined): McpServerOptions {
  if (target === undefined)
    throw new TypeError('registerToolset() needs an audience for a toolset of @google/adk');
  const { connectionParams: params } = manager as unknown as { connectionParams?: ConnectionParams };
  if (params?.type !== 'StreamableHTTPConnectionParams' || typeof params.url !== 'string') {
    throw unsupported('only servers over Streamable HTTP take a token with each request');
  }
  const { transportOptions } = params;
  if (transportOptions?.authProvider)
    throw unsupported('it has an "authProvider" of its own; leave that out');
  const own = transportOptions?.fetch;
  const fetch: FetchLike | undefined = own && ((url, init) => own(url, init));
  const headers = transportOptions?.requestInit ? transportOptions.requestInit.headers : params.header;
  return { url: params.url, target, headers, fetch };
}
