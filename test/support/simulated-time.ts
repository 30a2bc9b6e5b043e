import type { Time } from '../../src/kubernetes/time.ts';

/** Time that passes when it is told to. */
export interface SimulatedTime extends Time {
  /** Lets time pass; timers fire in their order, and what they set off goes on before the next one. */
  advance(ms: number): Promise<void>;
  /** A clock that goes at another speed: 1.1 is a tenth too fast. */
  at(rate: number): Time;
  /** Milliseconds until the next timer fires. */
  next(): number | undefined;
  /** How many timers wait. */
  timers(): number;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export function createSimulatedTime(): SimulatedTime {
  let now = 0;
  const timers = new Set<Timer>();
  const clock = (rate: number): Time => ({
    now: () => now * rate,
    after(ms, run) {
      const timer = { at: now + Math.max(0, ms) / rate, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  });
  const next = (until: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) if (timer.at <= until && (!first || timer.at < first.at)) first = timer;
    return first;
  };
  return {
    ...clock(1),
    at: clock,
    next: () => {
      const first = next(Number.POSITIVE_INFINITY);
      return first && first.at - now;
    },
    timers: () => timers.size,
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (let timer = next(until); timer; timer = next(until)) {
        timers.delete(timer);
        now = timer.at;
        timer.run();
        await settle();
      }
      now = until;
    },
  };
}

/** Lets everything go on that waits for no timer and no other process. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
