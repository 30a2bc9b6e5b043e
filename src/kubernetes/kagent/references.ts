import { isObject, type JsonObject, listOf, namespaceOf, objectOf, textMember } from './json.ts';
import { complain, inner, type Spot } from './spot.ts';

/** The kinds of kagent that become a RemoteMCPServer here, each with the API groups it may be called by. */
const SERVERS: Readonly<Record<string, readonly string[]>> = {
  RemoteMCPServer: ['', 'kagent.dev'],
  MCPServer: ['', 'kagent.dev'],
  Service: ['', 'core'],
};

/** A server that an agent of kagent names. */
export interface ServerReference {
  /** One of kagent's. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Where the agent names it. */
  readonly index: number;
}

/** The servers that an agent of kagent names. */
export function serverReferences(agent: JsonObject): readonly ServerReference[] {
  const home = namespaceOf(agent);
  return toolsOf(agent).flatMap((tool, index) => {
    const server = objectOf(tool).mcpServer;
    const name = isObject(server) ? textMember(server, 'name') : undefined;
    if (!isObject(server) || name === undefined) return [];
    // kagent takes a reference without a kind for one to an MCPServer.
    const kind = textMember(server, 'kind') ?? 'MCPServer';
    return [{ kind, namespace: textMember(server, 'namespace') ?? home, name, index }];
  });
}

function toolsOf(agent: JsonObject): readonly unknown[] {
  return listOf(objectOf(objectOf(agent.spec).declarative).tools);
}

/** Complains of references to kinds that there are none of here. */
export function checkReferences(agent: JsonObject, spot: Spot): void {
  for (const [index, tool] of toolsOf(agent).entries()) {
    const there = inner(spot, ['spec', 'declarative', 'tools', index]);
    checkKind(objectOf(tool).mcpServer, SERVERS, inner(there, ['mcpServer']));
    checkKind(objectOf(tool).agent, { Agent: ['', 'kagent.dev'] }, inner(there, ['agent']));
  }
}

function checkKind(given: unknown, kinds: Readonly<Record<string, readonly string[]>>, spot: Spot): void {
  if (!isObject(given)) return;
  const { kind, apiGroup } = given;
  const known = Object.keys(kinds);
  if (!isEmpty(kind) && !(typeof kind === 'string' && known.includes(kind))) {
    complain(
      inner(spot, ['kind']),
      'Unsupported',
      `is no kind that is read here: those are ${known.join(', ')}`,
    );
    return;
  }
  const groups = kinds[typeof kind === 'string' && kind !== '' ? kind : (known[0] ?? '')] ?? [];
  if (isEmpty(apiGroup) || (typeof apiGroup === 'string' && groups.includes(apiGroup))) return;
  const message = `is not the API group of that kind: give ${groups.filter((group) => group !== '').join(', ')}, or none`;
  complain(inner(spot, ['apiGroup']), 'Invalid', message);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}
