// A part of a bench that needs a Node 24: a program that is run as it is written (Node 24 strips its types), and prints one
// line of JSON at its end.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Of the compiled file. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Runs the program at the root of the repository, and gives what its last line says.
 *
 * @param program - path from the root
 * @throws Error when it fails; it has said why on stderr
 */
export async function onNode24(
  program: string,
  env: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const isThere = process.version.startsWith('v24.');
  const npx = ['npx', '--loglevel=error', '--yes', '--package=node@24', '--', 'node', program] as const;
  const [file, ...args] = isThere ? [process.execPath, program] : npx;
  const stdout = await new Promise<string>((resolve, reject) => {
    const child = spawn(file, args, {
      ...{ cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${program} ended with ${code}`));
    });
  });
  const [last = ''] = stdout.trim().split('\n').slice(-1);
  return JSON.parse(last);
}
