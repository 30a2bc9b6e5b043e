import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { run } from '../support/run.ts';
import type { Check } from './judge.ts';
import type { Claim, Way } from './manifest.ts';
import type { Judges } from './server.ts';

const RUNNER = 'node_modules/@modelcontextprotocol/conformance/dist/index.js';
const TIMEOUT_MS = 25_000;

/** How a scenario went. */
export interface Outcome {
  /** Of the runner: 0 when nothing failed, nothing was warned of, and the client ended well. */
  readonly exitCode: number;
  readonly checks: readonly Check[];
  /** What the client printed. */
  readonly stdout: string;
  readonly stderr: string;
}

/** What others wrote, to judge us by. */
export function judges(): Judges {
  const given = inject('judges');
  if (given === undefined) throw new Error('there is no conformance runner');
  return given;
}

/** Names of the scenarios for clients that the runner has. */
export async function clientScenarios(): Promise<string[]> {
  const { folder, node } = judges();
  const printed = await run([node, join(folder, RUNNER), 'list', '--client']);
  return [...printed.matchAll(/^ +- (\S+)/gm)].map(([, name = '']) => name);
}

/** Has the runner test our client in one scenario. */
export async function runScenario({ scenario, specVersion, env = {} }: Claim, way: Way): Promise<Outcome> {
  const { folder, node } = judges();
  const results = await mkdtemp(join(tmpdir(), 'onbehalf-conformance-'));
  try {
    // The runner splits the command at spaces and gives it to a shell: paths with spaces travel in the environment.
    const command = `"$ONBEHALF_NODE" "$ONBEHALF_CLIENT" ${way}`;
    const args = [
      '--command',
      command,
      '--scenario',
      scenario,
      '--timeout',
      String(TIMEOUT_MS),
      '-o',
      results,
    ];
    const version = specVersion === undefined ? [] : ['--spec-version', specVersion];
    const exitCode = await exitOf([node, join(folder, RUNNER), 'client', ...args, ...version], {
      ...env,
      ONBEHALF_NODE: node,
      ONBEHALF_CLIENT: fileURLToPath(new URL('client/main.ts', import.meta.url)),
    });
    return { exitCode, ...(await read(results)) };
  } finally {
    await rm(results, { recursive: true, force: true });
  }
}

/** A scenario's name may have a slash in it, and then its folder has a parent. */
async function read(results: string): Promise<Omit<Outcome, 'exitCode'>> {
  const found = (await readdir(results, { recursive: true })).find((path) => path.endsWith('checks.json'));
  if (found === undefined) return { checks: [], stdout: '', stderr: '' };
  const file = (name: string): Promise<string> => readFile(join(results, found, '..', name), 'utf8');
  return {
    checks: JSON.parse(await file('checks.json')) as Check[],
    stdout: await file('stdout.txt'),
    stderr: await file('stderr.txt'),
  };
}

function exitOf([file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: 'ignore' });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
