import { assertNoLeak } from './leaks.ts';

/** What V8 or Node says when nobody has looked whether a value is of its form. */
const ACCIDENT =
  /Cannot |is not (?:a function|iterable|a constructor)|Invalid URL|must be of type|Maximum call stack/;

/** @throws Error unless a TypeError tells the user what is wrong, and tells no secret */
export function assertMisuse(error: unknown, secrets: readonly string[] = []): void {
  if (!(error instanceof TypeError) || ACCIDENT.test(error.message)) {
    throw new Error(
      `no TypeError that says what is wrong: ${error instanceof Error ? error.stack : String(error)}`,
    );
  }
  assertNoLeak(error, secrets);
}
