import type { Delegation } from '../../broker/delegation.ts';
import { currentDelegation } from '../../context/carrier.ts';
import { createDelegatedFetch, type DelegatedFetch, type DelegatedFetchOptions } from '../delegated-fetch.ts';

/** A server of a Mastra `MCPClient`: `new MCPClient({ servers: { calendar } })`. */
export interface MastraServer {
  readonly url: URL;
  readonly fetch: DelegatedFetch;
  readonly onToolError: 'return';
}

/** Where a delegation is found in Mastra's request context: `requestContext.set(MASTRA_DELEGATION, delegation)`. */
export const MASTRA_DELEGATION = 'onbehalf.delegation';

/**
 * Makes a server of a Mastra `MCPClient` that all users share: each tool runs on behalf of the user whose delegation the
 * request context holds; without one, of the user under whose `runAs` the agent runs. A call that cannot be made is a tool
 * result that the model can read.
 *
 * @param options - as of `createDelegatedFetch`; `failures` is `tool_result` unless said otherwise
 */
export function mastraServer(options: DelegatedFetchOptions): MastraServer {
  const delegation = options.delegation ?? fromRequestContext;
  const fetch = createDelegatedFetch({ failures: 'tool_result', ...options, delegation });
  return { url: new URL(options.url), fetch, onToolError: 'return' };
}

/** Mastra hands its request context to `fetch`; null where it connects and lists. */
function fromRequestContext(context: unknown): Delegation | undefined {
  const get: unknown = Object(context).get;
  if (typeof get !== 'function') return currentDelegation();
  return (get.call(context, MASTRA_DELEGATION) as Delegation | undefined) ?? currentDelegation();
}
