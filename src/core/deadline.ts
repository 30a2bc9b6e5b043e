import { abortable } from './abortable.ts';
import { OnbehalfError } from './errors.ts';

/**
 * Gives work a limited time: when it is over, the work's signal aborts and the caller is told, whether the work heeds
 * its signal or not.
 *
 * @param signal - of the caller; its abort reaches the work, too
 * @throws OnbehalfError `deadline_exceeded`, or the reason of `signal`
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(exceeded(ms)), ms);
  const either = signal ? AbortSignal.any([deadline.signal, signal]) : deadline.signal;
  try {
    return await abortable(work(either), either);
  } finally {
    clearTimeout(timer);
  }
}

function exceeded(ms: number): OnbehalfError {
  return new OnbehalfError('deadline_exceeded', `there was no token within ${ms} ms`, {
    failure: 'unavailable',
  });
}
