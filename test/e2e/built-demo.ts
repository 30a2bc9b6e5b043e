// Runs the demo as a user does: the built command, in a process of its own.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../build/examples/demo/main.js', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Options of node itself. */
  nodeArgs?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** Called with all of stdout so far, and a function that signals the process. */
  onOutput?: (stdout: string, signal: (name: NodeJS.Signals) => boolean) => void;
}

export async function runBuiltDemo(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  if (!existsSync(MAIN)) throw new Error('the demo is not built: run "npm run build" first');
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), MAIN, ...args], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const finished: Finished = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    finished.stdout += text;
    options.onOutput?.(finished.stdout, (name) => child.kill(name));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    finished.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...finished, code }));
  });
}
