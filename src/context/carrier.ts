import { AsyncLocalStorage } from 'node:async_hooks';
import type { Delegation } from '../broker/delegation.ts';

const carrier = new AsyncLocalStorage<Delegation>();

/** The delegation that the running code acts under, if any. */
export function currentDelegation(): Delegation | undefined {
  return carrier.getStore();
}

/**
 * Runs a function, and all it awaits, under a delegation. Nothing else sees it: what was current before is
 * current again outside, and concurrent calls never meet.
 */
export function runAs<T>(delegation: Delegation, fn: () => T): T {
  return carrier.run(delegation, fn);
}

/**
 * Iterates under a delegation. A generator's body runs in the context of whoever asks for the next value,
 * so `runAs` around its creation is not enough: every step is entered anew.
 */
export async function* iterateAs<T>(
  delegation: Delegation,
  create: () => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const iterator = runAs(delegation, create)[Symbol.asyncIterator]();
  let suspended = false;
  try {
    for (;;) {
      const step = await runAs(delegation, () => iterator.next());
      if (step.done) return;
      suspended = true;
      yield step.value;
      suspended = false;
    }
  } finally {
    // Left at the yield, by break or throw: then the inner iterator has not ended by itself.
    if (suspended) await runAs(delegation, async () => iterator.return?.());
  }
}
