import { describe, expect, test } from 'vitest';
import { brokenAdapters } from './broken.ts';
import { judge } from './judge.ts';
import { adapter } from './reference.ts';
import { runIsolation } from './run.ts';

const TIMEOUT_MS = 60_000;
// Small, and the same each time: what is proved here is the judge.
const SIZE = { users: 10, callsPerServer: 4, seed: 20_261_123 };

test(
  'an adapter that is right in all the suite looks at passes',
  async () => {
    const counts = await runIsolation(adapter('reference'), SIZE);
    expect(judge(counts)).toEqual([]);
    expect(counts.mishaps).toEqual({ rejected: 6, storm: 1, redirected: 8, restarted: 6, lost: 4 });
  },
  TIMEOUT_MS,
);

describe('an adapter that is broken on purpose is caught:', () => {
  test.each(brokenAdapters().map((broken) => ({ name: broken.client.name, ...broken })))(
    'one that $name',
    async ({ client, problems, options }) => {
      const found = judge(await runIsolation(client, { ...SIZE, ...options }));
      for (const problem of problems) {
        expect(found).toContainEqual(expect.stringMatching(`^\\d+ ${problem}`));
      }
    },
    TIMEOUT_MS,
  );
});
