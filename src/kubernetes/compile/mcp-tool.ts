import { whyNotHandedOn } from '../../config/handed-on.ts';
import type { ToolServerConfig } from '../../config/tools.ts';
import type { TargetStatus } from '../api/agent.ts';
import type { RemoteMCPServer } from '../api/remote-mcp-server.ts';
import type { McpServerReference, ToolReference } from '../api/tool-reference.ts';
import { type Context, placed } from './context.ts';
import { textOf } from './dependencies.ts';
import { secondsOf } from './duration.ts';
import { compileHeaders } from './headers.ts';
import { type At, below } from './report.ts';
import { compileTls } from './tls.ts';
import type { TokenServices } from './token-services.ts';
import { compileToolTarget } from './tool-target.ts';
import type { ObjectKey } from './types.ts';
import { CLEAR_TEXT, checkUrl, isClearText } from './url.ts';

/** An MCP server in the config. */
export interface CompiledServer {
  readonly protocol: RemoteMCPServer['spec']['protocol'];
  readonly config: ToolServerConfig;
  readonly status: TargetStatus;
}

/** Most names of tools that a message holds. */
const SHOWN = 20;

/** S10: one tool reference with its server; `undefined`: it cannot be, and why not has been reported. */
export function compileMcpTool(
  context: Context,
  services: TokenServices,
  { tool, at }: { readonly tool: ToolReference; readonly at: At },
): CompiledServer | undefined {
  const { mcpServer: reference } = tool;
  if (reference === undefined) return undefined;
  const here = below(at, 'mcpServer');
  const place = placed(reference, context.key);
  const server = context.find('RemoteMCPServer', place, below(here, 'name'));
  if (server === undefined) return undefined;
  const key: ObjectKey = { kind: 'RemoteMCPServer', ...place };
  checkTools(context, { reference, server, at: here });
  checkAllowedHeaders(context, reference, below(here, 'allowedHeaders'));
  const urlAt: At = { object: key, field: 'spec.url' };
  checkUrl(context, { url: server.spec.url, at: urlAt });
  const { url, protocol, discovery, dangerouslyAllowInsecureHTTP } = server.spec;
  const clearText =
    dangerouslyAllowInsecureHTTP || !isClearText(url) ? undefined : { at: urlAt, message: CLEAR_TEXT };
  const wanted = { at: here, reference, key, server: server.spec, clearText };
  const target = compileToolTarget(context, services, wanted);
  return {
    protocol,
    status: target.status,
    config: {
      name: target.status.server,
      params: paramsOf(context, server, { object: key, tool, at }),
      tools: sortedSet(reference.toolNames),
      allowed_headers: sortedSet(reference.allowedHeaders),
      require_approval: sortedSet(reference.requireApproval),
      ...target.config,
      discovery: discovery === 'auto' ? undefined : discovery,
    },
  };
}

function checkTools(
  { report }: Context,
  {
    reference,
    server,
    at,
  }: {
    readonly reference: McpServerReference;
    readonly server: RemoteMCPServer;
    readonly at: At;
  },
): void {
  const { toolNames } = reference;
  const there = (server.status?.discoveredTools ?? []).map(({ name }) => name);
  if (toolNames?.length === 0) {
    report(below(at, 'toolNames'), 'Invalid', 'is empty: name tools, or leave it out for all of the server');
  }
  if (there.length === 0) return;
  for (const [index, tool] of (toolNames ?? []).entries()) {
    if (there.includes(tool)) continue;
    const key = textOf({ kind: 'RemoteMCPServer', ...placed(reference, at.object) });
    const more = there.length > SHOWN ? `, and ${there.length - SHOWN} more` : '';
    const message = `${key} has no tool ${JSON.stringify(tool)}; it has ${there.slice(0, SHOWN).join(', ')}${more}`;
    report(below(below(at, 'toolNames'), index), 'UnknownTool', message);
  }
}

/** The agent refuses more than the rule of the API, which names credentials only. */
function checkAllowedHeaders({ report }: Context, { allowedHeaders = [] }: McpServerReference, at: At): void {
  for (const [index, name] of allowedHeaders.entries()) {
    const why = whyNotHandedOn(name);
    if (why !== undefined) report(below(at, index), 'Invalid', why);
  }
}

function paramsOf(
  context: Context,
  { spec }: RemoteMCPServer,
  { object, tool, at }: { readonly object: ObjectKey; readonly tool: ToolReference; readonly at: At },
): ToolServerConfig['params'] {
  const itsSpec = { object, field: 'spec' };
  const headers = compileHeaders(context, [
    { headers: spec.headersFrom, at: below(itsSpec, 'headersFrom') },
    { headers: tool.headersFrom, at: below(at, 'headersFrom') },
  ]);
  const seconds = (member: 'timeout' | 'sseReadTimeout'): number | undefined => {
    const duration = spec[member];
    const value = duration === undefined ? undefined : secondsOf(duration);
    if (duration !== undefined && value === undefined) {
      context.report(below(itsSpec, member), 'Invalid', 'must be more than 0 and at most 24h');
    }
    return value;
  };
  return {
    url: spec.url,
    headers,
    timeout: seconds('timeout'),
    sse_read_timeout: seconds('sseReadTimeout'),
    terminate_on_close: spec.terminateOnClose,
    ...compileTls(context, spec.tls, below(itsSpec, 'tls')),
    ...(spec.dangerouslyAllowInsecureHTTP ? { dangerously_allow_insecure_http: true } : {}),
  };
}

/** Sorted, so that another order in the Agent changes nothing; `undefined` for none. */
function sortedSet(names: readonly string[] | undefined): readonly string[] | undefined {
  return names === undefined || names.length === 0 ? undefined : [...new Set(names)].sort();
}
