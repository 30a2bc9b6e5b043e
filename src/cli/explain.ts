import { parseArgs } from 'node:util';
import type { TargetStatus } from '../kubernetes/api/agent.ts';
import { agentToolName } from '../kubernetes/compile/names.ts';
import type { CompiledAgent } from '../kubernetes/compile/types.ts';
import { type AgentCompilation, type Compilations, compileFiles, tellProblems } from './compilations.ts';
import { type Command, EXIT } from './io.ts';
import { type Cell, tableText } from './table.ts';

const HELP = `Show, for each Agent of manifests and each of its tools, what tokens are for, and where that is said.

Usage: onbehalf explain -f FILE... [options]

Options:
  -f, --file <path>       A file of YAML or JSON, a directory of them, or - for standard input; may be repeated
      --agent <ns>/<name> This Agent only. Default: all
      --json              Print a JSON array, one object per Agent
  -h, --help              Show this help

A value is followed by where it comes from: (tool) is the reference in the Agent, (server) the RemoteMCPServer or the
agent that is called, (agent) spec.tokenServiceRef of the Agent, (default) the TokenService "default" of its namespace.
A tool of an Agent wins over the server, field by field. "none": the tool gets no token of the user.
Ends with 1 where anything is wrong.

Examples:
  onbehalf explain -f deploy/samples/demo
  onbehalf explain -f agents.yaml -f servers.yaml --json | jq '.[].tools[] | {server, audiences}'
`;

const COLUMNS = ['AGENT', 'SERVER', 'TOOLS', 'AUDIENCE', 'RESOURCE', 'SCOPE', 'TOKEN SERVICE'] as const;
/** As wide as the terminals of most people. */
const WIDTH = 120;

interface ExplainArguments {
  readonly files: readonly string[];
  readonly agent?: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

/** What is told of one tool. */
interface ToolExplanation extends TargetStatus {
  /** Names of its tools; `undefined`: all. */
  readonly tools?: readonly string[] | undefined;
}

/** `onbehalf explain`: who gets which token, and why. */
export const explain: Command = async (argv, io) => {
  let args: ExplainArguments;
  try {
    args = parse(argv);
  } catch (error) {
    io.err(`onbehalf explain: ${messageOf(error)}\nRun "onbehalf explain --help" to see the options.\n`);
    return EXIT.usage;
  }
  if (args.help) {
    io.out(HELP);
    return EXIT.ok;
  }
  try {
    const compilations = await compileFiles(args.files, io, args.agent);
    io.out(args.json ? jsonText(compilations) : table(compilations));
    return tellProblems(compilations, io) ? EXIT.failed : EXIT.ok;
  } catch (error) {
    io.err(`onbehalf explain: ${messageOf(error)}\n`);
    return EXIT.failed;
  }
};

function parse(argv: readonly string[]): ExplainArguments {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      file: { type: 'string', short: 'f', multiple: true, default: [] },
      agent: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { agent, json, help } = values;
  const files = [...values.file, ...positionals];
  if (!help && files.length === 0) throw new Error('say which manifests to read: -f FILE');
  return { files, agent, json, help };
}

function jsonText({ agents }: Compilations): string {
  const all = agents.map(({ agent, compilation, problems }) =>
    compilation.compiled === undefined
      ? { agent, problems }
      : { agent, tools: toolsOf(compilation.compiled) },
  );
  return `${JSON.stringify(all, null, 2)}\n`;
}

function table({ agents }: Compilations): string {
  return agents.length === 0 ? '' : tableText(COLUMNS, agents.flatMap(rowsOf), WIDTH);
}

function rowsOf({ agent, compilation, problems }: AgentCompilation): readonly (readonly Cell[])[] {
  if (compilation.compiled === undefined) {
    return [[[agent], [`not valid: ${problems.length} problem${problems.length === 1 ? '' : 's'}`]]];
  }
  const tools = toolsOf(compilation.compiled);
  if (tools.length === 0) return [[[agent], ['no tools']]];
  return tools.map((tool, index) => [[index === 0 ? agent : ''], ...cellsOf(tool)]);
}

function cellsOf(tool: ToolExplanation): readonly Cell[] {
  const { server, tools = ['all'], from = {} } = tool;
  const cell = (field: 'audiences' | 'resources' | 'scopes'): Cell => {
    const values = tool[field];
    return values === undefined ? ['none'] : values.map((value) => `${value} (${from[field]})`);
  };
  const service =
    tool.tokenService === undefined ? ['none'] : [`${tool.tokenService} (${from.tokenService})`];
  const more = (['profile', 'requestedTokenType'] as const).flatMap((field) =>
    tool[field] === undefined ? [] : [`${field} ${tool[field]} (${from[field]})`],
  );
  return [[server], tools, cell('audiences'), cell('resources'), cell('scopes'), [...service, ...more]];
}

function toolsOf({ config, targets }: CompiledAgent): readonly ToolExplanation[] {
  const servers = [...config.http_tools, ...config.sse_tools];
  return targets.map((target) => {
    const found = servers.find(({ name }) => name === target.server);
    if (found !== undefined) return { ...target, tools: found.tools };
    // An agent is one tool, which the model calls by a name of its own.
    const [namespace = '', name = ''] = target.server.replace(/^Agent /, '').split('/');
    return { ...target, tools: [agentToolName(namespace, name)] };
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
