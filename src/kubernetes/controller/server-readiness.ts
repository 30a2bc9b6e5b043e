import type { RemoteMCPServer } from '../api/remote-mcp-server.ts';
import type { TokenService } from '../api/token-service.ts';
import { allowedBy, refusal } from '../compile/permission.ts';
import { hasTarget, resolveTarget } from '../compile/target.ts';
import type { LookUp, ObjectKey, Problem } from '../compile/types.ts';
import { CLEAR_TEXT, isClearText } from '../compile/url.ts';
import type { Finding } from './conditions.ts';

/** What a server's TokenService means for it. */
export interface TokenServiceFacts {
  readonly problems: readonly Problem[];
  /** Why the server is not ready on its account. */
  readonly notReady?: Finding | undefined;
}

const DEFAULT = 'default';
const PENDING: Pick<Finding, 'reason'> = { reason: 'Pending' };

/**
 * Looks at the TokenService that a server names, else at the one that Agents beside it use unless they say otherwise. A
 * server that needs no token needs none.
 */
export function tokenServiceOf(key: ObjectKey, { spec }: RemoteMCPServer, lookUp: LookUp): TokenServiceFacts {
  const { exchange } = resolveTarget([{ from: 'server', fields: spec }]);
  const ref = exchange.tokenServiceRef;
  if (ref === undefined && !hasTarget(exchange)) return { problems: [] };
  const { name, namespace = key.namespace } = ref ?? { name: DEFAULT };
  const service = lookUp.object('TokenService', namespace, name);
  const field = 'spec.tokenExchange.tokenServiceRef';
  // Before anything of it is told: whoever may not use it must not learn of it.
  const refused = refusal(allowedBy(service), { to: namespace, from: key.namespace }, lookUp);
  if (refused !== undefined) {
    const message = `TokenService ${namespace}/${name} cannot be used: ${refused}`;
    return { problems: [{ object: key, field, reason: 'NotPermitted', message }] };
  }
  if (service !== undefined) return { problems: [], notReady: notReadyOf(service, `${namespace}/${name}`) };
  if (ref === undefined) return { problems: [] };
  const message = `there is no TokenService ${namespace}/${name}: make it, or correct the name`;
  return { problems: [{ object: key, field, reason: 'NotFound', message }] };
}

/** No Agent could use it as it is. */
export function clearTextProblems(key: ObjectKey, { spec }: RemoteMCPServer): readonly Problem[] {
  const { exchange } = resolveTarget([{ from: 'server', fields: spec }]);
  if (spec.dangerouslyAllowInsecureHTTP || !hasTarget(exchange) || !isClearText(spec.url)) return [];
  return [{ object: key, field: 'spec.url', reason: 'Invalid', message: CLEAR_TEXT }];
}

function notReadyOf({ metadata, status }: TokenService, place: string): Finding | undefined {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready === undefined || (ready.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    const message = `TokenService ${place} has not been looked at yet.`;
    return { status: 'Unknown', ...PENDING, message };
  }
  if (ready.status !== 'False') return undefined;
  const message = `TokenService ${place} is not ready: ${ready.message}`;
  return { status: 'False', reason: 'TokenServiceNotReady', message };
}

/** Whether the TokenService is only still to be looked at. */
export function isPending(finding: Finding | undefined): boolean {
  return finding?.reason === PENDING.reason;
}
