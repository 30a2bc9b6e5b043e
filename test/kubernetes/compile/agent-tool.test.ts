import { expect, test } from 'vitest';
import type { LookUp } from '../../../src/kubernetes/compile/types.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import {
  agentTool,
  agentWith,
  BASE,
  brief,
  compiled,
  compiling,
  type Given,
  mcp,
  problemsOf,
  server,
} from './objects.ts';

/** Agents, each with the agents that are its tools. */
const graph = (tools: Readonly<Record<string, readonly string[]>>): readonly Given[] =>
  Object.entries(tools).map(([name, callees]) =>
    agentWith(
      callees.map((callee) => agentTool(callee)),
      {},
      name,
    ),
  );
const ofFirst = (tools: Readonly<Record<string, readonly string[]>>): readonly string[] => {
  const [first, ...others] = graph(tools);
  if (first === undefined) throw new Error('no agent');
  return (compiling(first, [...BASE, ...others]).problems ?? []).map(
    ({ reason, message }) => `${reason}: ${message}`,
  );
};

test('an agent as a tool has a name that a model can call, and the URL of its Service', () => {
  const clerk = agentWith(
    [],
    { description: 'Knows files.', allowedNamespaces: { from: 'All' } },
    'back-office/file-clerk',
  );
  const { config, targets } = compiled(agentWith([agentTool('back-office/file-clerk')]), [...BASE, clerk]);
  expect(config.remote_agents).toEqual([
    {
      name: 'back_office__file_clerk',
      url: 'http://file-clerk.back-office.svc:8080',
      description: 'Knows files.',
    },
  ]);
  expect(targets).toEqual([{ server: 'back-office/file-clerk' }]);
});

test('S9 the audience of an agent as a tool is that of the reference, else its own, else none', () => {
  const audience = (reference: object, spec: object): unknown => {
    const clerk = agentWith([], { dangerouslyAllowInsecureHTTP: true, ...spec }, 'clerk');
    const { targets } = compiled(agentWith([agentTool('clerk', reference)]), [...BASE, clerk]);
    return [targets[0]?.audiences?.join(), targets[0]?.from?.audiences];
  };
  expect(audience({ stsAudience: 'mine' }, { stsAudience: 'clerk' })).toEqual(['mine', 'tool']);
  expect(audience({}, { stsAudience: 'clerk' })).toEqual(['clerk', 'server']);
  expect(audience({}, {})).toEqual([undefined, undefined]);
});

test('a server and an agent of one name are told apart in the targets', () => {
  const agent = agentWith([mcp('clerk'), agentTool('clerk')]);
  const { targets } = compiled(agent, [...BASE, server('clerk'), agentWith([], {}, 'clerk')]);
  expect(targets.map(({ server: name }) => name)).toEqual(['demo/clerk', 'Agent demo/clerk']);
});

test('an agent that is not there is a problem', () => {
  expect(brief(problemsOf(agentWith([agentTool('gone')])))).toEqual([
    'NotFound Agent demo/assistant spec.declarative.tools[0].agent.name',
  ]);
});

test('an agent that breaks its schema is a problem at its own field', () => {
  const broken = agentWith([], { declarative: { stream: 'yes' } }, 'clerk');
  expect(brief(problemsOf(agentWith([agentTool('clerk')]), [...BASE, broken]))).toEqual([
    'Invalid Agent demo/clerk spec.declarative.stream',
  ]);
});

test('an agent that is its own tool is rejected', () => {
  const [problem] = problemsOf(agentWith([agentTool('assistant')]));
  expect(problem).toMatchObject({
    reason: 'AgentCycle',
    field: 'spec.declarative.tools[0].agent.name',
  });
  expect(problem?.message).toContain('demo/assistant -> demo/assistant:');
});

test('agents that call each other in a circle are rejected, with the way', () => {
  expect(ofFirst({ a: ['b'], b: ['c'], c: ['a'] })).toEqual([
    expect.stringContaining(
      'AgentCycle: agents call each other in a circle, demo/a -> demo/b -> demo/c -> demo/a',
    ),
  ]);
});

test('an agent that leads into a circle is rejected too: its calls would never end', () => {
  expect(ofFirst({ a: ['b'], b: ['c'], c: ['b'] })).toEqual([
    expect.stringContaining('in a circle, demo/a -> demo/b -> demo/c -> demo/b:'),
  ]);
});

test('agents that meet again without a circle are fine', () => {
  expect(ofFirst({ a: ['b', 'c'], b: ['d'], c: ['d', 'b'], d: [] })).toEqual([]);
});

test('each tool of a circle is told, and the others are not', () => {
  const [first, ...others] = graph({ a: ['b', 'd', 'c'], b: ['a'], c: ['a'], d: [] });
  const problems = first === undefined ? [] : problemsOf(first, [...BASE, ...others]);
  expect(brief(problems)).toEqual([
    'AgentCycle Agent demo/a spec.declarative.tools[0].agent.name',
    'AgentCycle Agent demo/a spec.declarative.tools[2].agent.name',
  ]);
});

const chain = (length: number): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    Array.from({ length: length + 1 }, (_, index) => [
      `a${index}`,
      index === length ? [] : [`a${index + 1}`],
    ]),
  );

test('ten agents may call each other in a row, and eleven may not', () => {
  expect(ofFirst(chain(10))).toEqual([]);
  expect(ofFirst(chain(11))).toEqual([expect.stringContaining('AgentCycle: more than 10 agents')]);
});

