import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import type { InvocationContext } from '@google/adk';
import type { SecurityToken } from '../core/token-types.ts';
import { type InboundHeaders, NO_HEADERS } from './inbound-headers.ts';

/** Who sent a request. It is what A2A calls a user, and shows no token when it is printed. */
export interface Caller {
  /** Whether it is known who this is. */
  readonly isAuthenticated: boolean;
  /** Digest of issuer and subject: the same for the same user, and for nobody else. */
  readonly userName: string;
  /** The token that came with the request; none of an anonymous caller. */
  readonly token: () => SecurityToken | undefined;
  /** Header fields of the request, for servers that they may be handed on to. Nowhere else: they may hold a secret. */
  readonly headers: () => InboundHeaders;
}

/** A run under way: who it is for, and what ADK calls it. */
export interface AgentRun {
  readonly caller: Caller;
  /** Of this run, as ADK's plugins were told. */
  readonly contexts: InvocationContext[];
}

const runs = new AsyncLocalStorage<AgentRun>();

/** Does some work as a run: in all that it awaits, {@link currentRun} is this one. */
export function asRun<T>(run: AgentRun, work: () => T): T {
  return runs.run(run, work);
}

/** The run that the running code belongs to. */
export function currentRun(): AgentRun | undefined {
  return runs.getStore();
}

/** A caller whose token says who it is. */
export function knownCaller(
  subject: { readonly iss: string; readonly sub: string },
  token: SecurityToken,
  headers: InboundHeaders = NO_HEADERS,
): Caller {
  // Not joined: an issuer may hold whatever would stand between them.
  const userName = createHash('sha256')
    .update(JSON.stringify([subject.iss, subject.sub]))
    .digest('base64url');
  return caller({ isAuthenticated: true, userName }, token, headers);
}

/** A caller of whom nothing is known. All of them are one user. */
export const ANONYMOUS: Caller = anonymousCaller(NO_HEADERS);

/** {@link ANONYMOUS}, by a request of its own. */
export function anonymousCaller(headers: InboundHeaders): Caller {
  return caller({ isAuthenticated: false, userName: 'anonymous' }, undefined, headers);
}

function caller(
  shown: Pick<Caller, 'isAuthenticated' | 'userName'>,
  token: SecurityToken | undefined,
  headers: InboundHeaders,
): Caller {
  const result = { ...shown };
  // Neither enumerable nor shown: contexts of requests get printed.
  Object.defineProperty(result, 'token', { value: () => token, enumerable: false });
  Object.defineProperty(result, 'headers', { value: () => headers, enumerable: false });
  Object.defineProperty(result, inspect.custom, { value: () => ({ ...result }), enumerable: false });
  return Object.freeze(result) as Caller;
}
