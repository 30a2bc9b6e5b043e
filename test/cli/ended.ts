// A command of the command line, run to its end.
import { execFile } from 'node:child_process';
import { run } from '../../src/cli/run.ts';
import { installPackage } from '../sts/package.ts';

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Resolves when the user interrupts a command: never. */
const NEVER = new Promise<void>(() => {});

/** Runs the command line in this process, with this on standard input. */
export async function ended(argv: readonly string[], input = '', interrupted = NEVER): Promise<Ended> {
  let out = '';
  let err = '';
  const code = await run(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    input: () => Promise.resolve(input),
    interrupted: () => interrupted,
  });
  return { code, out, err };
}

/** A process of its own, and the package made for it, on a machine that has other work. */
export const INSTALLED_MS = 60_000;

/** Runs the installed command in a process, where only these packages are installed with it, and only these folders are there. */
export function endedInstalled(
  dependencies: readonly string[],
  folders: readonly string[],
  argv: readonly string[],
): Promise<Ended> {
  const cwd = installPackage(dependencies, folders);
  const args = ['dist/cli/main.js', ...argv];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, timeout: INSTALLED_MS }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}
