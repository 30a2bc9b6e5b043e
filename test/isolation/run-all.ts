import type { ClientUnderTest } from './client-under-test.ts';
import { judge, lineOf } from './judge.ts';
import { type IsolationOptions, runIsolation } from './run.ts';

/**
 * Runs the suite on each client, and prints a line of counts for each and a line for each problem.
 *
 * @returns whether there was no problem
 */
export async function runAll(
  clients: readonly ClientUnderTest[],
  options: IsolationOptions = {},
): Promise<boolean> {
  let well = true;
  for (const client of clients) {
    const counts = await runIsolation(client, options);
    console.log(lineOf(counts));
    for (const problem of judge(counts)) {
      well = false;
      console.log(`  PROBLEM in ${client.name}, seed ${counts.seed}: ${problem}`);
    }
  }
  return well;
}
