import type { Agent } from '../kubernetes/api/agent.ts';
import { GROUP } from '../kubernetes/api/meta.ts';
import { compileAgent } from '../kubernetes/compile/compile-agent.ts';
import type { Compilation } from '../kubernetes/compile/types.ts';
import { lookUpOf } from '../kubernetes/look-up.ts';
import type { CliIo } from './io.ts';
import { type ManifestSet, nameText, readManifestFiles } from './manifest-files.ts';

/** An Agent of the files, and what it comes to. */
export interface AgentCompilation {
  /** `NAMESPACE/NAME`. */
  readonly agent: string;
  readonly compilation: Compilation;
  /** Each `file:line: object: field: message`; empty: it compiles. */
  readonly problems: readonly string[];
}

/** What the files come to. */
export interface Compilations {
  readonly agents: readonly AgentCompilation[];
  /** Of the files themselves. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Compiles the Agents of files, sorted by name.
 *
 * @param only - `NAMESPACE/NAME` of the one that is wanted
 * @throws Error where a file cannot be read, or there is no such Agent
 */
export async function compileFiles(
  paths: readonly string[],
  io: CliIo,
  only?: string | undefined,
): Promise<Compilations> {
  const set = await readManifestFiles(paths, io);
  const lookUp = lookUpOf(set.objects);
  const own = set.objects.filter(
    ({ apiVersion, kind }) => kind === 'Agent' && apiVersion.startsWith(`${GROUP}/`),
  );
  // Of one that is given twice, which is a problem told elsewhere, the last, as the look-up has it.
  const all = [...new Map(own.map((object) => [agentName(object), object])).values()]
    .map((object) => {
      const compilation = compileAgent(object as unknown as Agent, lookUp);
      return { agent: agentName(object), compilation, problems: problemsOf(set, compilation) };
    })
    .sort((one, other) => (one.agent < other.agent ? -1 : 1));
  const agents = only === undefined ? all : all.filter(({ agent }) => agent === only);
  // Where files are wrong, the Agent may be in what could not be read.
  if (agents.length === 0 && set.problems.length === 0) throw new Error(noneText(all, only));
  return { agents, problems: set.problems, warnings: set.warnings };
}

/** Prints what is wrong, each line once, and what has no effect. Returns whether anything is wrong. */
export function tellProblems({ agents, problems, warnings }: Compilations, io: CliIo): boolean {
  const all = new Set([...problems, ...agents.flatMap((agent) => agent.problems)]);
  for (const warning of new Set(warnings)) io.err(`warning: ${warning}\n`);
  for (const problem of all) io.err(`${problem}\n`);
  return all.size > 0;
}

function problemsOf(set: ManifestSet, { problems = [] }: Compilation): readonly string[] {
  return problems.map(({ object, field, message }) => {
    const place = set.placeOf(object, field);
    return `${place === undefined ? '' : `${place}: `}${nameText(object)}: ${field}: ${message}`;
  });
}

function agentName(object: ManifestSet['objects'][number]): string {
  const { namespace, name } = object.metadata;
  return `${typeof namespace === 'string' ? namespace : 'default'}/${name}`;
}

function noneText(all: readonly AgentCompilation[], only: string | undefined): string {
  if (only === undefined || all.length === 0) return `The files have no Agent of ${GROUP} or kagent.dev`;
  return `The files have no Agent ${JSON.stringify(only)}: they have ${all.map(({ agent }) => agent).join(', ')}`;
}