test('a chain that is too long is found also where its end was walked before', () => {
  // From the start, first the end of the chain alone, then all of it.
  expect(ofFirst({ start: ['a5', 'a0'], ...chain(11) })).toEqual([
    expect.stringMatching(/more than 10 agents.*start -> demo\/a0 -> /),
  ]);
});

/** Agents, each with its tools; those of namespace `open` permit all, the others their own namespace only. */
const permitted = (tools: Readonly<Record<string, readonly string[]>>): readonly Given[] =>
  Object.entries(tools).map(([name, callees]) =>
    agentWith(
      callees.map((callee) => agentTool(callee)),
      name.startsWith('open/') ? { allowedNamespaces: { from: 'All' } } : {},
      name,
    ),
  );
const ofFirstPermitted = (tools: Readonly<Record<string, readonly string[]>>): readonly string[] => {
  const [first, ...others] = permitted(tools);
  if (first === undefined) throw new Error('no agent');
  const { problems = [] } = compiling(first, [...BASE, ...others]);
  return problems.map(({ reason, message }) => `${reason}: ${message}`);
};

test('a reference back that nobody permits closes no circle', () => {
  expect(ofFirstPermitted({ 'demo/main': ['open/helper'], 'open/helper': ['demo/main'] })).toEqual([]);
});

test('a chain of references that nobody permits is not too long', () => {
  const calls = Array.from({ length: 12 }, (_, index): [string, readonly string[]] => [
    `n${index}/a`,
    [`n${index + 1}/a`],
  ]);
  const open = { 'demo/main': ['open/helper'], 'open/helper': ['n0/a'], ...Object.fromEntries(calls) };
  expect(ofFirstPermitted(open)).toEqual([]);
});

test('what a circle shows of other namespaces is those next to the Agent', () => {
  const all = { allowedNamespaces: { from: 'All' } };
  const calls = { 'demo/main': 'b/near', 'b/near': 'c/far', 'c/far': 'd/farther', 'd/farther': 'demo/own' };
  const agents = [...Object.entries({ ...calls, 'demo/own': 'e/last', 'e/last': 'demo/main' })].map(
    ([name, callee]) => agentWith([agentTool(callee)], all, name),
  );
  const [first, ...others] = agents;
  if (first === undefined) throw new Error('no agent');
  const [problem] = problemsOf(first, [...BASE, ...others]);
  expect(problem?.reason).toBe('AgentCycle');
  expect(problem?.message).toContain(
    'demo/main -> b/near -> (another namespace) -> demo/own -> e/last -> demo/main',
  );
  expect(problem?.message).not.toMatch(/far/);
});

test('a circle of others shows the one that the Agent calls each time', () => {
  const all = { allowedNamespaces: { from: 'All' } };
  const [near, far] = [
    agentWith([agentTool('c/far')], all, 'b/near'),
    agentWith([agentTool('b/near')], all, 'c/far'),
  ];
  const [problem] = problemsOf(agentWith([agentTool('b/near')]), [...BASE, near, far]);
  expect(problem?.message).toContain('demo/assistant -> b/near -> (another namespace) -> b/near:');
});

test('a reference that is not permitted is told as such, though it would close a circle', () => {
  const [first, other] = permitted({ 'demo/main': ['far/helper'], 'far/helper': ['demo/main'] });
  if (first === undefined || other === undefined) throw new Error('no agents');
  expect(brief(problemsOf(first, [...BASE, other]))).toEqual([
    'NotPermitted Agent demo/main spec.declarative.tools[0].agent.name',
  ]);
});

test('each agent is looked at once, by however many ways it can be reached', () => {
  const layer = (depth: number): readonly string[] =>
    depth > 9 ? [] : [1, 2, 3, 4].map((n) => `a${depth}-${n}`);
  const layers = Array.from({ length: 9 }, (_, index) => index + 1);
  const [first, ...others] = graph({
    start: layer(1),
    ...Object.fromEntries(layers.flatMap((depth) => layer(depth).map((name) => [name, layer(depth + 1)]))),
  });
  if (first === undefined) throw new Error('no agent');
  const objects = [...BASE, ...others];
  const lookUp = lookUpOf(objects);
  let asked = 0;
  const counting: LookUp = {
    ...lookUp,
    object: (...question) => {
      asked += 1;
      if (asked > 1000) throw new Error('there are 4 to the power of 9 ways');
      return lookUp.object(...question);
    },
  };
  expect(compiling(first, objects, counting).problems).toBeUndefined();
});

test('all agents that can be reached are dependencies: a circle may come to be anywhere', () => {
  const [first, ...others] = graph({ a: ['b'], b: ['c'], c: [] });
  if (first === undefined) throw new Error('no agent');
  const { dependencies } = compiling(first, [...BASE, ...others]);
  const agents = dependencies.filter(({ kind }) => kind === 'Agent').map(({ name }) => name);
  expect(agents).toEqual(['b', 'c']);
});

test('an agent that is named twice is a problem', () => {
  const agent = agentWith([agentTool('clerk'), agentTool('demo/clerk')]);
  expect(brief(problemsOf(agent, [...BASE, agentWith([], {}, 'clerk')]))).toEqual([
    'Invalid Agent demo/assistant spec.declarative.tools[1].agent.name',
  ]);
});
