import { randomInt } from 'node:crypto';
import { test } from 'vitest';
import type { Property } from './property.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** What a property has to report. */
    fuzz?: {
      readonly cases: number;
      readonly seconds: number;
      readonly seed: number;
      readonly outcomes: readonly string[];
    };
  }
}

/** How many cases each property has when it is run beside all other tests. */
const SHORT = 2_000;
const LONGEST_MS = 600_000;

const given = (name: string): number | undefined => {
  const value = process.env[name];
  if (value === undefined || value === '') return undefined;
  if (!/^-?\d+$/.test(value)) throw new Error(`${name} must be a number`);
  return Number(value);
};

/**
 * Makes a test of each property. `FUZZ_SEED` repeats a run, `FUZZ_CASES` sets how many cases each property has.
 *
 * @param length - `short`: a taste of each; `long`: as many as the property says
 */
export function describeProperties(properties: readonly Property[], length: 'short' | 'long'): void {
  const seed = given('FUZZ_SEED') ?? randomInt(2 ** 31);
  const path = process.env.FUZZ_PATH;
  for (const property of properties) {
    const cases = given('FUZZ_CASES') ?? (length === 'short' ? SHORT : property.cases);
    test(property.name, { timeout: LONGEST_MS }, async ({ task }) => {
      const begun = performance.now();
      const report = (outcomes: readonly string[]): void => {
        task.meta.fuzz = { cases, seconds: (performance.now() - begun) / 1000, seed, outcomes };
      };
      report([]);
      report(await property.run({ seed, cases, path }));
    });
  }
}
