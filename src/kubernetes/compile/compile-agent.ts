import { readRuntimeConfig } from '../../config/read-config.ts';
import type { RuntimeConfig } from '../../config/runtime-config.ts';
import type { Agent } from '../api/agent.ts';
import type { ManifestObject } from '../manifests.ts';
import { compileAuthentication } from './authentication.ts';
import { compileCard } from './card.ts';
import { atAgent, type Context, createContext } from './context.ts';
import { recording } from './dependencies.ts';
import { checkEnvironment } from './environment.ts';
import { compileInstruction } from './instruction.ts';
import { compileModel } from './model.ts';
import { parseObject } from './parse.ts';
import { createTokenServices } from './token-services.ts';
import { compileTools } from './tools.ts';
import type { Compilation, CompiledAgent, LookUp, Problem } from './types.ts';

/** A Secret holds a MiB at most, with the card and what base64 adds. */
export const LARGEST: number = 700_000;

/**
 * S10: what an Agent and all that it refers to come to: the config of its pods and what they need; or everything that
 * is wrong, first with the fields of the Agent itself, then with what they refer to.
 *
 * Pure: the same objects always give the same, in whatever order they came to be. Never throws, unless `lookUp` does:
 * an object that is none of ours is a problem like others.
 *
 * @example
 * const { objects } = await readManifests(await readFile(file, 'utf8'), file);
 * const all = objects.map(({ object }) => object);
 * for (const agent of all.filter(({ kind }) => kind === 'Agent')) {
 *   const { compiled, problems = [] } = compileAgent(agent, lookUpOf(all));
 *   for (const { field, message } of problems) console.error(`${field}: ${message}`);
 *   if (compiled) console.log(compiled.config);
 * }
 *
 * @param agent - from a cluster or a file; it is checked against its schema, and its defaults are added
 */
export function compileAgent(agent: Agent | ManifestObject, lookUp: LookUp): Compilation {
  const { lookUp: recorded, dependencies } = recording(lookUp);
  const parsed = parseObject('Agent', agent);
  if (parsed.object === undefined) return { problems: parsed.problems, dependencies: [] };
  const context = createContext(parsed.object, recorded);
  const compiled = compile(context);
  const problems = context.report.problems();
  return compiled === undefined || problems.length > 0
    ? { problems, dependencies: dependencies() }
    : { compiled, dependencies: dependencies() };
}

function compile(context: Context): CompiledAgent | undefined {
  const { agent, pod, key } = context;
  const { declarative, type, tokenServiceRef, description } = agent.spec;
  const services = createTokenServices(context);
  const own = tokenServiceRef === undefined && type === 'Declarative' ? undefined : services.ofAgent();
  // An image that somebody brings may use it, for tools of its own; a name that leads nowhere is told in any case.
  if (own !== undefined) type === 'BYO' ? services.use(own) : services.find(own);
  const { targets, ...tools } = compileTools(context, services, declarative);
  const model = declarative === undefined ? null : compileModel(context, declarative.modelConfig);
  const config = {
    name: `${key.namespace}/${key.name}`,
    model,
    description,
    instruction: declarative && compileInstruction(context, declarative),
    ...tools,
    stream: declarative?.stream,
    authentication: compileAuthentication(context, services),
    token_exchange: services.config(),
  };
  checkEnvironment(context);
  if (context.report.problems().length > 0) return undefined;
  const canonical = canonicalConfig(context, config);
  return (
    canonical && {
      config: canonical,
      card: compileCard(agent),
      mounts: pod.mounts(),
      tokens: pod.tokens(),
      variables: pod.variables(),
      targets,
      dataVersions: pod.dataVersions(),
    }
  );
}

/** The config as whoever reads it will see it: with defaults, without members that are undefined. */
function canonicalConfig(context: Context, config: unknown): RuntimeConfig | undefined {
  const { config: read, problems } = readRuntimeConfig(plain(config));
  if (read === undefined) {
    context.report.add(problems.map((problem) => atConfig(context, problem)));
    return undefined;
  }
  if (JSON.stringify(read).length > LARGEST) {
    const message = `the config has more than ${LARGEST} characters, which no Secret could hold: shorten the instruction`;
    context.report(atAgent(context, 'spec'), 'Invalid', message);
  }
  return plain(read);
}

/** What the API's schema permits and the config's does not; told at the Agent, as it is its config. */
function atConfig({ key }: Context, { path, message }: { path: string; message: string }): Problem {
  return { object: key, field: 'spec', reason: 'Invalid', message: `its config.json: ${path}: ${message}` };
}

function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
