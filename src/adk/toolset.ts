import { type BaseTool, MCPToolset, type ReadonlyContext, type ToolPredicate } from '@google/adk';
import type { ActorSource } from '../core/actor.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { checkOptions } from '../core/options.ts';
import type { OneOrMore, Target } from '../core/target.ts';
import type { DiscoveredTarget } from '../mcp/discovered-target.ts';
import type { DiscoveryPolicy } from '../mcp/discovery.ts';
import type { HeaderFields } from '../mcp/headers.ts';
import { bindingOf } from './binding.ts';
import { delegatedTools } from './delegated-tools.ts';

/** Options of {@link DelegatedMCPToolset}. */
export interface DelegatedMCPToolsetOptions {
  /** Endpoint of the server's Streamable HTTP transport. */
  readonly url: string;
  /** The server's default audience: what its tokens are for. Short for `target: { audience }`. */
  readonly stsAudience?: string | undefined;
  /**
   * The richer form: audiences, resources, scopes; or `{ discover: true }`, by the server's own metadata (RFC 9728). Not
   * together with `stsAudience`.
   */
  readonly target?: Target | DiscoveredTarget | undefined;
  /** Scopes that the server may ask for beyond those of the target, by 403 `insufficient_scope`. Default: none. */
  readonly stepUpScopes?: OneOrMore | undefined;
  /** Names the server in errors. Default: its audience. */
  readonly name?: string | undefined;
  /** Under which identity its tools are listed. Default: `auto`. */
  readonly discovery?: DiscoveryPolicy | undefined;
  /** The agent's own token for this server, for listing its tools under `agent` and `auto`. Not the broker's `actor`. */
  readonly agentCredential?: ActorSource | undefined;
  /**
   * Header fields sent with every request, listing included. The delegated `Authorization` wins over them, so one given
   * here is sent only where tools are listed under `anonymous`.
   */
  readonly headers?: HeaderFields | undefined;
  /** Which tools the model sees: names as the model sees them, or a predicate. Default: all. */
  readonly toolFilter?: ToolPredicate | readonly string[] | undefined;
  /** Put before each tool's name, with `_`. */
  readonly prefix?: string | undefined;
  /** Lets tokens travel in clear text to a host that is not loopback. Only for a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
  /** Sends the requests, e.g. with header fields that change. Default: the global `fetch`. */
  readonly fetch?: FetchLike | undefined;
}

/** Apart from the objects, because header fields may hold a secret and a toolset gets printed with its agent. */
const given = new WeakMap<DelegatedMCPToolset, DelegatedMCPToolsetOptions>();

/** What a toolset was made with. */
export function toolsetOptions(toolset: DelegatedMCPToolset): DelegatedMCPToolsetOptions {
  return given.get(toolset) as DelegatedMCPToolsetOptions;
}

/**
 * The tools of one MCP server, each call made on behalf of the run's user with a token for that server only.
 * Register it with `ADKTokenPropagationPlugin.registerToolset`; before that it lists and calls nothing.
 */
export class DelegatedMCPToolset extends MCPToolset {
  /** The server's default audience. */
  readonly stsAudience: string | undefined;

  /** @throws TypeError when `stsAudience` and `target` are both given, or `discovery` is `agent` without a credential */
  constructor(options: DelegatedMCPToolsetOptions) {
    const { toolFilter = [], url = '', prefix } = Object(options) as Partial<DelegatedMCPToolsetOptions>;
    super(
      { type: 'StreamableHTTPConnectionParams', url },
      typeof toolFilter === 'function' ? toolFilter : [...toolFilter],
      prefix,
    );
    checkOptions(options, 'DelegatedMCPToolset', {
      url: 'text',
      stsAudience: 'text?',
      target: 'any?',
      stepUpScopes: 'any?',
      name: 'text?',
      discovery: ['auto', 'anonymous', 'agent', 'delegated'],
      agentCredential: 'function?',
      headers: 'object?',
      toolFilter: 'any?',
      prefix: 'string?',
      dangerouslyAllowInsecureHttp: 'boolean?',
      fetch: 'function?',
    });
    if (options.stsAudience !== undefined && options.target !== undefined) {
      throw new TypeError('give "stsAudience" or "target", not both');
    }
    if (options.discovery === 'agent' && options.agentCredential === undefined) {
      throw new TypeError('"discovery: agent" needs an "agentCredential"');
    }
    this.stsAudience = options.stsAudience;
    given.set(this, options);
  }

  /**
   * The server's tools; none when they cannot be listed, of which a warning is logged once.
   *
   * @throws OnbehalfError `toolset_unregistered`
   */
  override async getTools(context?: ReadonlyContext): Promise<BaseTool[]> {
    const binding = bindingOf(this);
    if (binding) return delegatedTools(binding, this, context);
    const { name, url } = toolsetOptions(this);
    const what = name ?? this.stsAudience ?? new URL(url).host;
    throw new OnbehalfError(
      'toolset_unregistered',
      `the toolset for ${what} is not registered: call plugin.registerToolset(toolset) first`,
      { failure: 'misconfigured' },
    );
  }
}
