export { type AiSdkTransport, aiSdkTransport } from './adapters/ai-sdk.ts';
export { MASTRA_DELEGATION, type MastraServer, mastraServer } from './adapters/mastra.ts';
export { type OpenAIAgentsServer, openAIAgentsServer } from './adapters/openai-agents.ts';
export { type AgentFetchOptions, createAgentFetch } from './agent-fetch.ts';
export { createDelegatedFetch, type DelegatedFetch, type DelegatedFetchOptions } from './delegated-fetch.ts';
export type { DiscoveredTarget } from './discovered-target.ts';
export type { DiscoveryPolicy } from './discovery.ts';
export { type HeaderFields, layerHeaders } from './headers.ts';
export type { PlainFetch } from './request.ts';
export {
  type DiscoverResourceOptions,
  discoverResource,
  type ProtectedResource,
} from './resource-metadata.ts';
export { defineMcpServer, type McpServer, type McpServerOptions } from './server.ts';
export type { SessionLimits } from './session-place.ts';
export { createSessionPool, type SessionPool, type SessionPoolOptions } from './session-pool.ts';
export {
  createToolCatalogue,
  type ListOptions,
  type ToolCatalogue,
  type ToolCatalogueOptions,
} from './tool-catalogue.ts';
export type { ToolError } from './tool-error.ts';
