/** A JWT or the rest of one: its header and its claims are objects, and `{"` in base64url begins with this. */
const JWT = /eyJ[\w-]{5,}(?:\.[\w-]*)*/g;

/**
 * A claim or a setting as it may be shown: without any JWT that somebody put there, and bounded. It is not redacted
 * further, because identifiers look like opaque tokens.
 */
export function shown(text: string, longest = 1_000): string {
  const safe = text.replace(JWT, '[redacted]');
  return safe.length > longest ? `${safe.slice(0, longest)}...` : safe;
}
