import { run } from './run.ts';

const MAJOR = 24;

/**
 * A Node 24: this one, or that of the package `node`, which npm keeps in its own cache.
 *
 * @returns path of the binary
 * @throws Error with what npm printed, where there is none
 */
export async function node24(): Promise<string> {
  if (process.version.startsWith(`v${MAJOR}.`)) return process.execPath;
  const print = ['node', '-p', '[process.version, process.execPath].join(" ")'] as const;
  const output = await run(['npx', '--loglevel=error', '--yes', `--package=node@${MAJOR}`, '--', ...print]);
  const path = new RegExp(`^v${MAJOR}\\.\\S+ (.+)$`, 'm').exec(output)?.[1];
  if (path === undefined) throw new Error(`the package node@${MAJOR} has no Node ${MAJOR}:\n${output}`);
  return path;
}
