import type { BaseToolset } from '@google/adk';
import { ADKTokenPropagationPlugin } from '../adk/plugin.ts';
import { DelegatedMCPToolset } from '../adk/toolset.ts';
import { fieldPath } from '../config/read-config.ts';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import type { ToolServerConfig } from '../config/tools.ts';
import { type ActorSource, clientCredentialsActor } from '../core/actor.ts';
import { makeRoom } from '../core/bounded.ts';
import type { FetchLike } from '../core/http.ts';
import type { Target } from '../core/target.ts';
import { withApprovals } from './approvals.ts';
import { noteFailure } from './auth-required.ts';
import { currentRun } from './caller.ts';
import { whyInConfig } from './config-words.ts';
import { createHeaderFetch, nameOf } from './header-fetch.ts';
import { PlainToolset } from './plain-toolset.ts';
import { createSseBridge } from './sse-bridge.ts';
import { tlsWarning } from './tls.ts';
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
  const warnings = [...tlsWarnings(config)];
  const toolsets = serversOf(config).map((listed): NamedToolset => {
    const { server, path } = listed;
    const name = serviceFor(server, config.token_exchange);
    const waiting = server.require_approval ?? [];
    const named = (toolset?: BaseToolset): NamedToolset => ({
      name: nameOf(server),
      toolset: toolset && withApprovals(toolset, waiting, nameOf(server)),
      reserved: [...(server.tools ?? []), ...waiting],
    });
    if (name === undefined) {
      const { params, tools: toolFilter = [] } = server;
      const fetch = transportOf(listed, environment);
      return named(new PlainToolset({ name: nameOf(server), url: params.url, toolFilter, fetch }));
    }
    if (anonymous) {
      warnings.push(`${path}: left out, because its calls need a user and callers are anonymous`);
      return named();
    }
    const target = targetOf(server, config.token_exchange?.token_services[name]) as Target;
    const service = services.find((each) => each.name === name) as AgentTokenService;
    const agent = server.discovery === 'agent' ? watched(credentialFor(service, target)) : undefined;
    // Tools are listed for all users at once, with nothing of one of them.
    const isUsers = (headers: Headers): boolean =>
      headers.has('authorization') && agent?.isIts(headers.get('authorization')) !== true;
    const fetch = transportOf(listed, environment, isUsers);
    const agentCredential = agent?.source;
    return named(delegated(server, { path, target, agentCredential, fetch, plugin: plugins.get(name) }));
  });
  return { toolset: new UniqueToolset(toolsets), plugins: [...plugins.values()], warnings };
}

interface ListedServer {
  readonly server: ToolServerConfig;
  /** In the config. */
  readonly path: string;
  /** Whether it speaks the transport of before 2025-03-26. */
  readonly isSse: boolean;
}

function serversOf({ http_tools, sse_tools }: RuntimeConfig): readonly ListedServer[] {
  return [
    ...http_tools.map((server, index) => ({ server, path: `http_tools[${index}]`, isSse: false })),
    ...sse_tools.map((server, index) => ({ server, path: `sse_tools[${index}]`, isSse: true })),
  ];
}

/** What is to be said, loud, of servers and token services whose certificates are not verified. */
function tlsWarnings(config: RuntimeConfig): readonly string[] {
  const services = Object.entries(config.token_exchange?.token_services ?? {});
  return [
    ...serversOf(config).map(({ server, path }) => tlsWarning(server.params, `${path}.params`)),
    ...services.map(([name, service]) =>
      tlsWarning(service, fieldPath(['token_exchange', 'token_services', name])),
    ),
  ].filter((warning) => warning !== undefined);
}

function transportOf(
  { server, path, isSse }: ListedServer,
  environment: Environment,
  isUsers?: (headers: Headers) => boolean,
): FetchLike {
  const fetch = createHeaderFetch({ ...server, isUsers }, environment, `${path}.params`);
  return isSse ? createSseBridge({ name: nameOf(server), url: server.params.url, fetch }) : fetch;
}

/** The subject token comes from the run that the code belongs to, and from nowhere else. */
function pluginFor({ name, broker }: AgentTokenService): ADKTokenPropagationPlugin {
  return new ADKTokenPropagationPlugin({
    broker,
    name: `onbehalf:${name}`,
    subjectToken: () => currentRun()?.caller.token()?.token,
    onFailure: noteFailure,
  });
}

interface DelegatedParts {
  readonly path: string;
  readonly target: Target;
  readonly agentCredential: ActorSource | undefined;
  readonly fetch: FetchLike;
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
    throw new TypeError(`${path}: ${whyInConfig(error, 'it cannot be used')}`);
  }
}

/** The agent's own token for a server, by its own client credentials. */
function credentialFor({ service }: AgentTokenService, { audience, resource, scope }: Target): ActorSource {
  return clientCredentialsActor(service, { audience, resource, scope });
}

/** How many tokens of the agent's own are known again: the last, and those that requests under way may have. */
const MOST_TOKENS = 8;

/** A credential whose tokens are known again. */
function watched(credential: ActorSource): {
  readonly source: ActorSource;
  readonly isIts: (authorization: string | null) => boolean;
} {
  const given = new Set<string>();
  return {
    async source(...request) {
      const token = await credential(...request);
      makeRoom(given, MOST_TOKENS);
      given.add(`Bearer ${typeof token === 'string' ? token : token.token}`);
      return token;
    },
    isIts: (authorization) => authorization !== null && given.has(authorization),
  };
}
