import type { ModelConfig, ModelConfigStatus } from '../api/model-config.ts';
import type { DiscoveredTool, RemoteMCPServer, RemoteMCPServerStatus } from '../api/remote-mcp-server.ts';
import type { TokenService, TokenServiceStatus } from '../api/token-service.ts';
import type { Problem } from '../compile/types.ts';
import type { TokenServiceCheck } from './check-token-service.ts';
import { conditionsOf, type Finding, findingsOfProblems, notReadyBecause } from './conditions.ts';

/** What a status is made from, whatever the kind. */
export interface Facts<T extends ModelConfig | RemoteMCPServer | TokenService> {
  readonly object: T;
  readonly problems: readonly Problem[];
  /** `Ready`, where nothing else is in the way. */
  readonly ready: Finding;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Status of a model. */
export function modelStatus(facts: Facts<ModelConfig>): ModelConfigStatus {
  return common(facts);
}

/**
 * Status of a server.
 *
 * @param tools - those that were found; `undefined`: they are not published
 */
export function serverStatus(
  facts: Facts<RemoteMCPServer>,
  tools: readonly DiscoveredTool[] | undefined,
): RemoteMCPServerStatus {
  return { ...common(facts), ...(tools === undefined ? {} : { discoveredTools: tools }) };
}

/** Status of an STS. */
export function tokenServiceStatus(
  facts: Omit<Facts<TokenService>, 'ready'>,
  { Ready, tokenEndpoint }: TokenServiceCheck,
): TokenServiceStatus {
  return {
    ...common({ ...facts, ready: Ready }),
    ...(tokenEndpoint === undefined ? {} : { tokenEndpoint }),
  };
}

function common<T extends ModelConfig | RemoteMCPServer | TokenService>(
  facts: Facts<T>,
): Pick<ModelConfigStatus, 'observedGeneration' | 'conditions'> {
  const { object, problems, ready, now } = facts;
  const { name, namespace = '', generation } = object.metadata;
  const findings = findingsOfProblems(problems, { kind: object.kind, namespace, name });
  const Ready = notReadyBecause(findings) ?? ready;
  const before = object.status?.conditions;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions: conditionsOf({ ...findings, Ready }, { generation, before, now }),
  };
}
