// How long it takes to import the package in a fresh process, against its two dependencies alone.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { median } from '../stats.ts';

const run = promisify(execFile);
const ROUNDS = 15;

/** Medians in milliseconds. */
export interface ImportTimes {
  readonly ours: number;
  readonly dependencies: number;
}

export async function benchImport(): Promise<ImportTimes> {
  const times = { ours: [] as number[], dependencies: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.ours.push(await importing("import('onbehalf')"));
    times.dependencies.push(await importing("import('oauth4webapi').then(() => import('jose/jwt/decode'))"));
  }
  return { ours: median(times.ours), dependencies: median(times.dependencies) };
}

async function importing(what: string): Promise<number> {
  const program = `const start = performance.now(); await ${what}; console.log(performance.now() - start);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program]);
  return Number(stdout);
}
