import type { ModelSettings } from '../config/model.ts';
import type { ConfigProblem } from '../config/read-config.ts';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import type { TargetFields } from '../config/target.ts';
import type { TokenServiceConfig } from '../config/token-service.ts';
import type { ToolServerConfig } from '../config/tools.ts';
import { DIALECT_NAMES } from './token-services.ts';

type Tls = Pick<
  TokenServiceConfig,
  'tls_ca_cert_path' | 'tls_disable_system_cas' | 'tls_insecure_skip_verify'
>;

/** The models that there are. */
const MODEL_TYPES: readonly ModelSettings['type'][] = ['gemini', 'gemini_vertex_ai', 'scripted'];

/** Fields of the model that this server looks at, or refuses by {@link whatIsRefused}. */
const MODEL_FIELDS: ReadonlySet<string> = new Set([
  ...['type', 'model', 'api_key', 'base_url', 'headers', 'temperature', 'max_tokens', 'project', 'location'],
  ...[
    'tls_insecure_skip_verify',
    'tls_ca_cert_path',
    'tls_disable_system_cas',
    'turns',
    'api_key_passthrough',
  ],
]);

/** What the config asks for and this server cannot do, where to pass over it would be unsafe or of no use. */
export function whatIsRefused(config: RuntimeConfig): readonly ConfigProblem[] {
  const services = Object.entries(config.token_exchange?.token_services ?? {});
  return [
    ...modelProblems(config),
    ...config.http_tools.flatMap((server, index) => serverProblems(server, `http_tools[${index}]`)),
    ...config.sse_tools.map((_, index) => ({
      path: `sse_tools[${index}]`,
      message:
        'the transport SSE is not served yet: put the server under http_tools if it speaks Streamable HTTP',
    })),
    ...services.flatMap(([name, service]) =>
      serviceProblems(service, `token_exchange.token_services.${name}`),
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
  const kagent = ['memory', 'context_config', 'share_tools', 'session_db_url', 'execute_code'] as const;
  return [
    ...kagent.flatMap((field) => when(isSet(config[field]), field, 'is not implemented, and passed over')),
    ...config.remote_agents.map(({ name }, index) => ({
      path: `remote_agents[${index}]`,
      message: `calling other agents is not implemented: the agent has no tool ${JSON.stringify(name)}`,
    })),
    ...Object.keys(config.model ?? {})
      .filter((field) => !MODEL_FIELDS.has(field))
      .map((field) => ({ path: `model.${field}`, message: 'is not implemented, and passed over' })),
    ...config.http_tools.flatMap((server, index) => serverRemarks(server, `http_tools[${index}]`)),
  ];
}

function modelProblems({ model }: RuntimeConfig): readonly ConfigProblem[] {
  if (model === null) {
    return when(true, 'model', 'is null, so the image brings its own server: this one needs a model');
  }
  const { api_key_passthrough: passthrough } = model as { readonly api_key_passthrough?: unknown };
  const kinds = MODEL_TYPES.join(', ');
  return [
    ...when(
      !MODEL_TYPES.includes(model.type),
      'model.type',
      `${model.type} is not served yet; there are ${kinds}`,
    ),
    ...when(isSet(passthrough), 'model.api_key_passthrough', "is refused: the user's token is for no model"),
    ...when(isSet(model.base_url), 'model.base_url', 'is not implemented for this type: leave it out'),
    ...tlsProblems(model, 'model'),
  ];
}

function serverProblems(server: ToolServerConfig, path: string): readonly ConfigProblem[] {
  return [
    ...when(
      (server.require_approval?.length ?? 0) > 0,
      `${path}.require_approval`,
      'approvals are not implemented yet, and without them the tools would be called at once: take them off tools',
    ),
    ...tlsProblems(server.params, `${path}.params`),
    ...profileProblem(server, `${path}.token_exchange`),
  ];
}

function profileProblem({ token_exchange: target }: TargetFields, path: string): readonly ConfigProblem[] {
  return when(target?.profile === 'id-jag', `${path}.profile`, NO_ID_JAG);
}

const NO_ID_JAG = 'id-jag needs the authorization server of the resource, which a config cannot name yet';

function serviceProblems(service: TokenServiceConfig, path: string): readonly ConfigProblem[] {
  const { dialect } = service;
  return [
    ...tlsProblems(service, path),
    ...when(service.profile === 'id-jag', `${path}.profile`, NO_ID_JAG),
    ...when(
      dialect !== undefined && !DIALECT_NAMES.includes(dialect),
      `${path}.dialect`,
      `cannot be made from its name; there are ${DIALECT_NAMES.join(', ')}`,
    ),
  ];
}

function tlsProblems(tls: Tls, path: string): readonly ConfigProblem[] {
  const use = 'start Node with NODE_EXTRA_CA_CERTS=FILE instead, and leave it out';
  return [
    ...when(isSet(tls.tls_ca_cert_path), `${path}.tls_ca_cert_path`, `is not implemented yet: ${use}`),
    ...when(
      isSet(tls.tls_disable_system_cas),
      `${path}.tls_disable_system_cas`,
      `is not implemented yet: ${use}`,
    ),
    ...when(
      isSet(tls.tls_insecure_skip_verify),
      `${path}.tls_insecure_skip_verify`,
      `is not implemented yet: for a certificate of your own, ${use}`,
    ),
  ];
}

function serverRemarks(
  { params, allowed_headers }: ToolServerConfig,
  path: string,
): readonly ConfigProblem[] {
  return [
    ...when(
      (allowed_headers?.length ?? 0) > 0,
      `${path}.allowed_headers`,
      "is not implemented: no header field of the user's request is handed on",
    ),
    ...when(
      isSet(params.sse_read_timeout),
      `${path}.params.sse_read_timeout`,
      'is not implemented, and passed over',
    ),
    ...when(
      params.terminate_on_close === false,
      `${path}.params.terminate_on_close`,
      'is passed over: sessions that are over are ended with DELETE',
    ),
  ];
}

function when(is: boolean, path: string, message: string): readonly ConfigProblem[] {
  return is ? [{ path, message }] : [];
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;

function allowsDomains(network: unknown): boolean {
  return isSet(Object(network).allowed_domains);
}
