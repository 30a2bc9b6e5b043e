import {
  type BaseTool,
  MCPTool,
  type MCPToolset,
  type ReadonlyContext,
  type RunAsyncToolRequest,
} from '@google/adk';
import type { CallToolResult, Tool } from '@modelcontextprotocol/client';
import { type ToolError, toolError } from '../mcp/tool-error.ts';
import { sessionManagerOf, type ToolsetBinding } from './binding.ts';

/** ADK's MCP tool, called in the caller's own pooled session. */
class DelegatedMCPTool extends MCPTool {
  readonly #binding: ToolsetBinding;
  readonly #serverToolName: string;

  constructor(tool: Tool, options: { binding: ToolsetBinding; toolset: MCPToolset; name: string }) {
    const manager = sessionManagerOf(options.toolset) as NonNullable<ReturnType<typeof sessionManagerOf>>;
    // Both SDK versions describe a tool by the same JSON; only their TypeScript differs.
    super({ ...tool, name: options.name } as ConstructorParameters<typeof MCPTool>[0], manager, tool.name);
    this.#binding = options.binding;
    this.#serverToolName = tool.name;
  }

  override async runAsync({ args, toolContext }: RunAsyncToolRequest): Promise<CallToolResult | ToolError> {
    const signal = toolContext.abortSignal;
    const params = { name: this.#serverToolName, arguments: args };
    try {
      return await this.#binding.call(
        toolContext,
        (client) => client.callTool(params, signal ? { signal } : {}) as Promise<CallToolResult>,
        signal,
      );
    } catch (error) {
      // An abort is the run's own doing, whatever its reason looks like.
      const told = signal?.aborted ? undefined : toolError(this.#binding.server, error);
      if (told) return told;
      throw error;
    }
  }
}

/** The tools of a registered toolset, by its filter and prefix. */
export async function delegatedTools(
  binding: ToolsetBinding,
  toolset: MCPToolset,
  context: ReadonlyContext | undefined,
): Promise<BaseTool[]> {
  const listed = await binding.list(context);
  const tools = listed.map((tool) => {
    const name = toolset.prefix ? `${toolset.prefix}_${tool.name}` : tool.name;
    return new DelegatedMCPTool(tool, { binding, toolset, name });
  });
  const { toolFilter: filter } = toolset;
  if (typeof filter === 'function') return context ? tools.filter((tool) => filter(tool, context)) : tools;
  return filter.length > 0 ? tools.filter((tool) => filter.includes(tool.name)) : tools;
}
