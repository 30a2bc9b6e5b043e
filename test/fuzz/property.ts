import fc from 'fast-check';

/** What a case came to, so that a property cannot hold for want of cases that matter. */
export type Outcome = string;

/** A statement about every value of an arbitrary. */
export interface Property {
  /** A sentence; also the name of its test. */
  readonly name: string;
  /** How many cases the long run makes. */
  readonly cases: number;
  /** @throws Error that shows the smallest value it found for which the statement is false, and how to see that again */
  run(options: RunOptions): Promise<readonly Outcome[]>;
}

export interface RunOptions {
  readonly seed: number;
  readonly cases: number;
  /** Where to begin: at the value that an earlier run found. */
  readonly path?: string | undefined;
}

/** How a {@link Property} is made. */
export interface Statement<T> {
  readonly cases: number;
  readonly arbitrary: fc.Arbitrary<T>;
  /** Throws where the statement is false; says what the case came to. */
  readonly check: (value: T) => Outcome | Promise<Outcome>;
  /** What some case must come to, or the arbitrary misses the point. */
  readonly outcomes: readonly Outcome[];
}

/** No case waits for anything, so whatever takes this long hangs. In milliseconds; a busy machine has its share. */
const LONGEST_MS = 5_000;

export function property<T>(name: string, statement: Statement<T>): Property {
  const { cases, arbitrary, check, outcomes } = statement;
  return {
    name,
    cases,
    async run(options) {
      const seen = new Map<Outcome, number>();
      const rejections = watchRejections();
      const predicate = async (value: T): Promise<void> => {
        const begun = performance.now();
        const outcome = await check(value);
        // Node tells of a rejection that nobody handles when the turn is over.
        await new Promise((resolve) => setImmediate(resolve));
        rejections.assertNone();
        const tookMs = performance.now() - begun;
        if (tookMs > LONGEST_MS) throw new Error(`it took ${Math.round(tookMs)} ms`);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      };
      try {
        const details = await fc.check(fc.asyncProperty(arbitrary, predicate), {
          ...{ seed: options.seed, numRuns: options.cases, timeout: 2 * LONGEST_MS },
          ...(options.path !== undefined && { path: options.path }),
        });
        if (details.failed) throw failure(name, details);
      } finally {
        rejections.stop();
      }
      const missed = options.path === undefined ? outcomes.filter((outcome) => !seen.has(outcome)) : [];
      if (missed.length > 0) throw new Error(`"${name}": no case came to "${missed.join('", "')}"`);
      return [...seen].map(([outcome, count]) => `${count} ${outcome}`);
    },
  };
}

function failure<T>(name: string, details: fc.RunDetails<T>): Error {
  const again = `FUZZ_SEED=${details.seed} FUZZ_PATH=${details.counterexamplePath} npm run test:fuzz -- -t '${name}'`;
  const { errorInstance } = details;
  const why = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : errorInstance;
  return new Error(
    [
      `"${name}" is false after ${details.numRuns} cases, made smaller ${details.numShrinks} times.`,
      `Again: ${again}`,
      `Case: ${fc.stringify(details.counterexample).slice(0, 20_000)}`,
      `Why: ${why}`,
    ].join('\n'),
  );
}

function watchRejections(): { assertNone(): void; stop(): void } {
  let first: { readonly reason: unknown } | undefined;
  const listener = (reason: unknown): void => {
    first ??= { reason };
  };
  process.on('unhandledRejection', listener);
  return {
    assertNone() {
      if (first === undefined) return;
      const { reason } = first;
      first = undefined;
      throw new Error(`nobody handled a rejection: ${reason instanceof Error ? reason.stack : reason}`);
    },
    stop: () => process.off('unhandledRejection', listener),
  };
}
