import { abortable } from '../core/abortable.ts';
import { isOnbehalfError } from '../core/errors.ts';

/** Work that is shared by everybody who asks for the same key while it is under way. */
export interface SingleFlight<T> {
  /**
   * Joins the flight of `key`, or starts it.
   *
   * @param work - gets a signal that aborts only when every waiter has gone
   * @param signal - of this waiter alone: it leaves with the signal's reason, and the others stay
   */
  run(key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Whether work for `key` is under way. */
  has(key: string): boolean;
}

interface Flight<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiters: number;
  settled: boolean;
}

/** @param lifeMs - after this time nobody joins a flight any more, so that one that hangs does not hold up all to come */
export function createSingleFlight<T>(lifeMs: number): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();

  const start = (key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const controller = new AbortController();
    const land = (): void => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    const timer = setTimeout(land, lifeMs).unref();
    const promise = (async () => work(controller.signal))().finally(() => {
      clearTimeout(timer);
      flight.settled = true;
      land();
    });
    // Every waiter may have left by the time it fails; the failure is theirs, not the process's.
    promise.catch(() => {});
    const flight: Flight<T> = { promise, controller, waiters: 0, settled: false };
    flights.set(key, flight);
    return flight;
  };

  const leave = (key: string, flight: Flight<T>, signal: AbortSignal | undefined): void => {
    flight.waiters -= 1;
    if (flight.waiters > 0 || flight.settled) return;
    if (flights.get(key) === flight) flights.delete(key);
    flight.controller.abort(isDeadline(signal?.reason) ? signal?.reason : undefined);
  };

  return {
    has: (key) => flights.has(key),
    async run(key, work, signal) {
      signal?.throwIfAborted();
      const flight = flights.get(key) ?? start(key, work);
      flight.waiters += 1;
      try {
        return await abortable(flight.promise, signal);
      } finally {
        leave(key, flight, signal);
      }
    },
  };
}

/** The one reason of our own, which the work may tell on; a user's can be anything, an error of ours too. */
const isDeadline = (reason: unknown): boolean =>
  isOnbehalfError(reason) && reason.code === 'deadline_exceeded';
