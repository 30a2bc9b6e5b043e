import type { ErrorAnswer } from '../core/dialect.ts';
import type { FailureClass } from '../core/errors.ts';

/** Whether an exchange breaks a rule of the provider, and what to do then. */
export type Rule = readonly [broken: boolean, what: string];

/** What the first broken rule says. */
export function firstBroken(rules: readonly Rule[]): string | undefined {
  return rules.find(([broken]) => broken)?.[1];
}

/** An `error`, a part of its `error_description` (empty: any), and its class. */
export type Reading = readonly [error: string, says: string, is: FailureClass];

/** The class of the first reading that fits an answer; upper and lower case are the same. */
export function classIn(readings: readonly Reading[], answer: ErrorAnswer): FailureClass | undefined {
  const description = answer.description?.toLowerCase() ?? '';
  return readings.find(
    ([error, says]) => error === answer.error && description.includes(says.toLowerCase()),
  )?.[2];
}

/** Whether a value is given that is none of these. */
export function isOther(value: string | undefined, ...allowed: readonly string[]): boolean {
  return value !== undefined && !allowed.includes(value);
}
