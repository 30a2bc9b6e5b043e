import { isDeepStrictEqual } from 'node:util';
import type { TargetFields } from '../api/target.ts';
import { allowsInsecureHttp, annotatedTarget, annotatedTools, TOOL_TARGETS } from './annotations.ts';
import { isObject, type JsonObject, listOf, namespaceOf, objectOf, textMember } from './json.ts';
import { annotationSpot } from './service.ts';
import { complain, inner, type Spot } from './spot.ts';

/** A spec with what the annotations of its object say of tokens for it. */
export function withAnnotations(spec: JsonObject, object: JsonObject, spot: Spot): JsonObject {
  const target = annotatedTarget(object, spot);
  const insecure = allowsInsecureHttp(object, spot) ? { dangerouslyAllowInsecureHTTP: true } : {};
  return { ...(target === undefined ? spec : merged(spec, target, inner(spot, ['spec']))), ...insecure };
}

/** What a field and an annotation say must be the same: which of the two was meant to win, nobody could tell. */
function merged(holder: JsonObject, target: TargetFields, spot: Spot): JsonObject {
  for (const name of ['stsAudience', 'tokenExchange'] as const) {
    const given = holder[name];
    if (given === undefined || isDeepStrictEqual(given, target[name])) continue;
    complain(inner(spot, [name]), 'Invalid', 'says something else than the annotation: give one of the two');
    return holder;
  }
  return { ...holder, ...target };
}

/** One tool of an agent, by the names it may be called. */
interface Tool {
  readonly index: number;
  readonly member: 'mcpServer' | 'agent';
  readonly names: readonly string[];
}

/** The spec of an agent with what its annotation says tokens for its tools are for. */
export function withToolTargets(spec: JsonObject, object: JsonObject, spot: Spot): JsonObject {
  const targets = annotatedTools(object, spot);
  if (targets.length === 0) return spec;
  const declarative = objectOf(spec.declarative);
  const tools = [...listOf(declarative.tools)];
  const known = toolsOf(tools, namespaceOf(object));
  for (const [name, target] of targets) {
    const [tool, ...others] = known.filter(({ names }) => names.includes(name));
    if (tool === undefined || others.length > 0) {
      complain(
        inner(annotationSpot(spot, TOOL_TARGETS), [name]),
        'NotFound',
        unknownTool(known, others.length),
      );
      continue;
    }
    const item = objectOf(tools[tool.index]);
    const there = inner(spot, ['spec', 'declarative', 'tools', tool.index, tool.member]);
    tools[tool.index] = { ...item, [tool.member]: merged(objectOf(item[tool.member]), target, there) };
  }
  return { ...spec, declarative: { ...declarative, tools } };
}

function unknownTool(known: readonly Tool[], others: number): string {
  if (others > 0) return 'names more than one tool of the agent: give them names of their own';
  const names = known.map(({ names: [first = ''] }) => first).join(', ');
  return names === ''
    ? 'names no tool of the agent: it has none'
    : `names no tool of the agent: those are ${names}`;
}

function toolsOf(tools: readonly unknown[], home: string): readonly Tool[] {
  return tools.flatMap((tool, index) =>
    (['mcpServer', 'agent'] as const).flatMap((kind) => {
      const reference = objectOf(tool)[kind];
      const name = isObject(reference) ? textMember(reference, 'name') : undefined;
      if (name === undefined) return [];
      const namespace = textMember(objectOf(reference), 'namespace') ?? home;
      // By its name alone: what is in the namespace of the agent.
      const short = namespace === home ? [name] : [];
      return [{ index, member: kind, names: [...short, `${namespace}/${name}`] }];
    }),
  );
}
