import type {
  ClientAuthenticationConfig,
  TokenExchangeConfig,
  TokenServiceConfig,
} from '../../config/token-service.ts';
import type { ClientAuthenticationSpec, TokenService, TokenServiceSpec } from '../api/token-service.ts';
import { atAgent, type Context, placed } from './context.ts';
import type { Place } from './dependencies.ts';
import { mounted } from './mounted.ts';
import { keyReference } from './pod.ts';
import { type At, below } from './report.ts';
import { serviceToken } from './service-token.ts';
import { compileTls } from './tls.ts';
import { checkUrl } from './url.ts';

/** The TokenService of an Agent that names none. */
const DEFAULT_NAME = 'default';

/** Names a TokenService, and where that is said. */
export interface ServiceReference {
  readonly reference: Place;
  readonly at: At;
  readonly from: 'tool' | 'server' | 'agent' | 'default';
}

/** The token services of one compilation: those that something uses go into the config. */
export interface TokenServices {
  /** The one of the Agent: the one it names, else "default" of its namespace; `undefined`: neither is there. */
  readonly ofAgent: () => ServiceReference | undefined;
  /** `undefined`: it cannot be used, and why not has been reported. */
  readonly find: (service: ServiceReference) => TokenService | undefined;
  /** The same, and puts it into the config. */
  readonly use: (service: ServiceReference) => TokenService | undefined;
  /** The root `token_exchange`; `undefined`: nothing needs a token. */
  readonly config: () => TokenExchangeConfig | undefined;
}

/** Starts with none in use. */
export function createTokenServices(context: Context): TokenServices {
  const used = new Map<string, { readonly service: TokenService; readonly config: TokenServiceConfig }>();
  const ofAgent = (): ServiceReference | undefined => agentsOwn(context);
  const find: TokenServices['find'] = ({ reference, at }) =>
    context.find('TokenService', reference, below(at, 'name'));
  const use: TokenServices['use'] = (wanted) => {
    const service = find(wanted);
    const { reference } = wanted;
    const name = serviceName(reference);
    if (service !== undefined && !used.has(name)) {
      used.set(name, { service, config: compileService(context, service.spec, specOf(reference)) });
    }
    return service;
  };
  const config = (): TokenExchangeConfig | undefined => {
    if (used.size === 0) return undefined;
    const own = ofAgent();
    const ownName = own && serviceName(own.reference);
    const all = [...used].sort(([one], [other]) => (one < other ? -1 : 1));
    return {
      token_services: Object.fromEntries(all.map(([name, one]) => [name, one.config])),
      ...(ownName !== undefined && used.has(ownName) ? { default_token_service: ownName } : {}),
      // It is one setting of the config: if any of the services says that tokens go with the run, all do.
      retention: all.every(([, { service }]) => service.spec.retention === 'subject') ? 'subject' : 'run',
    };
  };
  return { ofAgent, find, use, config };
}

/** The name of a service in the config. */
export function serviceName({ namespace, name }: Place): string {
  return `${namespace}/${name}`;
}

function agentsOwn(context: Context): ServiceReference | undefined {
  const { agent, namespace, lookUp } = context;
  const at = atAgent(context, 'spec.tokenServiceRef');
  const { tokenServiceRef } = agent.spec;
  if (tokenServiceRef !== undefined) {
    return { reference: placed(tokenServiceRef, context.key), at, from: 'agent' };
  }
  if (lookUp.object('TokenService', namespace, DEFAULT_NAME) === undefined) return undefined;
  return { reference: { namespace, name: DEFAULT_NAME }, at, from: 'default' };
}

function specOf(reference: Place): At {
  return { object: { kind: 'TokenService', ...reference }, field: 'spec' };
}

function compileService(context: Context, spec: TokenServiceSpec, at: At): TokenServiceConfig {
  const { issuer, metadataURL, tokenEndpoint, dialect, profile } = spec;
  for (const member of ['issuer', 'metadataURL', 'tokenEndpoint'] as const) {
    const url = spec[member];
    if (url !== undefined) checkUrl(context, { url, at: below(at, member) });
  }
  return {
    ...{ issuer, metadata_url: metadataURL, token_endpoint: tokenEndpoint, dialect, profile },
    client_id: spec.clientID,
    client_authentication: compileAuthentication(context, spec, at),
    actor: compileActor(context, spec, at),
    ...compileTls(context, spec.tls, below(at, 'tls')),
    dangerously_allow_insecure_http: spec.dangerouslyAllowInsecureHTTP,
  };
}

function compileActor(context: Context, spec: TokenServiceSpec, at: At): TokenServiceConfig['actor'] {
  const { source, tokenType: token_type } = spec.actor;
  if (source === 'None') return { source: 'none' };
  if (source === 'ClientCredentials') return { source: 'client_credentials', token_type };
  return { source: 'file', path: serviceToken(context, { spec, at, member: 'actor' }), token_type };
}

function compileAuthentication(context: Context, spec: TokenServiceSpec, at: At): ClientAuthenticationConfig {
  const { clientAuthentication } = spec;
  const { method, algorithm, keyID: key_id } = clientAuthentication;
  if (method === 'service_account') {
    const path = serviceToken(context, { spec, at, member: 'clientAuthentication' });
    return { method: 'client_assertion', assertion: `file:${path}` };
  }
  return {
    method,
    algorithm,
    key_id,
    ...secretsOf(context, clientAuthentication, below(at, 'clientAuthentication')),
  };
}

/** Members of the config that are files from a Secret. */
function secretsOf(
  context: Context,
  { clientSecretRef, privateKeyRef, certificateSecret }: ClientAuthenticationSpec,
  at: At,
): Partial<ClientAuthenticationConfig> {
  const wayOut =
    'make a TokenService there, or use clientAuthentication.method service_account, which needs no Secret';
  const file = (member: string, { name, key }: { readonly name: string; readonly key: string }): string => {
    const reference = keyReference('Secret', { name, key }, below(at, member));
    return `file:${mounted(context, reference, wayOut)}`;
  };
  const certificate = (key: string): string => {
    const here = below(at, 'certificateSecret');
    const reference = {
      kind: 'Secret',
      name: certificateSecret ?? '',
      key,
      nameAt: here,
      keyAt: here,
    } as const;
    return `file:${mounted(context, reference, wayOut)}`;
  };
  return {
    ...(clientSecretRef && { client_secret: file('clientSecretRef', clientSecretRef) }),
    ...(privateKeyRef && { private_key: file('privateKeyRef', privateKeyRef) }),
    ...(certificateSecret !== undefined && {
      certificate: certificate('tls.crt'),
      private_key: certificate('tls.key'),
    }),
  };
}
