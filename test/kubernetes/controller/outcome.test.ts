import { expect, test } from 'vitest';
import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import { obstacleOfError } from '../../../src/kubernetes/controller/obstacles.ts';
import { handledOf } from '../../../src/kubernetes/controller/outcome.ts';
import { outcomeOf } from '../../../src/kubernetes/controller/reconcile-agent.ts';

test('each outcome has one thing that follows', () => {
  expect(handledOf({ kind: 'done' })).toBeUndefined();
  expect(handledOf({ kind: 'waits' })).toBeUndefined();
  expect(handledOf({ kind: 'again', afterMs: 5 })).toEqual({ againAfterMs: 5 });
  const error = new Error('no');
  expect(() => handledOf({ kind: 'failed', error })).toThrow(error);
});

test.each([
  [403, 'Forbidden', 'Forbidden'],
  [422, 'Invalid', 'Rejected'],
  [400, 'BadRequest', 'Rejected'],
  [500, 'InternalError', 'WriteFailed'],
  [404, 'NotFound', 'WriteFailed'],
])('a write that fails with %i %s is told of as %s, with what the API server says', (code, reason, told) => {
  const obstacle = obstacleOfError(new KubeError('cannot apply it: because', { code, reason }));
  expect(obstacle).toMatchObject({ status: 'False', reason: told });
  expect(obstacle?.message).toContain('cannot apply it: because');
});

test.each(['Conflict', 'TooManyRequests', 'Unreachable', 'TimedOut', 'Unauthorized', 'ServiceUnavailable'])(
  'a write that fails with %s says nothing of the object',
  (reason) => {
    expect(obstacleOfError(new KubeError('no', { code: 0, reason }))).toBeUndefined();
  },
);

test('a bug says nothing of the object either', () => {
  expect(obstacleOfError(new TypeError('x is not a function'))).toBeUndefined();
});

const obstacle = { status: 'False', reason: 'Rejected', message: 'No.' } as const;

test.each([
  [400, 'BadRequest'],
  [422, 'Invalid'],
])('what the API server refuses with %i is not tried again for about ten minutes', (code, reason) => {
  const error = new KubeError('no', { code, reason });
  const outcome = outcomeOf({ obstacle, error, wrote: false }, false);
  expect(outcome).toMatchObject({ kind: 'again' });
  expect((outcome as { afterMs: number }).afterMs).toBeGreaterThanOrEqual(540_000);
});

test('what is in the way of an agent, and may go away unseen, is looked for again soon', () => {
  const outcome = outcomeOf({ obstacle: { ...obstacle, reason: 'NameTaken' }, wrote: false }, false);
  expect((outcome as { afterMs: number }).afterMs).toBeLessThan(60_000);
});

test('a write that failed is left to the back-off of the queue', () => {
  const error = new KubeError('no', { code: 403, reason: 'Forbidden' });
  expect(outcomeOf({ obstacle, error, wrote: false }, false)).toEqual({ kind: 'failed', error });
});
