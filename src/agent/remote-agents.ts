import { type BaseTool, BaseToolset } from '@google/adk';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import type { RemoteAgentConfig } from '../config/tools.ts';
import type { Target } from '../core/target.ts';
import { defineMcpServer, type McpServer } from '../mcp/server.ts';
import type { AgentRun } from './caller.ts';
import { whyInConfig } from './config-words.ts';
import { createHeaderFetch } from './header-fetch.ts';
import { remoteAgentTool, type Shared } from './remote-agent-tool.ts';
import { createConversations } from './remote-conversations.ts';
import { createRunDelegations } from './run-delegations.ts';
import { type AgentTokenService, type Environment, serviceFor, targetOf } from './token-services.ts';

/** The other agents of a config, as tools. */
export interface RemoteAgents {
  /** One for each; no two have the same name. */
  readonly tools: readonly BaseTool[];
  /** The same as a toolset: put before those of servers in a `UniqueToolset`, no server can take the name of an agent. */
  readonly toolset: BaseToolset;
  /** What is left out, and why. */
  readonly warnings: readonly string[];
  /** Ends what a run began, so that its tokens go. To be called with each run, however it ended. */
  endRun(run: AgentRun): void;
  /** Forgets the conversations of a user's session. */
  dropContext(sessionId: string, userName: string): void;
  /** Breaks off what is under way, and cancels its tasks. */
  close(): Promise<void>;
}

/** Of as many sessions conversations are remembered. */
const MAX_SESSIONS = 10_000;

/**
 * Makes a tool of each other agent. One with a target is called on behalf of the run's user, with a token of its own; one without a
 * target gets no token of anybody, only its static header fields. What the user sent is handed to nobody.
 *
 * A failure is told to the model: `{ error }` as that of an MCP tool where the call could not be made, else the state of
 * the other agent's task and what it said.
 *
 * @throws TypeError that names the agent by its path in the config
 */
export function createRemoteAgents(
  config: RuntimeConfig,
  services: readonly AgentTokenService[],
  environment: Environment,
): RemoteAgents {
  const warnings: string[] = [];
  const shared: Shared = {
    conversations: createConversations(MAX_SESSIONS),
    delegations: createRunDelegations(),
    calls: new Set(),
    last: new Set(),
  };
  const names = new Set<string>();
  const tools = config.remote_agents.flatMap((agent, index): readonly BaseTool[] => {
    const path = `remote_agents[${index}]`;
    const serviceName = serviceFor(agent, config.token_exchange);
    if (serviceName !== undefined && config.authentication?.mode === 'anonymous') {
      warnings.push(`${path}: left out, because its calls need a user and callers are anonymous`);
      return [];
    }
    const service = services.find(({ name }) => name === serviceName);
    const target = targetOf(agent, config.token_exchange?.token_services[serviceName ?? '']);
    const server = serverOf(agent, { path, target, environment });
    const name = toolName(agent.name);
    // ADK looks names up in a plain object.
    if (names.has(name) || name in {})
      throw new TypeError(`${path}.name: the name ${name} is taken: choose another`);
    names.add(name);
    return [remoteAgentTool({ name, config: agent, server, service, shared })];
  });
  return {
    tools,
    toolset: new FixedToolset(tools),
    warnings,
    endRun: shared.delegations.endRun,
    dropContext: shared.conversations.drop,
    async close() {
      for (const call of shared.calls) call.abort(new Error('the agent is being stopped'));
      await Promise.allSettled(shared.last);
    },
  };
}

class FixedToolset extends BaseToolset {
  readonly #tools: readonly BaseTool[];

  constructor(tools: readonly BaseTool[]) {
    super([]);
    this.#tools = tools;
  }

  override async getTools(): Promise<BaseTool[]> {
    return [...this.#tools];
  }

  override async close(): Promise<void> {}
}

function serverOf(
  { name, url, headers, dangerously_allow_insecure_http: insecure }: RemoteAgentConfig,
  { path, target, environment }: { path: string; target: Target | undefined; environment: Environment },
): McpServer {
  const fetch = createHeaderFetch({ params: { url, headers } }, environment, path);
  try {
    return defineMcpServer({
      ...{ url, name, fetch },
      // Without one nothing is ever asked for by it.
      target: target ?? url,
      // No token goes there; it is the rule of MCP servers without a target, too.
      dangerouslyAllowInsecureHttp: target ? insecure : true,
    });
  } catch (error) {
    throw new TypeError(`${path}: ${whyInConfig(error, 'it cannot be used')}`);
  }
}

const LONGEST_NAME = 64;

/** What all models take for the name of a tool: `team/my-agent` is `team__my_agent`. */
function toolName(name: string): string {
  const plain = name
    .replaceAll('/', '__')
    .replaceAll(/\W/g, '_')
    .replace(/^(?=[0-9])/, '_');
  return plain.slice(0, LONGEST_NAME);
}
