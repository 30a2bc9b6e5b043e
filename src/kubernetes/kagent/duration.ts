const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000_001,
};

const PART = /([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)/g;
const WHOLE = /^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns))+$/;

/** A duration in whole units: Go, and with it the API server, writes 1500ms as `1.5s`. Anything else as it is. */
export function wholeDuration(value: unknown): unknown {
  if (value === '') return undefined;
  if (typeof value !== 'string' || value.length > 64 || !WHOLE.test(value) || !/[.uµn]/.test(value)) {
    return value;
  }
  const parts = [...value.matchAll(PART)];
  const time = parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
  return `${Math.round(time)}ms`;
}
