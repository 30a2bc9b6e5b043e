import { stat } from 'node:fs/promises';
import { format, parseArgs } from 'node:util';
import { startAgentServer } from '../agent/agent-server.ts';
import type { AgentServer } from '../agent/types.ts';
import { AGENT_HELP } from './agent-text.ts';
import { type CliIo, type Command, EXIT } from './io.ts';
import { logLine } from './log-line.ts';

interface AgentArguments {
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly adminPort: number | undefined;
  readonly json: boolean;
}

const DEFAULT_PORT = 8080;

/** `onbehalf agent`: serves the agent of a folder until it is interrupted. */
export const agent: Command = async (argv, io) => {
  let args: AgentArguments | 'help';
  try {
    args = parse(argv);
  } catch (error) {
    io.err(`onbehalf agent: ${messageOf(error)}\nRun "onbehalf agent --help" to see the options.\n`);
    return EXIT.usage;
  }
  if (args === 'help') {
    io.out(AGENT_HELP);
    return EXIT.ok;
  }
  try {
    await assertFolder(args.folder);
    await serve(args, io);
    return EXIT.ok;
  } catch (error) {
    io.err(`onbehalf agent: ${explained(error, args)}\n`);
    return EXIT.failed;
  }
};

function parse(argv: readonly string[]): AgentArguments | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: String(DEFAULT_PORT) },
      'admin-port': { type: 'string' },
      filepath: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { host, port, 'admin-port': adminPort, filepath: folder, json, help } = values;
  if (help) return 'help';
  if (folder === undefined || folder === '') {
    throw new Error('--filepath is missing: the folder with config.json and agent-card.json');
  }
  return {
    ...{ folder, host, port: portOf(port, '--port'), json },
    adminPort: adminPort === undefined ? undefined : portOf(adminPort, '--admin-port'),
  };
}

function portOf(text: string, option: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65_535) {
    throw new Error(`${option} must be a number from 0 to 65535, not ${JSON.stringify(text)}`);
  }
  return number;
}

async function assertFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw new Error(`--filepath ${folder} is no folder that can be read`);
}

async function serve({ folder, host, port, adminPort, json }: AgentArguments, io: CliIo): Promise<void> {
  const interrupted = io.interrupted();
  const tell = (event: string, text: string): void => {
    io.err(json ? jsonLine({ event, message: text }) : `${event}: ${text}\n`);
  };
  const restore = await logTo((text) => tell('log', logLine(text)));
  try {
    const server = await startAgentServer({
      ...{ folder, host, port, adminPort },
      // It may be of several lines: what is wrong with a config.
      onWarning: (warning) => tell('warning', warning.split('\n').map(logLine).join('\n')),
      onError: (error) => tell('error', logLine(`a token could not be checked: ${messageOf(error)}`)),
    });
    try {
      io.out(json ? jsonLine(startEvent(server)) : startText(server));
      await interrupted;
      if (!json) io.out('Stopping: runs under way may end.\n');
    } finally {
      await server.close();
    }
  } finally {
    restore();
  }
  io.out(json ? jsonLine({ event: 'stop' }) : 'Stopped.\n');
}

/** What ADK warns of at every step of a run, though there was no confirmation; and of its own methods, which nobody here chose. */
const NOISE = /^Ignoring tool confirmation\(s\) delivered over A2A|^Method \w+\.\w+ is experimental/;

/**
 * ADK prints its log, of all levels, to standard output, which is for what this command says; the SDK of A2A prints what callers
 * sent to the console. Both are taken over. @returns how to give the console back
 */
async function logTo(write: (text: string) => void): Promise<() => void> {
  const { setLogger } = await import('@google/adk').catch(() => ({ setLogger: undefined }));
  const line = (...args: readonly unknown[]): void => {
    const text = format(...args);
    if (!NOISE.test(text)) write(text);
  };
  setLogger?.({
    log: (level, ...args) => level >= 2 && line(...args),
    debug: () => {},
    info: () => {},
    warn: line,
    error: line,
    setLogLevel: () => {},
  });
  const { log, info, warn, error, debug } = console;
  Object.assign(console, { log: line, info: line, warn: line, error: line, debug: () => {} });
  return () => void Object.assign(console, { log, info, warn, error, debug });
}

function startEvent({ name, url, cardUrl, adminUrl }: AgentServer): Record<string, unknown> {
  return {
    event: 'start',
    name,
    url,
    card_url: cardUrl,
    ...(adminUrl && { metrics_url: `${adminUrl}/metrics` }),
  };
}

function startText({ name, url, cardUrl, adminUrl }: AgentServer): string {
  return `Agent            ${name}
A2A (JSON-RPC)   ${url}/
Agent card       ${cardUrl}${adminUrl ? `\nMetrics          ${adminUrl}/metrics` : ''}

Ask it, with the access token of a user in TOKEN:

  curl -s ${url}/ -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
    -d '{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"kind":"message","role":"user","messageId":"m1","parts":[{"kind":"text","text":"Hello"}]}}}'

Ctrl-C stops it.
`;
}

function explained(error: unknown, { host, ...args }: AgentArguments): string {
  const { code, port = args.port } = Object(error) as { readonly code?: unknown; readonly port?: number };
  if (code === 'EADDRINUSE')
    return `port ${port} of ${host} is in use: choose another by --port or --admin-port, or 0 for a free one`;
  if (code === 'EACCES') return `port ${port} needs more rights: choose one above 1023 by --port`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `--host ${host} is no address of this machine`;
  return messageOf(error);
}

function jsonLine(event: Record<string, unknown>): string {
  return `${JSON.stringify(event)}\n`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
