// Makes two tool calls wait for each other, so that "at the same time" is a fact and not luck.

export interface MeetingPoint {
  /** From now on, `arrive()` waits until this many have arrived; 1 means nobody waits. */
  expect(count: number): void;
  /** @throws Error when the others do not come in time */
  arrive(): Promise<void>;
}

const PATIENCE_MS = 5_000;

export function createMeetingPoint(): MeetingPoint {
  let expected = 1;
  let waiting: (() => void)[] = [];
  return {
    expect(count) {
      expected = count;
    },
    arrive() {
      if (waiting.length + 1 >= expected) {
        for (const release of waiting) release();
        waiting = [];
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const release = (): void => {
          clearTimeout(late);
          resolve();
        };
        const late = setTimeout(() => {
          waiting = waiting.filter((other) => other !== release);
          reject(new Error('the other call did not come'));
        }, PATIENCE_MS);
        waiting.push(release);
      });
    },
  };
}
