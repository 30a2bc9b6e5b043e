const SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1, ms: 0.001 };

/** Longest wait that a config may ask for, in seconds. */
const MOST = 86_400;

/**
 * Seconds of a Go duration of whole units, e.g. 90 of `1m30s`.
 *
 * @returns `undefined` where it is none, is nothing, or is more than a day
 */
export function secondsOf(duration: string): number | undefined {
  const parts = [...duration.matchAll(/(\d+)(ms|h|m|s)/g)];
  // Whole milliseconds are added, so that 100ms + 200ms is 0.3 s and no number near it.
  const total = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit ?? ''] ?? 0) * 1000,
    0,
  );
  const seconds = Math.round(total) / 1000;
  return seconds > 0 && seconds <= MOST ? seconds : undefined;
}
