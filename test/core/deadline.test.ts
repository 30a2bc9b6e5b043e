import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { withDeadline } from '../../src/core/deadline.ts';
import { failureOf, thrownBy } from '../support/failure.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  // Whatever came of the work, its deadline must not keep the process.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Work whose end is in the hands of the test, and which heeds no signal. */
function work<T>(): {
  readonly run: (signal: AbortSignal) => Promise<T>;
  readonly signal: () => AbortSignal | undefined;
  end(value: T): void;
  fail(error: Error): void;
} {
  let given: AbortSignal | undefined;
  let resolve = (_: T): void => {};
  let reject = (_: Error): void => {};
  const pending = new Promise<T>((...settle) => {
    [resolve, reject] = settle;
  });
  return {
    run: (signal) => {
      given = signal;
      return pending;
    },
    signal: () => given,
    end: (value) => resolve(value),
    fail: (error) => reject(error),
  };
}

const REASON = new Error('the user has left');

test('work that is done in time gives what it gives', async () => {
  const { run, signal, end } = work<number>();
  const result = withDeadline(1_000, undefined, run);
  await vi.advanceTimersByTimeAsync(999);
  end(42);
  expect(await result).toBe(42);
  expect(signal()?.aborted).toBe(false);
});

test('work that fails in time fails in its own way, also before it has begun', async () => {
  const own = new TypeError('a bug');
  expect(await thrownBy(withDeadline(1_000, undefined, () => Promise.reject(own)))).toBe(own);
  const throwing = (): never => {
    throw own;
  };
  expect(await thrownBy(withDeadline(1_000, undefined, throwing))).toBe(own);
});

describe('when the time is over', () => {
  test('the caller is told, though the work does not heed its signal, and so is the work', async () => {
    const { run, signal } = work();
    const failure = failureOf(withDeadline(1_000, undefined, run));
    await vi.advanceTimersByTimeAsync(999);
    expect(signal()?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    const error = await failure;
    expect(error).toMatchObject({ code: 'deadline_exceeded', failure: 'unavailable', retryable: true });
    expect(error.message).toContain('1000 ms');
    expect(signal()?.reason).toBe(error);
  });

  test('what the work comes to later changes nothing, and is nobody’s unhandled failure', async () => {
    for (const late of ['end', 'fail'] as const) {
      const { run, ...hand } = work<unknown>();
      const failure = failureOf(withDeadline(10, undefined, run));
      await vi.advanceTimersByTimeAsync(10);
      hand[late](new Error('late'));
      expect((await failure).code).toBe('deadline_exceeded');
    }
  });
});

describe('a caller that leaves', () => {
  test('leaves at once for its own reason, which reaches the work', async () => {
    const { run, signal } = work();
    const controller = new AbortController();
    const leaving = thrownBy(withDeadline(1_000, controller.signal, run));
    controller.abort(REASON);
    expect(await leaving).toBe(REASON);
    expect(signal()?.reason).toBe(REASON);
  });

  test('and has left already gets its reason, whatever the work does', async () => {
    const done = async (): Promise<string> => 'done';
    expect(await thrownBy(withDeadline(1_000, AbortSignal.abort(REASON), done))).toBe(REASON);
  });

  test('does so without a trace: its signal keeps no listener', async () => {
    const { signal } = new AbortController();
    await withDeadline(1_000, signal, async () => 'done');
    await thrownBy(withDeadline(1_000, signal, () => Promise.reject(new Error('failed'))));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('after the deadline is told of the deadline', async () => {
    const { run } = work();
    const controller = new AbortController();
    const failure = failureOf(withDeadline(10, controller.signal, run));
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(REASON);
    expect((await failure).code).toBe('deadline_exceeded');
  });
});
