import type { BaseToolset } from '@google/adk';
import { ADKTokenPropagationPlugin } from '../adk/plugin.ts';
import { DelegatedMCPToolset } from '../adk/toolset.ts';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import type { ToolServerConfig } from '../config/tools.ts';
import { type ActorSource, clientCredentialsActor } from '../core/actor.ts';
import type { Target } from '../core/target.ts';
import { currentRun } from './caller.ts';
import { createHeaderFetch } from './header-fetch.ts';
import { PlainToolset } from './plain-toolset.ts';
import { type AgentTokenService, type Environment, serviceFor, targetOf } from './token-services.ts';
import { type NamedToolset, UniqueToolset } from './unique-toolset.ts';

/** The tools of an agent, and the plugins that get tokens for them. */
export interface AgentTools {
  readonly toolset: BaseToolset;
  /** One for each token service. */
  readonly plugins: readonly ADKTokenPropagationPlugin[];
  /** What is left out, and why. */
  readonly warnings: readonly string[];
}

/**
 * Makes the tools of a config. A server with a target is called on behalf of the run's user, with a token of its own; one
 * without a target gets no token of anybody.
 *
 * @throws TypeError or OnbehalfError `insecure_url` that names the server by its path in the config
 */
export function createTools(
  config: RuntimeConfig,
  services: readonly AgentTokenService[],
  environment: Environment,
): AgentTools {
  const plugins = new Map(services.map((each) => [each.name, pluginFor(each)]));
  const anonymous = config.authentication?.mode === 'anonymous';
  const warnings: string[] = [];
  const toolsets = config.http_tools.flatMap((server, index): readonly NamedToolset[] => {
    const path = `http_tools[${index}]`;
    const name = serviceFor(server, config.token_exchange);
    const fetch = createHeaderFetch(server, environment, path);
    const named = (toolset: BaseToolset): NamedToolset => ({ name: nameOf(server), toolset });
    if (name === undefined) {
      const { params, tools: toolFilter = [] } = server;
      return [named(new PlainToolset({ name: nameOf(server), url: params.url, toolFilter, fetch }))];
    }
    if (anonymous) {
      warnings.push(`${path}: left out, because its calls need a user and callers are anonymous`);
      return [];
    }
    const target = targetOf(server, config.token_exchange?.token_services[name]) as Target;
    const service = services.find((each) => each.name === name) as AgentTokenService;
    const agentCredential = server.discovery === 'agent' ? credentialFor(service, target) : undefined;
    return [named(delegated(server, { path, target, agentCredential, fetch, plugin: plugins.get(name) }))];
  });
  return { toolset: new UniqueToolset(toolsets), plugins: [...plugins.values()], warnings };
}

/** The subject token comes from the run that the code belongs to, and from nowhere else. */
function pluginFor({ name, broker }: AgentTokenService): ADKTokenPropagationPlugin {
  return new ADKTokenPropagationPlugin({
    broker,
    name: `onbehalf:${name}`,
    subjectToken: () => currentRun()?.caller.token()?.token,
  });
}

interface DelegatedParts {
  readonly path: string;
  readonly target: Target;
  readonly agentCredential: ActorSource | undefined;
  readonly fetch: ReturnType<typeof createHeaderFetch>;
  readonly plugin: ADKTokenPropagationPlugin | undefined;
}

function delegated(server: ToolServerConfig, parts: DelegatedParts): DelegatedMCPToolset {
  const { path, target, agentCredential, fetch, plugin } = parts;
  try {
    const toolset = new DelegatedMCPToolset({
      name: nameOf(server),
      url: server.params.url,
      target,
      discovery: server.discovery,
      agentCredential,
      toolFilter: server.tools,
      fetch,
      dangerouslyAllowInsecureHttp: server.params.dangerously_allow_insecure_http,
    });
    plugin?.registerToolset(toolset);
    return toolset;
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it cannot be used';
    throw new TypeError(`${path}: ${why}`);
  }
}

/** The agent's own token for a server, by its own client credentials. */
function credentialFor({ service }: AgentTokenService, { audience, resource, scope }: Target): ActorSource {
  return clientCredentialsActor(service, { audience, resource, scope });
}

const nameOf = ({ name, params }: ToolServerConfig): string => name ?? new URL(params.url).host;
