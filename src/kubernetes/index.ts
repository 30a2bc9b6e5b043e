export type { MemorySettings } from '../config/memory.ts';
export type { ModelSettings, ScriptedTurn as ScriptedTurnConfig } from '../config/model.ts';
export type { AuthenticationConfig, RuntimeConfig } from '../config/runtime-config.ts';
export type { SecretText } from '../config/secret-text.ts';
export type { TargetConfig, TargetFields as TargetConfigFields } from '../config/target.ts';
export type {
  ActorConfig,
  ClientAuthenticationConfig,
  TokenExchangeConfig,
  TokenServiceConfig,
} from '../config/token-service.ts';
export type { RemoteAgentConfig, ServerParams, ToolServerConfig } from '../config/tools.ts';
export type {
  Agent,
  AgentSpec,
  AgentStatus,
  AuthenticationSpec,
  DeclarativeSpec,
  IssuerSpec,
  SkillSpec,
  TargetStatus,
} from './api/agent.ts';
export type {
  DeploymentSpec,
  EnvSource,
  EnvVar,
  OwnDeploymentSpec,
  ResourceRequirements,
} from './api/deployment.ts';
export type { Kind, ObjectOf, PrinterColumn } from './api/kinds.ts';
export type { Condition, ObjectMeta } from './api/meta.ts';
export type {
  ModelConfig,
  ModelConfigSpec,
  ModelConfigStatus,
  ModelProvider,
  ScriptedCall,
  ScriptedTurn,
} from './api/model-config.ts';
export type {
  AllowedNamespaces,
  HeaderValue,
  LabelRequirement,
  LabelSelector,
  ObjectReference,
  SecretKeyReference,
  TlsSpec,
  ValueSource,
} from './api/references.ts';
export type {
  DiscoveredTool,
  Discovery,
  RemoteMCPServer,
  RemoteMCPServerSpec,
  RemoteMCPServerStatus,
} from './api/remote-mcp-server.ts';
export type { Profile, TargetFields, TokenExchangeSpec } from './api/target.ts';
export type {
  ActorSpec,
  ClientAuthenticationSpec,
  ClientAuthMethod,
  TokenService,
  TokenServiceSpec,
  TokenServiceStatus,
} from './api/token-service.ts';
export type { AgentReference, McpServerReference, ToolReference } from './api/tool-reference.ts';
export { compileAgent } from './compile/compile-agent.ts';
export type {
  Compilation,
  CompiledAgent,
  DataMount,
  DataObject,
  LookUp,
  ObjectKey,
  Problem,
  ProblemReason,
  SecretVariable,
  TokenMount,
} from './compile/types.ts';
export {
  type CrdVersion,
  type CustomResourceDefinition,
  customResourceDefinitions,
} from './crd/custom-resource-definition.ts';
export type { CelRule, StructuralSchema } from './crd/structural.ts';
export { importKagent } from './kagent/import.ts';
export type { GivenKey, ImportProblem, ImportWarning, KagentImport } from './kagent/types.ts';
export { lookUpOf, type PlainObject } from './look-up.ts';
export {
  type Manifest,
  type ManifestObject,
  type ManifestProblem,
  type Manifests,
  readManifests,
} from './manifests.ts';
