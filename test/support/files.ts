import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A directory of its own, removed at the end of the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'onbehalf-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A volume as the kubelet mounts it: secrets, projected tokens. */
export interface ProjectedVolume {
  /** Path of a file in it, as a container sees it. */
  path(name: string): string;
  /** Replaces all files at once. */
  project(files: Readonly<Record<string, string>>): Promise<void>;
}

/**
 * Makes a volume as the kubelet's atomic writer does: each file is a link into `..data`, which is a link to a directory
 * of one time. New files come in a new directory; then `..data` is replaced by a rename, and the old directory removed.
 */
export async function createProjectedVolume(
  files: Readonly<Record<string, string>>,
): Promise<ProjectedVolume> {
  const root = await temporaryDirectory();
  let current: string | undefined;
  let version = 0;
  const project: ProjectedVolume['project'] = async (next) => {
    version += 1;
    const directory = `..2026_01_01_00_00_00.${version}`;
    await mkdir(join(root, directory));
    for (const [name, text] of Object.entries(next)) await writeFile(join(root, directory, name), text);
    await symlink(directory, join(root, '..data_tmp'));
    await rename(join(root, '..data_tmp'), join(root, '..data'));
    if (current !== undefined) await rm(join(root, current), { recursive: true });
    current = directory;
  };
  await project(files);
  for (const name of Object.keys(files)) await symlink(join('..data', name), join(root, name));
  return { path: (name) => join(root, name), project };
}
