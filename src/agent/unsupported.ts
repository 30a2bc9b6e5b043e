import { whyNotHandedOn } from '../config/handed-on.ts';
import type { MemorySettings } from '../config/memory.ts';
import { type ConfigProblem, fieldPath } from '../config/read-config.ts';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import type { TargetFields } from '../config/target.ts';
import type { TokenServiceConfig } from '../config/token-service.ts';
import type { ToolServerConfig } from '../config/tools.ts';
import { refusedOfModel, remarksOnModel } from './models/model-problems.ts';
import { DIALECT_NAMES, showsCertificate } from './token-services.ts';

/** What the config asks for and this server cannot do, where to pass over it would be unsafe or of no use. */
export function whatIsRefused(config: RuntimeConfig): readonly ConfigProblem[] {
  const services = Object.entries(config.token_exchange?.token_services ?? {});
  return [
    ...refusedOfModel(config.model),
    ...config.http_tools.flatMap((server, index) => serverProblems(server, `http_tools[${index}]`)),
    ...config.sse_tools.flatMap((server, index) => serverProblems(server, `sse_tools[${index}]`)),
    ...config.remote_agents.flatMap((agent, index) =>
      profileProblem(agent, `remote_agents[${index}].token_exchange`),
    ),
    ...services.flatMap(([name, service]) =>
      serviceProblems(service, fieldPath(['token_exchange', 'token_services', name])),
    ),
    ...when(
      allowsDomains(config.network),
      'network.allowed_domains',
      'is not enforced yet: limit the network by a NetworkPolicy and leave it out',
    ),
    ...when(
      config.authentication === undefined,
      'authentication',
      'is missing: say { "mode": "jwt", "audience": ..., "issuers": [...] }, or "trusted_proxy", or "anonymous" for callers without a token',
    ),
  ];
}

/** What the config asks for and does not get, where nothing unsafe comes of that. */
export function whatIsLeftOut(config: RuntimeConfig): readonly ConfigProblem[] {
  const kagent = ['context_config', 'share_tools', 'session_db_url', 'execute_code'] as const;
  return [
    ...remarksOnMemory(config.memory),
    ...kagent.flatMap((field) => when(isSet(config[field]), field, 'is not implemented, and passed over')),
    ...remarksOnModel(config.model),
  ];
}

/** Every field but the one that is done. */
function remarksOnMemory(memory: MemorySettings | undefined): readonly ConfigProblem[] {
  const { ttl_days: _done, ...others } = memory ?? {};
  return Object.entries(others).flatMap(([field, value]) =>
    when(isSet(value), `memory.${field}`, 'is not used, and passed over: memories are found by their words'),
  );
}

function serverProblems(server: ToolServerConfig, path: string): readonly ConfigProblem[] {
  return [
    ...handedOnProblems(server, path),
    ...approvalProblems(server, path),
    ...profileProblem(server, `${path}.token_exchange`),
  ];
}

/** What is to be approved, and is no tool that the agent has: a slip of the pen that would let another call through. */
function approvalProblems(
  { tools = [], require_approval }: ToolServerConfig,
  path: string,
): readonly ConfigProblem[] {
  return (require_approval ?? []).flatMap((name, index) =>
    when(
      tools.length > 0 && !tools.includes(name),
      `${path}.require_approval[${index}]`,
      'is none of "tools", so it would guard nothing: check how it is spelt',
    ),
  );
}

function profileProblem({ token_exchange: target }: TargetFields, path: string): readonly ConfigProblem[] {
  return when(target?.profile === 'id-jag', `${path}.profile`, NO_ID_JAG);
}

const NO_ID_JAG = 'id-jag needs the authorization server of the resource, which a config cannot name yet';

function serviceProblems(service: TokenServiceConfig, path: string): readonly ConfigProblem[] {
  const { dialect } = service;
  return [
    ...when(
      service.tls_insecure_skip_verify === true && showsCertificate(service),
      `${path}.tls_insecure_skip_verify`,
      'cannot be had with a client certificate: give tls_ca_cert_path, the CA of the token service',
    ),
    ...when(service.profile === 'id-jag', `${path}.profile`, NO_ID_JAG),
    ...when(
      dialect !== undefined && !DIALECT_NAMES.includes(dialect),
      `${path}.dialect`,
      `cannot be made from its name; there are ${DIALECT_NAMES.join(', ')}`,
    ),
  ];
}

/** Fields that are for this agent alone, or for one connection: to hand them on would be unsafe, or of no use. */
function handedOnProblems({ allowed_headers }: ToolServerConfig, path: string): readonly ConfigProblem[] {
  return (allowed_headers ?? []).flatMap((name, index) => {
    const why = whyNotHandedOn(name);
    return why === undefined ? [] : [{ path: `${path}.allowed_headers[${index}]`, message: why }];
  });
}

function when(is: boolean, path: string, message: string): readonly ConfigProblem[] {
  return is ? [{ path, message }] : [];
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;

function allowsDomains(network: unknown): boolean {
  return isSet(Object(network).allowed_domains);
}
