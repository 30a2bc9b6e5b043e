export { createDelegatedFetch, type DelegatedFetch, type DelegatedFetchOptions } from './delegated-fetch.ts';
export { type HeaderFields, layerHeaders } from './headers.ts';
export { defineMcpServer, type McpServer, type McpServerOptions } from './server.ts';
export { createSessionPool, type SessionPool, type SessionPoolOptions } from './session-pool.ts';
export {
  createToolCatalogue,
  type DiscoveryPolicy,
  type ListOptions,
  type ToolCatalogue,
  type ToolCatalogueOptions,
} from './tool-catalogue.ts';
