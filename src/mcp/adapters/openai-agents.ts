import { createDelegatedFetch, type DelegatedFetch, type DelegatedFetchOptions } from '../delegated-fetch.ts';

/** Options of a server of `@openai/agents`: `new MCPServerStreamableHttp(options)`. */
export interface OpenAIAgentsServer {
  readonly name: string;
  readonly url: string;
  readonly fetch: DelegatedFetch;
}

/**
 * Makes the options of an `MCPServerStreamableHttp` of `@openai/agents` that all users share: each tool runs on behalf of
 * the user under whose `runAs` the agent runs. A call that cannot be made is a tool result that the model can read, and
 * not that framework's "An error occurred, try again".
 *
 * @param options - as of `createDelegatedFetch`; `failures` is `tool_result` unless said otherwise
 */
export function openAIAgentsServer(options: DelegatedFetchOptions): OpenAIAgentsServer {
  const fetch = createDelegatedFetch({ failures: 'tool_result', ...options });
  const url = new URL(options.url);
  return { name: options.name ?? url.href, url: url.href, fetch };
}
