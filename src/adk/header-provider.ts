import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import { currentDelegation } from '../context/carrier.ts';
import { OnbehalfError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { resolveTarget, type Target } from '../core/target.ts';
import type { HeaderFields } from '../mcp/headers.ts';

/** Options of {@link createHeaderProvider}. */
export interface HeaderProviderOptions<Context> {
  /** Who keeps the tokens. */
  readonly broker: Broker;
  /** Audience, or the richer target, of the server that the header fields are for. */
  readonly target: Target | string;
  /** Header fields of every request; lowest precedence. */
  readonly headers?: HeaderFields | undefined;
  /** Names of the fields that may pass from the inbound request; no others do. Default: none. */
  readonly allowedHeaders?: readonly string[] | undefined;
  /** The inbound request's header fields. */
  readonly inboundHeaders?: ((context: Context) => HeaderFields | undefined) | undefined;
  /** Whom a request is for. Default: the delegation that the calling code runs under. */
  readonly delegation?: ((context: Context) => Delegation | undefined) | undefined;
}

/** Gives the header fields for a request, synchronously; names are in lower case, each once. */
export type HeaderProvider<Context = void> = (context: Context) => Record<string, string>;

/**
 * Makes a synchronous header provider for one server: static fields, below the allowed inbound ones, below the
 * `Authorization` with the kept token. It reads the cache and never exchanges.
 *
 * @returns a function that throws OnbehalfError `token_not_ready` when no token is kept yet (so that a request never
 * goes out under another identity or none), `delegation_missing`, or what `Broker.peek` throws
 */
export function createHeaderProvider<Context = void>(
  options: HeaderProviderOptions<Context>,
): HeaderProvider<Context> {
  checkOptions(options, 'createHeaderProvider()', {
    broker: 'object',
    target: 'any',
    headers: 'object?',
    allowedHeaders: 'object?',
    inboundHeaders: 'function?',
    delegation: 'function?',
  });
  const target = resolveTarget(options.target);
  const fixed = lowerCase(options.headers, () => true);
  const allowed = new Set(options.allowedHeaders?.map((name) => name.toLowerCase()));
  const delegationOf = options.delegation ?? currentDelegation;
  return (context) => {
    const delegation = delegationOf(context);
    if (!delegation) {
      throw new OnbehalfError('delegation_missing', 'nobody is known on whose behalf the request is', {
        failure: 'misconfigured',
      });
    }
    const token = options.broker.peek(delegation, target);
    if (!token) {
      throw new OnbehalfError(
        'token_not_ready',
        'no token is kept for this server yet: ask the broker for it first',
        {
          failure: 'unavailable',
        },
      );
    }
    const inbound = lowerCase(options.inboundHeaders?.(context), (name) => allowed.has(name));
    return { ...fixed, ...inbound, authorization: `Bearer ${token.accessToken}` };
  };
}

function lowerCase(
  fields: HeaderFields | undefined,
  keep: (name: string) => boolean,
): Record<string, string> {
  const result: Record<string, string> = {};
  if (fields === undefined) return result;
  const entries = Symbol.iterator in fields ? fields : Object.entries(fields);
  for (const [name, value] of entries as Iterable<readonly [string, string]>) {
    if (keep(name.toLowerCase())) result[name.toLowerCase()] = value;
  }
  return result;
}
