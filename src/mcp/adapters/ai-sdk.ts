import { createDelegatedFetch, type DelegatedFetch, type DelegatedFetchOptions } from '../delegated-fetch.ts';

/** Transport of an `@ai-sdk/mcp` client: `createMCPClient({ transport })`. */
export interface AiSdkTransport {
  readonly type: 'http';
  readonly url: string;
  readonly fetch: DelegatedFetch;
  readonly redirect: 'error';
}

/**
 * Makes the transport of an `@ai-sdk/mcp` client that all users share: each tool runs on behalf of the user under whose
 * `runAs` it runs. A call that cannot be made is a tool result that the model can read.
 *
 * @param options - as of `createDelegatedFetch`; `failures` is `tool_result` unless said otherwise
 */
export function aiSdkTransport(options: DelegatedFetchOptions): AiSdkTransport {
  const fetch = createDelegatedFetch({ failures: 'tool_result', ...options });
  return { type: 'http', url: new URL(options.url).href, fetch, redirect: 'error' };
}
