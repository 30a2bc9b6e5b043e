import { expect } from 'vitest';
import type { Agent } from '../../../src/kubernetes/api/agent.ts';
import { compileAgent } from '../../../src/kubernetes/compile/compile-agent.ts';
import type { Compilation, CompiledAgent, LookUp, Problem } from '../../../src/kubernetes/compile/types.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';

/** An object as a manifest has it. */
export interface Given {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [member: string]: unknown;
}

/** `NAMESPACE/NAME` or, in namespace demo, a name. */
type Name = string;
type Spec = object;

/** Makes an object of onbehalf.dev/v1alpha1. */
export function ours(kind: string, name: Name, spec: unknown, more: Spec = {}): Given {
  return { apiVersion: 'onbehalf.dev/v1alpha1', kind, metadata: metadataOf(name), spec, ...more };
}

/** A declarative Agent with these tools. */
export function agentWith(tools: readonly unknown[], more: Spec = {}, name: Name = 'assistant'): Given {
  const { declarative, ...spec } = more as { readonly declarative?: object };
  return ours('Agent', name, { declarative: { tools, ...declarative }, ...spec });
}

/** A server at https; its spec may be anything else too. */
export function server(name: Name, spec: Spec = {}, more: Spec = {}): Given {
  const url = `https://${name.replace('/', '-')}.example.com/mcp`;
  return ours('RemoteMCPServer', name, { description: 'A server.', url, ...spec }, more);
}

/** An STS that permits all namespaces. */
export function service(name: Name = 'default', spec: Spec = {}): Given {
  const issuer = `https://sts.example.com/${name}`;
  return ours('TokenService', name, {
    issuer,
    clientID: 'agents',
    allowedNamespaces: { from: 'All' },
    ...spec,
  });
}

/** The model of an Agent that names none. */
export function model(spec: Spec = {}, name: Name = 'default-model-config'): Given {
  return ours('ModelConfig', name, { provider: 'OpenAI', model: 'example-model', ...spec });
}

/** A Secret or ConfigMap. */
export function data(
  kind: 'Secret' | 'ConfigMap',
  name: Name,
  values: Readonly<Record<string, string>>,
): Given {
  return { apiVersion: 'v1', kind, metadata: metadataOf(name), data: values };
}

/** A Namespace with labels. */
export function namespace(name: string, labels: Readonly<Record<string, string>> = {}): Given {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** A tool reference to a server. */
export function mcp(name: Name, more: Spec = {}, tool: Spec = {}): Spec {
  return { type: 'McpServer', mcpServer: { ...referenceTo(name), ...more }, ...tool };
}

/** A tool reference to an agent. */
export function agentTool(name: Name, more: Spec = {}, tool: Spec = {}): Spec {
  return { type: 'Agent', agent: { ...referenceTo(name), ...more }, ...tool };
}

/** A model and an STS in namespace demo. */
export const BASE: readonly Given[] = [model(), service()];

/** Compiles an Agent among objects. */
export function compiling(agent: Given, objects: readonly Given[] = BASE, lookUp?: LookUp): Compilation {
  return compileAgent(agent as unknown as Agent, lookUp ?? lookUpOf([agent, ...objects]));
}

/** Compiles an Agent that has to be right. */
export function compiled(agent: Given, objects: readonly Given[] = BASE): CompiledAgent {
  const { compiled: done, problems } = compiling(agent, objects);
  if (done === undefined) throw new Error(`does not compile: ${JSON.stringify(problems, null, 1)}`);
  return done;
}

/** Compiles an Agent that has to be wrong. */
export function problemsOf(
  agent: Given,
  objects: readonly Given[] = BASE,
  lookUp?: LookUp,
): readonly Problem[] {
  const { problems = [] } = compiling(agent, objects, lookUp);
  expect(problems.length, 'there are problems').toBeGreaterThan(0);
  return problems;
}

/** Each problem as `reason object field`. */
export function brief(problems: readonly Problem[]): readonly string[] {
  return problems.map(({ reason, object, field }) => {
    return `${reason} ${object.kind} ${object.namespace}/${object.name} ${field}`;
  });
}

function metadataOf(name: Name): Given['metadata'] {
  const [first = '', second] = name.split('/');
  return second === undefined ? { namespace: 'demo', name: first } : { namespace: first, name: second };
}

function referenceTo(name: Name): Spec {
  const [first = '', second] = name.split('/');
  return second === undefined ? { name: first } : { namespace: first, name: second };
}
