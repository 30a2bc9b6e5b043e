import type { MCPSessionManager, MCPToolset, ReadonlyContext } from '@google/adk';
import type { Client, Tool } from '@modelcontextprotocol/client';
import type { McpServer } from '../mcp/server.ts';

/** What a registered toolset can do: everything that needs to know on whose behalf. */
export interface ToolsetBinding {
  readonly server: McpServer;
  /** The plugin that the toolset is registered with. */
  readonly owner: object;
  /** The server's tools; none, with a warning, when they cannot be listed. */
  list(context: ReadonlyContext | undefined): Promise<readonly Tool[]>;
  /** Makes sure that the token for this call is there. Throws when it cannot be had. */
  ready(context: ReadonlyContext, signal: AbortSignal | undefined): Promise<void>;
  /** Calls the server on behalf of the caller of `context`, or of the code that runs. */
  call<T>(
    context: ReadonlyContext | undefined,
    use: (client: Client) => Promise<T>,
    signal?: AbortSignal | undefined,
  ): Promise<T>;
}

/** By session manager: toolset and tools share that very object (S5), and a WeakMap cannot mistake it for another. */
const bindings = new WeakMap<MCPSessionManager, ToolsetBinding>();

/** The session manager of a toolset or a tool: private in TypeScript, but the only thing the two have in common. */
export function sessionManagerOf(holder: object): MCPSessionManager | undefined {
  const manager = (holder as { mcpSessionManager?: MCPSessionManager }).mcpSessionManager;
  return typeof manager?.createSession === 'function' ? manager : undefined;
}

/** The binding of a toolset or a tool; `undefined` when it is not registered, or no MCP tool at all. */
export function bindingOf(holder: object): ToolsetBinding | undefined {
  const manager = sessionManagerOf(holder);
  return manager && bindings.get(manager);
}

/** Binds a toolset: from now on its sessions are the pool's, and no call leaves it but on somebody's behalf. */
export function bind(toolset: MCPToolset, manager: MCPSessionManager, binding: ToolsetBinding): void {
  if (bindings.has(manager))
    throw new TypeError(`the toolset for ${binding.server.name} is registered already`);
  bindings.set(manager, binding);
  manager.createSession = async () => sessionFacade(binding);
  toolset.close = async () => {};
}

/**
 * Stands in for the SDK client that the toolset's own methods ask a session manager for (resources, mostly).
 * Identity is that of the running code, since those methods are not told any.
 */
function sessionFacade(binding: ToolsetBinding): Awaited<ReturnType<MCPSessionManager['createSession']>> {
  const facade = {
    listTools: () => binding.call(undefined, (client) => client.listTools()),
    listResources: () => binding.call(undefined, (client) => client.listResources()),
    readResource: (params: { uri: string }) =>
      binding.call(undefined, (client) => client.readResource(params)),
  };
  return facade as unknown as Awaited<ReturnType<MCPSessionManager['createSession']>>;
}
