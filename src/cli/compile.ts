import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CompiledAgent } from '../kubernetes/compile/types.ts';
import { type AgentCompilation, type Compilations, compileFiles, tellProblems } from './compilations.ts';
import { type CliIo, type Command, EXIT } from './io.ts';

const HELP = `Show what the Agents of manifests come to: the config.json and agent-card.json of their pods. Needs no cluster.

Usage: onbehalf compile -f FILE... [options]

Reads Agent, RemoteMCPServer, ModelConfig and TokenService (onbehalf.dev), those of kagent.dev/v1alpha2, and Secret,
ConfigMap and Namespace, which Agents depend on. No value of a Secret gets into what is written.

Options:
  -f, --file <path>       A file of YAML or JSON, a directory of them, or - for standard input; may be repeated
      --agent <ns>/<name> This Agent only. Default: all
      --output <path>     Write <path>/<ns>/<name>/config.json and agent-card.json, and print their paths
      --json              Print a JSON array with all that the pods need: files, tokens, variables, targets
  -h, --help              Show this help

Without --output and --json there must be one Agent; both files are printed, as members of one JSON object.
Ends with 1 where anything is wrong; each line of standard error then says file:line, object, field, and what to do.

Examples:
  onbehalf compile -f deploy/samples/demo
  onbehalf compile -f agents.yaml -f servers.yaml --agent demo/assistant --output config
  kubectl get agents.onbehalf.dev,remotemcpservers.onbehalf.dev,tokenservices,modelconfigs -A -o yaml | onbehalf compile --json -f -
`;

interface CompileArguments {
  readonly files: readonly string[];
  readonly agent?: string | undefined;
  readonly output?: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

/** `onbehalf compile`: manifests in, config out. */
export const compile: Command = async (argv, io) => {
  let args: CompileArguments;
  try {
    args = parse(argv);
  } catch (error) {
    return refused(io, messageOf(error));
  }
  if (args.help) {
    io.out(HELP);
    return EXIT.ok;
  }
  try {
    const compilations = await compileFiles(args.files, io, args.agent);
    const failed = tellProblems(compilations, io);
    if (args.output === undefined && !args.json && compilations.agents.length > 1) {
      const names = compilations.agents.map(({ agent }) => agent).join(', ');
      return refused(io, `the files have several Agents (${names}): add --agent, --output or --json`);
    }
    await show(args, compilations, io);
    return failed ? EXIT.failed : EXIT.ok;
  } catch (error) {
    io.err(`onbehalf compile: ${messageOf(error)}\n`);
    return EXIT.failed;
  }
};

function refused(io: CliIo, message: string): number {
  io.err(`onbehalf compile: ${message}\nRun "onbehalf compile --help" to see the options.\n`);
  return EXIT.usage;
}

function parse(argv: readonly string[]): CompileArguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      file: { type: 'string', short: 'f', multiple: true, default: [] },
      agent: { type: 'string' },
      output: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { agent, output, json, help } = values;
  // As in "-f *.yaml", which a shell makes several words of.
  const files = [...values.file, ...positionals];
  if (!help && files.length === 0) throw new Error('say which manifests to read: -f FILE');
  if (agent !== undefined && !/^[^/]+\/[^/]+$/.test(agent)) {
    throw new Error(`--agent must be NAMESPACE/NAME, not ${JSON.stringify(agent)}`);
  }
  if (json && output !== undefined) throw new Error('--output writes files: leave out --json, or --output');
  return { files, agent, output, json, help };
}

async function show({ output, json }: CompileArguments, { agents }: Compilations, io: CliIo): Promise<void> {
  const done = agents.flatMap(({ agent, compilation: { compiled } }: AgentCompilation) =>
    compiled === undefined ? [] : [{ agent, compiled }],
  );
  if (json) {
    io.out(jsonText(done.map(({ agent, compiled }) => ({ agent, ...compiled }))));
    return;
  }
  for (const { agent, compiled } of done) {
    if (output === undefined) io.out(jsonText(filesOf(compiled)));
    else for (const path of await write(join(output, ...agent.split('/')), compiled)) io.out(`${path}\n`);
  }
}

function filesOf({ config, card }: CompiledAgent): Readonly<Record<string, unknown>> {
  return { 'config.json': config, 'agent-card.json': card };
}

async function write(directory: string, compiled: CompiledAgent): Promise<readonly string[]> {
  await mkdir(directory, { recursive: true });
  return Promise.all(
    Object.entries(filesOf(compiled)).map(async ([name, content]) => {
      const path = join(directory, name);
      await writeFile(path, jsonText(content));
      return path;
    }),
  );
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
