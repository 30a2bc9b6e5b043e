import { spawn } from 'node:child_process';

const SHOWN_CHARS = 4_000;

/**
 * Runs a command to its end.
 *
 * @returns what it wrote on stdout and stderr
 * @throws Error with the end of that when it cannot be started or fails
 */
export async function run(
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const [file, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${file} ended with ${code}:\n${output.slice(-SHOWN_CHARS)}`));
    });
  });
}
