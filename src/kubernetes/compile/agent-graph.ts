import type { Agent } from '../api/agent.ts';
import { placed } from './context.ts';
import type { Place } from './dependencies.ts';
import { parseObject } from './parse.ts';
import type { LookUp } from './types.ts';

/** How many agents may call each other in a row, after the first. */
export const MAX_DEPTH = 10;

/** Agents that call each other, `NAMESPACE/NAME` each, the caller first. */
type Way = readonly string[];

/** Why an agent cannot be a tool. */
export interface BadWay {
  readonly kind: 'cycle' | 'depth';
  readonly way: Way;
}

type Walk = { readonly longest: Way; readonly bad?: undefined } | { readonly bad: BadWay };

/**
 * Looks for cycles and chains that are too long, from an agent on, through all agents that can be reached. Each is
 * looked at once: its longest chain is remembered.
 *
 * @returns a function that tells for one tool of the agent why it cannot be one; `undefined`: it can
 */
export function createGraph(root: Place, lookUp: LookUp): (tool: Place) => BadWay | undefined {
  const known = new Map<string, Way>();
  const walk = (agent: Place, above: Way): Walk => {
    const name = textOf(agent);
    const way = [...above, name];
    if (above.includes(name)) return { bad: { kind: 'cycle', way } };
    const longest = known.get(name);
    if (longest !== undefined) return checked(longest, above);
    if (way.length > MAX_DEPTH + 1) return { bad: { kind: 'depth', way } };
    let below: Way = [];
    for (const next of callees(agent, lookUp)) {
      const result = walk(next, way);
      if (result.bad !== undefined) return result;
      if (result.longest.length > below.length) below = result.longest;
    }
    known.set(name, [name, ...below]);
    return { longest: [name, ...below] };
  };
  return (tool) => walk(tool, [textOf(root)]).bad;
}

function checked(longest: Way, above: Way): Walk {
  const way = [...above, ...longest];
  return way.length > MAX_DEPTH + 1 ? { bad: { kind: 'depth', way } } : { longest };
}

function textOf({ namespace, name }: Place): string {
  return `${namespace}/${name}`;
}

/** None where the agent is not there or is not valid: that is told where it is referred to. */
function callees(agent: Place, lookUp: LookUp): readonly Place[] {
  const found = lookUp.object('Agent', agent.namespace, agent.name);
  const parsed: Agent | undefined = found === undefined ? undefined : parseObject('Agent', found).object;
  return (parsed?.spec.declarative?.tools ?? []).flatMap((tool) =>
    tool.agent === undefined ? [] : [placed(tool.agent, agent)],
  );
}
