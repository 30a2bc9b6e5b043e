import type { TargetFields as ConfigFields, TargetConfig } from '../../config/target.ts';
import type { TargetStatus } from '../api/agent.ts';
import type { TargetFields, TokenExchangeSpec } from '../api/target.ts';
import { type Context, placed } from './context.ts';
import { textOf } from './dependencies.ts';
import { type At, below } from './report.ts';
import { hasTarget, type ResolvedTarget, resolveTarget } from './target.ts';
import { type ServiceReference, serviceName, type TokenServices } from './token-services.ts';
import type { ObjectKey } from './types.ts';

/** A tool that may need a token. */
export interface Tool {
  /** Its reference in the Agent, e.g. at `spec.declarative.tools[0].mcpServer`. */
  readonly at: At;
  readonly reference: TargetFields;
  /** The server, or the agent that is the tool. */
  readonly key: ObjectKey;
  readonly server: TargetFields;
  /** What to say of a token that would go there in clear text, without leave; `undefined`: it would not. */
  readonly clearText: { readonly at: At; readonly message: string } | undefined;
}

/** What tokens for a tool are for: for the config, and for people. */
export interface ToolTarget {
  readonly config: ConfigFields;
  readonly status: TargetStatus;
}

type Level = 'tool' | 'server';

/** Resolves what the tokens for a tool are for, and who makes them; none: no delegated token. */
export function compileToolTarget(context: Context, services: TokenServices, tool: Tool): ToolTarget {
  const { key, reference, server } = tool;
  const name = `${key.namespace}/${key.name}`;
  const target = resolveTarget<Level>([
    { from: 'tool', fields: reference },
    { from: 'server', fields: server },
  ]);
  const none: ToolTarget = { config: {}, status: { server: name } };
  if (!hasTarget(target.exchange)) {
    if (reference.tokenExchange !== undefined || server.tokenExchange !== undefined) {
      const message =
        `tokenExchange names no audience, resource or scope, neither here nor at ${textOf(key)}, so that no token could be made: ` +
        'give stsAudience, or one of the three';
      context.report(tool.at, 'Invalid', message);
    }
    return none;
  }
  if (tool.clearText !== undefined) context.report(tool.clearText.at, 'Invalid', tool.clearText.message);
  const service = serviceOf(context, services, { tool, target });
  const found = service && services.use(service);
  if (service === undefined || found === undefined) return none;
  const { tokenServiceRef: _, ...exchange } = target.exchange;
  const { tokenServiceRef: __, ...from } = target.from;
  const profile = exchange.profile === undefined && found.spec.profile !== undefined;
  return {
    config: configOf(exchange, service),
    status: {
      server: name,
      tokenService: serviceName(service.reference),
      ...exchange,
      ...(profile ? { profile: found.spec.profile } : {}),
      from: {
        tokenService: service.from,
        ...from,
        ...(profile ? { profile: 'tokenService' } : {}),
      },
    },
  };
}

function serviceOf(
  context: Context,
  services: TokenServices,
  { tool, target }: { readonly tool: Tool; readonly target: ResolvedTarget<Level> },
): ServiceReference | undefined {
  const { tokenServiceRef } = target.exchange;
  const { tokenServiceRef: from } = target.from;
  if (tokenServiceRef !== undefined && from !== undefined) {
    const holder = from === 'tool' ? tool.at : { object: tool.key, field: 'spec' };
    const at = below(below(holder, 'tokenExchange'), 'tokenServiceRef');
    // Whoever gets tokens of this Agent's users and pods is for its own namespace to say; a server may change any time.
    if (holder.object.namespace !== context.namespace) {
      const field = `${tool.at.field}.tokenExchange.tokenServiceRef`;
      const message =
        `${textOf(tool.key)} is of another namespace, and would choose which STS gets the tokens of this Agent's users and pods: ` +
        `name the TokenService in ${field} of the Agent, where it wins`;
      context.report(at, 'NotPermitted', message);
      return undefined;
    }
    return { reference: placed(tokenServiceRef, holder.object), at, from };
  }
  const own = services.ofAgent();
  if (own === undefined) {
    const message =
      `the token for ${textOf(tool.key)} needs a TokenService: name one in spec.tokenServiceRef, ` +
      `or make one named "default" in namespace ${context.namespace}`;
    context.report(tool.at, 'NoTokenService', message);
  }
  return own;
}

/** The short form wherever it says all. */
function configOf(
  { audiences, resources, scopes, requestedTokenType, profile }: TokenExchangeSpec,
  service: ServiceReference,
): ConfigFields {
  const isOwn = service.from === 'agent' || service.from === 'default';
  const config: TargetConfig = {
    ...(isOwn ? {} : { token_service: serviceName(service.reference) }),
    ...(audiences && { audiences }),
    ...(resources && { resources }),
    ...(scopes && { scopes }),
    ...(requestedTokenType !== undefined && { requested_token_type: requestedTokenType }),
    ...(profile && { profile }),
  };
  const [audience, ...more] = audiences ?? [];
  const isShort = audience !== undefined && more.length === 0 && Object.keys(config).length === 1;
  return isShort ? { sts_audience: audience } : { token_exchange: config };
}
