import {
  AUDIENCE,
  AUTHENTICATION,
  hasOwnAnnotation,
  INSECURE,
  TOKEN_EXCHANGE,
  TOOL_TARGETS,
} from './annotations.ts';
import { isObject, type JsonObject, member, objectOf, textMember } from './json.ts';
import { SERVICE_ANNOTATIONS } from './service.ts';

/** A kind of object that is read here. `Service` is of Kubernetes, `MCPServer` of kmcp, the others of kagent. */
export type GivenKind = 'Agent' | 'RemoteMCPServer' | 'ModelConfig' | 'MCPServer' | 'Service';

/** What is known of a kind. */
interface GivenKindInfo {
  readonly apiVersion: string;
  /** What its objects become. */
  readonly becomes: 'Agent' | 'RemoteMCPServer' | 'ModelConfig';
  /** Annotations of this group that mean something on it. */
  readonly annotations: readonly string[];
}

const KAGENT = 'kagent.dev';

/** By kind, what is known of it. */
export const GIVEN_KINDS: Readonly<Record<GivenKind, GivenKindInfo>> = {
  Agent: {
    apiVersion: `${KAGENT}/v1alpha2`,
    becomes: 'Agent',
    annotations: [AUDIENCE, TOKEN_EXCHANGE, INSECURE, TOOL_TARGETS, AUTHENTICATION],
  },
  RemoteMCPServer: {
    apiVersion: `${KAGENT}/v1alpha2`,
    becomes: 'RemoteMCPServer',
    annotations: [AUDIENCE, TOKEN_EXCHANGE, INSECURE],
  },
  ModelConfig: { apiVersion: `${KAGENT}/v1alpha2`, becomes: 'ModelConfig', annotations: [] },
  MCPServer: {
    apiVersion: `${KAGENT}/v1alpha1`,
    becomes: 'RemoteMCPServer',
    annotations: [AUDIENCE, TOKEN_EXCHANGE, INSECURE],
  },
  Service: {
    apiVersion: 'v1',
    becomes: 'RemoteMCPServer',
    annotations: [AUDIENCE, TOKEN_EXCHANGE, INSECURE],
  },
};

/** Whether an object is kagent's, whatever its kind and version. */
export function isOfKagent(object: JsonObject): boolean {
  return textMember(object, 'apiVersion')?.startsWith(`${KAGENT}/`) === true;
}

/** The kind, if its name is one that is read here; its version may be another. */
export function givenKind(object: JsonObject): GivenKind | undefined {
  const kind = textMember(object, 'kind');
  return kind !== undefined && Object.hasOwn(GIVEN_KINDS, kind) ? (kind as GivenKind) : undefined;
}

/** Whether a Service says that it is an MCP server. */
export function saysMcp(service: JsonObject): boolean {
  const annotations = objectOf(objectOf(service.metadata).annotations);
  return (
    SERVICE_ANNOTATIONS.some((name) => member(annotations, name) !== undefined) || hasOwnAnnotation(service)
  );
}

/** Whether a value is an object of this kind, of the version that is read. */
export function isGiven(value: unknown, kind: GivenKind): value is JsonObject {
  return isObject(value) && givenKind(value) === kind && value.apiVersion === GIVEN_KINDS[kind].apiVersion;
}
