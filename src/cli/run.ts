import { readFile } from 'node:fs/promises';
import { type CliIo, type Command, EXIT } from './io.ts';
import { missingPackage } from './missing-package.ts';

/** Loaded when asked for, so that one command does not pay for the packages of another. */
const COMMANDS: Readonly<Record<string, { readonly summary: string; load(): Promise<Command> }>> = {
  agent: {
    summary: 'Serve an agent over A2A that acts for its caller',
    load: async () => (await import('./agent.ts')).agent,
  },
  compile: {
    summary: 'Show what Agents of manifests come to: config.json and agent-card.json',
    load: async () => (await import('./compile.ts')).compile,
  },
  controller: {
    summary: 'Run the Kubernetes controller of agents and MCP servers',
    load: async () => (await import('./controller.ts')).controller,
  },
  crds: {
    summary: 'Print the CustomResourceDefinitions, for kubectl apply',
    load: async () => (await import('./crds.ts')).crds,
  },
  explain: {
    summary: 'Show what the tokens for each tool are for, and where that is said',
    load: async () => (await import('./explain.ts')).explain,
  },
  schema: {
    summary: 'Print the JSON Schema of config.json, for editors',
    load: async () => (await import('./schema.ts')).schema,
  },
  sts: {
    summary: 'Run an authorization server with token exchange, for development',
    load: async () => (await import('./sts.ts')).sts,
  },
};

/** Dispatches on the first argument. Never throws for a mistake of the user; returns the exit code. */
export async function run(argv: readonly string[], io: CliIo): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    io.err(help());
    return EXIT.usage;
  }
  const [topic] = rest;
  if (name === 'help' && topic !== undefined) return run([topic, '--help'], io);
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(help());
    return EXIT.ok;
  }
  if (name === '--version' || name === '-v') {
    io.out(`${await version()}\n`);
    return EXIT.ok;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const what = name.startsWith('-') ? 'option' : 'command';
    io.err(
      `onbehalf: unknown ${what} ${JSON.stringify(name)}\nCommands: ${Object.keys(COMMANDS).join(', ')}. `,
    );
    io.err('Run "onbehalf --help" to see what they do.\n');
    return EXIT.usage;
  }
  try {
    return await (await command.load())(rest, io);
  } catch (error) {
    const wanted = missingPackage(error);
    if (wanted === undefined) throw error;
    io.err(`onbehalf ${name}: this command needs the package ${wanted}: npm install ${wanted}\n`);
    return EXIT.failed;
  }
}

function help(): string {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`);
  return `Delegated identity for AI agents' tool calls: OAuth 2.0 Token Exchange (RFC 8693).

Usage: onbehalf <command> [options]

Commands:
${lines.join('\n')}

Options:
  -h, --help      Show this help
  -v, --version   Show the version

Run "onbehalf <command> --help" for a command's options and examples.
`;
}

async function version(): Promise<string> {
  // The same two steps up from src/cli and from dist/cli.
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
