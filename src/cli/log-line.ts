/** Longest line of a log, in characters. */
const LONGEST = 2_000;
/** Characters without width, or that turn the direction of text. */
const INVISIBLE = /\p{Cf}+/gu;
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;

/**
 * What somebody else may have said, as one line of a log: without characters that end a line or change how it is read, and of at most
 * 2,000 characters.
 */
export function logLine(text: string): string {
  // Only so much is looked at: what is left out may be millions.
  const line = text
    .slice(0, 2 * LONGEST)
    .replace(INVISIBLE, '')
    .replace(CONTROL, ' ');
  const isWhole = line.length <= LONGEST && text.length <= 2 * LONGEST;
  return isWhole ? line : `${line.slice(0, LONGEST - 3)}...`;
}
