import type { Agent } from '../api/agent.ts';
import { type Context, placed } from './context.ts';
import type { Place } from './dependencies.ts';
import { parseObject } from './parse.ts';
import { refusal } from './permission.ts';
import type { LookUp } from './types.ts';

/** How many agents may call each other in a row, after the first. */
export const MAX_DEPTH = 10;

/** Stands for any number of agents. */
const HIDDEN = '(another namespace)';

/** Agents that call each other, the caller first. */
type Way = readonly Place[];

/** Why an agent cannot be a tool. */
export interface BadWay {
  readonly kind: 'cycle' | 'depth';
  readonly way: Way;
}

type Walk = { readonly longest: Way; readonly bad?: undefined } | { readonly bad: BadWay };

/**
 * Looks for cycles and chains that are too long, from an agent on, through all agents that can be reached. Each is
 * looked at once: its longest chain is remembered. A reference that its agent does not permit is no way to it: it never
 * becomes a call, and whoever owns an agent that is called could else break its callers.
 *
 * @returns a function that tells for one tool of the agent why it cannot be one; `undefined`: it can
 */
export function createGraph({
  agent: given,
  key: root,
  lookUp,
}: Pick<Context, 'agent' | 'key' | 'lookUp'>): (tool: Place) => BadWay | undefined {
  const known = new Map<string, Way>();
  const agentAt = agentsOf(lookUp, new Map([[textOf(root), given]]));
  const walk = (agent: Place, above: Way): Walk => {
    const name = textOf(agent);
    const way = [...above, agent];
    if (above.some((one) => textOf(one) === name)) return { bad: { kind: 'cycle', way } };
    const longest = known.get(name);
    if (longest !== undefined) return checked(longest, above);
    if (way.length > MAX_DEPTH + 1) return { bad: { kind: 'depth', way } };
    let below: Way = [];
    for (const next of callees(agent, agentAt, lookUp)) {
      const result = walk(next, way);
      if (result.bad !== undefined) return result;
      if (result.longest.length > below.length) below = result.longest;
    }
    const own = [agent, ...below];
    known.set(name, own);
    return { longest: own };
  };
  return (tool) => walk(tool, [root]).bad;
}

function checked(longest: Way, above: Way): Walk {
  const way = [...above, ...longest];
  return way.length > MAX_DEPTH + 1 ? { bad: { kind: 'depth', way } } : { longest };
}

/**
 * A way for people. Of other namespaces it shows only agents that call the first one or are called by it: who else there
 * is, is not for its owners to know.
 */
export function wayText(way: Way): string {
  const [root = '', tool = '', ...others] = way.map(textOf);
  const callers = others.filter((_, index) => others[index + 1] === root);
  const near = new Set([tool, ...callers]);
  const names = way.map((place) => {
    const name = textOf(place);
    return place.namespace === way[0]?.namespace || near.has(name) ? name : HIDDEN;
  });
  return names.filter((name, index) => name !== HIDDEN || names[index - 1] !== HIDDEN).join(' -> ');
}

function textOf({ namespace, name }: Place): string {
  return `${namespace}/${name}`;
}

/** The agent of a place, if there is one and it is valid; each is looked up once. */
function agentsOf(
  lookUp: LookUp,
  known: Map<string, Agent | undefined>,
): (place: Place) => Agent | undefined {
  return (place) => {
    const name = textOf(place);
    if (!known.has(name)) {
      const found = lookUp.object('Agent', place.namespace, place.name);
      known.set(name, found === undefined ? undefined : parseObject('Agent', found).object);
    }
    return known.get(name);
  };
}

/** None where the agent is not there or is not valid: that is told where it is referred to. */
function callees(
  caller: Place,
  agentAt: (place: Place) => Agent | undefined,
  lookUp: LookUp,
): readonly Place[] {
  return (agentAt(caller)?.spec.declarative?.tools ?? []).flatMap((tool) => {
    if (tool.agent === undefined) return [];
    const place = placed(tool.agent, caller);
    const { allowedNamespaces } = agentAt(place)?.spec ?? {};
    const crossing = { to: place.namespace, from: caller.namespace };
    return refusal(allowedNamespaces, crossing, lookUp) === undefined ? [place] : [];
  });
}
