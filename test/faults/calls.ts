import { isOnbehalfError, type OnbehalfError } from '../../src/core/errors.ts';
import type { Call, World } from './row.ts';

/** The calls of a row, and what came of each. */
export interface Calls extends Pick<World, 'call' | 'note'> {
  /** In the order in which they were begun. */
  readonly outcomes: readonly string[];
  readonly errors: readonly unknown[];
}

/** @param always - members of every error that belong to its outcome */
export function createCalls(
  send: (call: Call) => Promise<Response>,
  always: readonly (keyof OnbehalfError)[] = [],
): Calls {
  const outcomes: string[] = [];
  const errors: unknown[] = [];
  const outcomeOf = async (call: Call): Promise<string> => {
    try {
      const response = await send(call);
      await response.text();
      if (response.status === 200) return 'ok';
      return `http ${response.status}${response.headers.has('location') ? ' with a location' : ''}`;
    } catch (error) {
      errors.push(error);
      if (call.signal?.aborted && error === call.signal.reason) return 'aborted';
      return describe(error, [...always, ...(call.shows ?? [])]);
    }
  };
  return {
    outcomes,
    errors,
    note: (fact) => void outcomes.push(fact),
    async call(call = {}) {
      const index = outcomes.push('under way') - 1;
      const outcome = await outcomeOf(call);
      outcomes[index] = outcome;
      return outcome;
    },
  };
}

function describe(error: unknown, shows: readonly (keyof OnbehalfError)[]): string {
  if (!isOnbehalfError(error)) return String(error);
  const shown = shows.map((name) => `${name}=${error[name]}`);
  return [error.code, error.failure, ...shown].join(' ');
}
