// The frameworks, each with and without Onbehalf. They need a Node 24 and packages of their own, so a program that is run
// as it is written (Node 24 strips its types) measures them, and prints one line of JSON.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Finding, ms, times } from '../findings.ts';
import type { McpServers } from './servers.ts';

/** Of the compiled file. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PROGRAM = 'bench/mcp/frameworks/start.ts';

/** What the program prints for each framework; medians, in microseconds. */
export interface FrameworkTimes {
  readonly name: string;
  readonly ours: number;
  readonly bare: number;
  /** Of the medians that both had in the same round. */
  readonly ratio: number;
  /** Likewise, of the CPU time of the client's process. */
  readonly cpuRatio: number;
}

export async function benchFrameworks(
  { tokenEndpoint, urls }: McpServers,
  progress: (line: string) => void,
): Promise<Finding[]> {
  progress('frameworks: installing them, if they are not there yet, and a Node 24');
  const env = { BENCH_TOKEN_ENDPOINT: tokenEndpoint, BENCH_URL: urls.sdk };
  const [last = ''] = (await run(env)).trim().split('\n').slice(-1);
  return (JSON.parse(last) as FrameworkTimes[]).map(({ name, ours, bare, ratio, cpuRatio }) => ({
    what: `tool call p50, ${name}, at a server of the SDK (event streams)`,
    ours: `${times(ratio)} (CPU time of the client ${times(cpuRatio)})`,
    peer: `${ms(bare / 1000)} with no token and no Onbehalf, ${ms(ours / 1000)} with`,
    ...{ budget: '', met: undefined },
  }));
}

function run(env: Readonly<Record<string, string>>): Promise<string> {
  const isThere = process.version.startsWith('v24.');
  const npx = ['npx', '--loglevel=error', '--yes', '--package=node@24', '--', 'node', PROGRAM] as const;
  const [file, ...args] = isThere ? [process.execPath, PROGRAM] : npx;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...{ cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${PROGRAM} ended with ${code}`));
    });
  });
}
