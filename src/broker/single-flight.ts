import { abortable } from '../core/abortable.ts';

/** Work that is shared by everybody who asks for the same key while it is under way. */
export interface SingleFlight<T> {
  /**
   * Joins the flight of `key`, or starts it.
   *
   * @param work - gets a signal that aborts only when every waiter has gone, with the reason of the last
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
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();

  const start = (key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const controller = new AbortController();
    const promise = work(controller.signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    // Every waiter may have left by the time it fails; the failure is theirs, not the process's.
    promise.catch(() => {});
    const flight: Flight<T> = { promise, controller, waiters: 0 };
    flights.set(key, flight);
    return flight;
  };

  const leave = (key: string, flight: Flight<T>, signal: AbortSignal | undefined): void => {
    flight.waiters -= 1;
    if (flight.waiters > 0 || flights.get(key) !== flight) return;
    flights.delete(key);
    flight.controller.abort(signal?.reason);
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
