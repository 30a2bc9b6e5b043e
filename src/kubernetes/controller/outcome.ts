import type { Handled } from '../queue/work-queue.ts';

/** How a reconcile ended: all there is. */
export type Outcome =
  /** The world is as wanted. */
  | { readonly kind: 'done' }
  /** It needs another look by itself: something may change without anybody telling. */
  | { readonly kind: 'again'; readonly afterMs: number }
  /** Somebody has to change an object, whose watch brings it back. */
  | { readonly kind: 'waits' }
  /** Something failed that may pass. */
  | { readonly kind: 'failed'; readonly error: unknown };

/** The whole of what follows an outcome; what is thrown makes the queue try again, later each time. */
const FOLLOWS: {
  readonly [K in Outcome['kind']]: (outcome: Extract<Outcome, { kind: K }>) => Handled;
} = {
  done: () => undefined,
  again: ({ afterMs }) => ({ againAfterMs: afterMs }),
  waits: () => undefined,
  failed: ({ error }) => {
    throw error;
  },
};

/** What the queue is told after a reconcile. @throws the error of a failed one */
export function handledOf<K extends Outcome['kind']>(outcome: Extract<Outcome, { kind: K }>): Handled {
  const follow: (outcome: Extract<Outcome, { kind: K }>) => Handled = FOLLOWS[outcome.kind as K];
  return follow(outcome);
}
