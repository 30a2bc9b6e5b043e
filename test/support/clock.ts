/** A clock that stands still until it is told otherwise. */
export interface Clock {
  readonly now: () => number;
  advance(ms: number): void;
}

export function createClock(start: number = Date.now()): Clock {
  let time = start;
  return {
    now: () => time,
    advance(ms) {
      time += ms;
    },
  };
}
