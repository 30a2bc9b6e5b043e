// The installed command `onbehalf agent`, in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { installPackage } from '../sts/package.ts';

const FOLDERS = [
  'core',
  'dialects',
  'broker',
  'context',
  'telemetry',
  'mcp',
  'adk',
  'config',
  'agent',
  'cli',
];
/** What it needs. */
export const PACKAGES: readonly string[] = [
  ...['@a2a-js', '@google', '@modelcontextprotocol', 'cockatiel', 'jose', 'oauth4webapi', 'zod'],
];

/** The package with these packages beside it. */
export const installAgent = (packages: readonly string[] = PACKAGES): string =>
  installPackage(packages, FOLDERS);

/** How it ended, and what it had printed. */
export interface Exit {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface AgentProcess {
  readonly child: ChildProcess;
  /** The first line that it prints. */
  readonly started: Promise<string>;
  readonly exit: Promise<Exit>;
}

/** Runs it until the end of the test, at most. */
export function startAgent(
  folder: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): AgentProcess {
  const child = spawn(process.execPath, ['dist/cli/main.js', 'agent', ...args], {
    ...{ cwd: folder, env: { ...process.env, ...env } },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [out, err] = ['', ''];
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const started = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (out.includes('\n')) resolve(out.split('\n')[0] as string);
    });
    child.on('close', () => reject(new Error(`it ended: ${out}${err}`)));
  });
  started.catch(() => {});
  const exit = new Promise<Exit>((resolve) => child.on('close', (code) => resolve({ code, out, err })));
  return { child, started, exit };
}
