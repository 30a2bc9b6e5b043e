import type { RemoteAgentConfig } from '../../config/tools.ts';
import type { TargetStatus } from '../api/agent.ts';
import type { ToolReference } from '../api/tool-reference.ts';
import { type BadWay, MAX_DEPTH, wayText } from './agent-graph.ts';
import { type Context, placed } from './context.ts';
import type { Place } from './dependencies.ts';
import { compileHeaders } from './headers.ts';
import { agentToolName, agentUrl } from './names.ts';
import { type At, below } from './report.ts';
import type { TokenServices } from './token-services.ts';
import { compileToolTarget } from './tool-target.ts';

/** An agent that is a tool, in the config. */
export interface CompiledAgentTool {
  readonly config: RemoteAgentConfig;
  readonly status: TargetStatus;
}

const CLEAR_TEXT =
  'agents are called by plain http inside the cluster, so that tokens of users could be read on the way: in a network that you trust, set this to true';

/** One reference to another agent; `undefined`: it cannot be, and why not has been reported. */
export function compileAgentTool(
  context: Context,
  services: TokenServices,
  { tool, at, badWay }: { readonly tool: ToolReference; readonly at: At; readonly badWay: BadWayOf },
): CompiledAgentTool | undefined {
  const { agent: reference } = tool;
  if (reference === undefined) return undefined;
  const here = below(at, 'agent');
  const place = placed(reference, context.key);
  const agent = context.find('Agent', place, below(here, 'name'));
  if (agent === undefined) return undefined;
  const bad = badWay(place);
  if (bad !== undefined) {
    context.report(below(here, 'name'), 'AgentCycle', badWayText(bad));
    return undefined;
  }
  const { namespace, name } = place;
  const key = { kind: 'Agent', namespace, name } as const;
  const { description, dangerouslyAllowInsecureHTTP } = agent.spec;
  const unsafe = { at: { object: key, field: 'spec.dangerouslyAllowInsecureHTTP' }, message: CLEAR_TEXT };
  const clearText = dangerouslyAllowInsecureHTTP ? undefined : unsafe;
  const wanted = { at: here, reference, key, server: agent.spec, clearText };
  const target = compileToolTarget(context, services, wanted);
  return {
    status: target.status,
    config: {
      name: agentToolName(namespace, name),
      url: agentUrl(namespace, name),
      description,
      headers: compileHeaders(context, [{ headers: tool.headersFrom, at: below(at, 'headersFrom') }]),
      ...(dangerouslyAllowInsecureHTTP ? { dangerously_allow_insecure_http: true } : {}),
      ...target.config,
    },
  };
}

type BadWayOf = (tool: Place) => BadWay | undefined;

function badWayText({ kind, way }: BadWay): string {
  const text = wayText(way);
  return kind === 'cycle'
    ? `agents call each other in a circle, ${text}: take one of them out of the tools of the one before`
    : `more than ${MAX_DEPTH} agents would call each other in a row, ${text}: let fewer agents have agents as tools`;
}
