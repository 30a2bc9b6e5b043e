/**
 * Parses a URL. Not by `URL.canParse`: that of Node 20 says no to names outside ASCII once it was called often.
 *
 * @returns `undefined` when it is no absolute URL
 */
export function parseUrl(value: string): URL | undefined {
  try {
    return new URL(value);
  } catch {
    return undefined;
  }
}
