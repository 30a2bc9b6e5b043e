import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { run } from './run.ts';

const FILES = ['package.json', 'package-lock.json'] as const;
const DIGEST_CHARS = 16;

/**
 * Packages that one suite alone needs, installed from its own lock file into the user's cache: the repository's
 * `npm ci` stays small. No package's script is run.
 *
 * @param name - of the folder in the cache
 * @param folder - path of the folder that has the `package.json` and the `package-lock.json`
 * @returns path of a folder with `node_modules`, made anew when either file changes
 * @throws Error with what npm printed, where it cannot install
 */
export async function installed(name: string, folder: string): Promise<string> {
  const digest = createHash('sha256');
  for (const file of FILES) digest.update(await readFile(join(folder, file)));
  return cached(`${name}-${digest.digest('hex').slice(0, DIGEST_CHARS)}`, async (path) => {
    await mkdir(path, { recursive: true });
    for (const file of FILES) await copyFile(join(folder, file), join(path, file));
    // The packages of some suites need a later Node than npm runs on: they are run by another.
    await run([
      ...(['npm', 'ci', '--prefix', path, '--ignore-scripts', '--no-audit', '--no-fund'] as const),
      ...['--loglevel=error', '--engine-strict=false'],
    ]);
  });
}
