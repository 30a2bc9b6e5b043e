import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { fuzzReporter } from './reporter.ts';

/** The long run: `npm run test:fuzz`. All files have one seed. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/fuzz/*.fuzz.ts'],
    env: { FUZZ_SEED: process.env.FUZZ_SEED || String(randomInt(2 ** 31)) },
    // Nothing here waits, so a core each is what helps; by itself vitest leaves one free.
    maxWorkers: '100%',
    reporters: ['default', fuzzReporter],
  },
});
