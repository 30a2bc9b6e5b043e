import { setTimeout as delay } from 'node:timers/promises';

/** Looks again until it is so, or patience ends. */
export async function until<T>(read: () => T, isSo: (value: T) => boolean, patienceMs = 1_000): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const value = read();
    if (isSo(value) || performance.now() > giveUpAt) return value;
    await delay(2);
  }
}
