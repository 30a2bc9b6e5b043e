import type { RuntimeConfig } from '../../config/runtime-config.ts';
import type { DeclarativeSpec, TargetStatus } from '../api/agent.ts';
import { createGraph } from './agent-graph.ts';
import { compileAgentTool } from './agent-tool.ts';
import { atAgent, type Context } from './context.ts';
import { compileMcpTool } from './mcp-tool.ts';
import { below } from './report.ts';
import { type AimedTool, reportSharedTargets } from './shared-targets.ts';
import type { TokenServices } from './token-services.ts';

/** The tools of an Agent in the config, and what their tokens are for. */
export type CompiledTools = Pick<RuntimeConfig, 'http_tools' | 'sse_tools' | 'remote_agents'> & {
  readonly targets: readonly TargetStatus[];
};

/** Compiles each tool; one that cannot be is left out, and why has been reported. */
export function compileTools(
  context: Context,
  services: TokenServices,
  declarative: DeclarativeSpec | undefined,
): CompiledTools {
  const badWay = createGraph(context);
  const seen = new Set<string>();
  const tools = (declarative?.tools ?? []).map((tool, index) => {
    const at = atAgent(context, `spec.declarative.tools[${index}]`);
    const reference = tool.mcpServer ?? tool.agent;
    const { namespace = context.namespace, name = '' } = reference ?? {};
    const id = `${tool.type} ${namespace}/${name}`;
    if (seen.has(id)) {
      const field = tool.type === 'Agent' ? 'agent' : 'mcpServer';
      const message = `${namespace}/${name} is a tool of this Agent already: put all that is to be said of it into one entry`;
      context.report(below(below(at, field), 'name'), 'Invalid', message);
    }
    seen.add(id);
    return {
      at,
      mcp: compileMcpTool(context, services, { tool, at }),
      agent: compileAgentTool(context, services, { tool, at, badWay }),
    };
  });
  const servers = tools.flatMap(({ mcp }) => mcp ?? []);
  const aimed = tools.flatMap(({ at, mcp, agent }): readonly AimedTool[] => {
    if (mcp) return [{ at: below(at, 'mcpServer'), url: mcp.config.params.url, status: mcp.status }];
    return agent ? [{ at: below(at, 'agent'), url: agent.config.url, status: agent.status }] : [];
  });
  reportSharedTargets(context, aimed);
  const of = (protocol: string): RuntimeConfig['http_tools'] =>
    servers.filter((server) => server.protocol === protocol).map(({ config }) => config);
  return {
    http_tools: of('STREAMABLE_HTTP'),
    sse_tools: of('SSE'),
    remote_agents: tools.flatMap(({ agent }) => agent?.config ?? []),
    targets: uniqueTargets(tools),
  };
}

/** In the order of the tools. They are told apart by `server`, also where an agent is called as a server is. */
function uniqueTargets(
  tools: readonly {
    readonly mcp: { readonly status: TargetStatus } | undefined;
    readonly agent: { readonly status: TargetStatus } | undefined;
  }[],
): readonly TargetStatus[] {
  const servers = new Set(tools.flatMap(({ mcp }) => mcp?.status.server ?? []));
  return tools.flatMap(({ mcp, agent }) => {
    if (mcp !== undefined) return mcp.status;
    if (agent === undefined) return [];
    const { server } = agent.status;
    return servers.has(server) ? { ...agent.status, server: `Agent ${server}` } : agent.status;
  });
}
