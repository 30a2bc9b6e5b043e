import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { abortable } from '../../src/core/abortable.ts';
import { thrownBy } from '../support/failure.ts';

const REASON = new Error('the user has left');
const pending = new Promise<never>(() => {});

test('without a signal the outcome is that of the promise', async () => {
  expect(await abortable(Promise.resolve(1), undefined)).toBe(1);
  expect(await thrownBy(abortable(Promise.reject(REASON), undefined))).toBe(REASON);
});

test('the signal ends the wait with its own reason, whatever that is', async () => {
  const controller = new AbortController();
  const waiting = thrownBy(abortable(pending, controller.signal));
  controller.abort('a string');
  expect(await waiting).toBe('a string');
  expect(await thrownBy(abortable(pending, AbortSignal.abort(REASON)))).toBe(REASON);
  const bare = await thrownBy(abortable(pending, AbortSignal.abort()));
  expect(bare).toMatchObject({ name: 'AbortError' });
});

test('an outcome that is there first stands, and no listener is left behind', async () => {
  const controller = new AbortController();
  expect(await abortable(Promise.resolve(1), controller.signal)).toBe(1);
  expect(await thrownBy(abortable(Promise.reject(REASON), controller.signal))).toBe(REASON);
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
});

test('what fails after everybody has left is nobody’s unhandled rejection', async () => {
  const controller = new AbortController();
  let fail = (_reason: Error): void => {};
  const late = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const waiting = thrownBy(abortable(late, controller.signal));
  controller.abort(REASON);
  await waiting;
  fail(new Error('too late'));
  await thrownBy(abortable(Promise.reject(new Error('too early')), AbortSignal.abort(REASON)));
  // Node reports an unhandled rejection, and vitest with it, once the microtasks are done.
  await setImmediate();
});
