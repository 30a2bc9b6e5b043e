import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type CustomResourceDefinition,
  customResourceDefinitions,
} from '../kubernetes/crd/custom-resource-definition.ts';
import { crdFile, crdYaml } from '../kubernetes/crd/yaml.ts';
import { type CliIo, type Command, EXIT } from './io.ts';

const HELP = `Print the CustomResourceDefinitions of onbehalf.dev: Agent, ModelConfig, RemoteMCPServer and TokenService.

Usage: onbehalf crds [options]

Options:
      --json              Print one List in JSON, not YAML documents
      --directory <path>  Write one YAML file per kind into this directory, and print their paths
  -h, --help              Show this help

Examples:
  Install them, or bring them up to date:
    onbehalf crds | kubectl apply --server-side -f -

  See what a field is for:
    kubectl explain oba.spec --recursive
    kubectl explain oba.spec.declarative.tools.mcpServer.stsAudience
`;

interface CrdsArguments {
  readonly json: boolean;
  readonly directory?: string | undefined;
  readonly help: boolean;
}

/** `onbehalf crds`: prints the CRDs, or writes them into a directory. */
export const crds: Command = async (argv, io) => {
  let args: CrdsArguments;
  try {
    args = parse(argv);
  } catch (error) {
    io.err(`onbehalf crds: ${messageOf(error)}\nRun "onbehalf crds --help" to see the options.\n`);
    return EXIT.usage;
  }
  if (args.help) {
    io.out(HELP);
    return EXIT.ok;
  }
  try {
    await show(args, io);
    return EXIT.ok;
  } catch (error) {
    io.err(`onbehalf crds: ${messageOf(error)}\n`);
    return EXIT.failed;
  }
};

function parse(argv: readonly string[]): CrdsArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      json: { type: 'boolean', default: false },
      directory: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.json && values.directory !== undefined) {
    throw new Error('--directory writes YAML: leave out --json, or --directory');
  }
  return values;
}

async function show({ json, directory }: CrdsArguments, io: CliIo): Promise<void> {
  const items = customResourceDefinitions();
  if (json) {
    io.out(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2)}\n`);
    return;
  }
  if (directory === undefined) {
    io.out((await Promise.all(items.map(crdYaml))).join(''));
    return;
  }
  await mkdir(directory, { recursive: true });
  for (const item of items) io.out(`${await write(item, directory)}\n`);
}

async function write(item: CustomResourceDefinition, directory: string): Promise<string> {
  const file = join(directory, crdFile(item));
  await writeFile(file, await crdYaml(item));
  return file;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
