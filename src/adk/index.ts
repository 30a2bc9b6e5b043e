export type { ToolError } from '../mcp/tool-error.ts';
export type { PropagationFailure } from './failure-hook.ts';
export { createHeaderProvider, type HeaderProvider, type HeaderProviderOptions } from './header-provider.ts';
export {
  ADKTokenPropagationPlugin,
  type ADKTokenPropagationPluginOptions,
  type DelegatedRunParams,
  type SubjectTokenGetter,
} from './plugin.ts';
export { bearerFromSessionState } from './session-headers.ts';
export { DelegatedMCPToolset, type DelegatedMCPToolsetOptions } from './toolset.ts';
