import { AsyncLocalStorage } from 'node:async_hooks';
import type { Delegation } from '../broker/delegation.ts';

const carrier = new AsyncLocalStorage<Delegation>();

/**
 * The delegation that the running code acts under, if any: that of the `runAs` whose function called it, by whatever
 * awaits, timers and callbacks.
 *
 * A job that waited in a queue is started by whoever has just finished, and so under *their* delegation, though
 * another user queued it. See {@link runAs} for the two ways out.
 */
export function currentDelegation(): Delegation | undefined {
  return carrier.getStore();
}

/**
 * Runs a function, and all it awaits, under a delegation. Nothing else sees it: what was current before is
 * current again outside, and concurrent calls never meet.
 *
 * It holds for what the function calls, not for a job that it leaves for somebody else to call: in a queue, a pool or a
 * batcher, or as a listener of an event. Such a job runs under the delegation of whoever starts it, often that of
 * another user whose job has just ended. There are two ways out:
 *
 * - bind the job when it is queued: `queue.add(AsyncResource.bind(job))`, of `node:async_hooks`;
 * - name the delegation instead: `createDelegatedFetch({ ..., delegation: () => theirs })`, or
 *   `SessionPool.call(server, theirs, ...)`.
 *
 * @returns what the function returns
 * @throws TypeError without a delegation or a function
 */
export function runAs<T>(delegation: Delegation, fn: () => T): T {
  if (typeof delegation !== 'object' || delegation === null) {
    throw new TypeError('runAs() needs a delegation, as broker.begin() gives it');
  }
  if (typeof fn !== 'function') throw new TypeError('runAs() needs a function: runAs(delegation, () => ...)');
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
