/**
 * Runs what only looks on. An SDK, an exporter or a callback of somebody else may throw, and no exchange may fail by it.
 *
 * @returns what `work` returns, or `undefined` when it throws
 */
export function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
