import type { RuntimeConfig } from '../config/runtime-config.ts';
import type { TokenExchangeConfig } from '../config/token-service.ts';
import type { ToolServerConfig } from '../config/tools.ts';
import type { Environment } from './token-services.ts';

/** A config with what kagent's variables add where it says nothing itself. */
export interface Completed {
  readonly config: RuntimeConfig;
  readonly warnings: readonly string[];
}

/** Where Kubernetes puts the token of a pod's service account, which kagent takes for the actor token. */
const ACTOR_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Fills in from the variables that kagent v0.10 sets: `KAGENT_NAMESPACE` and `KAGENT_NAME`, `STS_WELL_KNOWN_URI`,
 * `KAGENT_STS_AUDIENCE` and `KAGENT_STS_RESOURCE` (each a list with commas). What the config says itself goes before.
 */
export function withKagentEnvironment(config: RuntimeConfig, environment: Environment): Completed {
  const { KAGENT_NAMESPACE: namespace, KAGENT_NAME: agent } = environment;
  const name = config.name ?? (namespace && agent ? `${namespace}/${agent}` : undefined);
  const warnings = environment.KAGENT_PROPAGATE_TOKEN
    ? ['KAGENT_PROPAGATE_TOKEN is passed over: a token of a user is exchanged, and never handed on as it is']
    : [];
  const exchange = config.token_exchange ?? serviceOf(environment, name);
  const named = { ...config, ...(name !== undefined && { name }) };
  if (!exchange) return { config: named, warnings };
  const target = targetOf(environment);
  const servers = target ? [...config.http_tools, ...config.sse_tools].filter(hasNoTarget) : [];
  if (servers.length > 1) {
    warnings.push(
      `KAGENT_STS_AUDIENCE and KAGENT_STS_RESOURCE: ${servers.length} servers get tokens for the same audience, so each could use them at the others; give each a sts_audience`,
    );
  }
  const aimed = (server: ToolServerConfig): ToolServerConfig =>
    target && hasNoTarget(server) ? { ...server, token_exchange: target } : server;
  return {
    config: {
      ...named,
      token_exchange: exchange,
      http_tools: config.http_tools.map(aimed),
      sse_tools: config.sse_tools.map(aimed),
    },
    warnings,
  };
}

function hasNoTarget({ sts_audience: audience, token_exchange: target }: ToolServerConfig): boolean {
  return audience === undefined && target === undefined;
}

function serviceOf(
  { STS_WELL_KNOWN_URI: metadata }: Environment,
  name: string | undefined,
): TokenExchangeConfig | undefined {
  if (!metadata) return undefined;
  return {
    token_services: {
      kagent: {
        metadata_url: metadata,
        client_id: name ?? 'kagent',
        client_authentication: { method: 'none' },
        actor: { source: 'file', path: ACTOR_FILE },
        dangerously_allow_insecure_http: false,
      },
    },
    retention: 'run',
  };
}

function targetOf(environment: Environment): ToolServerConfig['token_exchange'] {
  const audiences = listOf(environment.KAGENT_STS_AUDIENCE);
  const resources = listOf(environment.KAGENT_STS_RESOURCE);
  if (audiences.length === 0 && resources.length === 0) return undefined;
  return {
    ...(audiences.length > 0 && { audiences }),
    ...(resources.length > 0 && { resources }),
  };
}

function listOf(text = ''): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
