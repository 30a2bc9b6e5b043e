import {
  type BaseTool,
  BaseToolset,
  type Context,
  type ReadonlyContext,
  type RunAsyncToolRequest,
} from '@google/adk';

/** What the model is told of a call that nobody has approved yet. */
const WAITING = { error: 'This call waits for the approval of the user.' };

/**
 * A toolset some of whose tools are called only when the user has approved the very call. Until then nothing is sent, and no token is
 * exchanged for it: the plugin asks the tool whether it waits.
 *
 * @param names - of the tools that wait, as the model sees them
 * @param server - as the user is told it
 */
export function withApprovals(toolset: BaseToolset, names: readonly string[], server: string): BaseToolset {
  return names.length === 0 ? toolset : new ApprovalToolset(toolset, new Set(names), server);
}

class ApprovalToolset extends BaseToolset {
  readonly #toolset: BaseToolset;
  readonly #names: ReadonlySet<string>;
  readonly #server: string;

  constructor(toolset: BaseToolset, names: ReadonlySet<string>, server: string) {
    super([]);
    this.#toolset = toolset;
    this.#names = names;
    this.#server = server;
  }

  override async getTools(context?: ReadonlyContext): Promise<BaseTool[]> {
    const tools = await this.#toolset.getTools(context);
    return tools.map((tool) => (this.#names.has(tool.name) ? gated(tool, this.#server) : tool));
  }

  /** ADK calls it at the end of every run. */
  override async close(): Promise<void> {
    await this.#toolset.close();
  }
}

/** Inherits from the tool, so that it is the plugin's as the tool is. */
function gated(tool: BaseTool, server: string): BaseTool {
  return Object.create(tool, {
    checkRequireConfirmation: { value: async () => true },
    runAsync: { value: async (request: RunAsyncToolRequest) => runApproved(tool, server, request) },
  }) as BaseTool;
}

async function runApproved(tool: BaseTool, server: string, request: RunAsyncToolRequest): Promise<unknown> {
  const context: Context = request.toolContext;
  const { toolConfirmation: decision } = context;
  if (!decision) {
    context.requestConfirmation({ hint: `${server}: ${tool.name}`, payload: { server } });
    context.actions.skipSummarization = true;
    return WAITING;
  }
  if (decision.confirmed) return tool.runAsync(request);
  const { said } = Object(decision.payload) as { readonly said?: unknown };
  const error = 'The user has rejected this call, and it was not made.';
  return typeof said === 'string' ? { error, said } : { error };
}
