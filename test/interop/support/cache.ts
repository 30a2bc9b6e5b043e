import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where what was downloaded is kept between runs (XDG Base Directory Specification). */
const cachePath = (name: string): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'onbehalf', name);

/**
 * A file or folder of the cache, made once. It is made under another name first, so that nobody ever meets half of it.
 *
 * @param make - makes it at the path that it is given
 */
export async function cached(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = cachePath(name);
  if (existsSync(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await make(unfinished);
    await rename(unfinished, path);
  } catch (error) {
    // Another run may have been first; a folder that is there is not replaced.
    if (!existsSync(path)) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return path;
}
