import { holdsSecret, maySay, percentDecoded } from './redact.ts';

const LONGEST = 2048;

/**
 * The page that an STS names for whoever it refused, e.g. to consent (`error_uri`, RFC 6749 section 5.2): passed on only as an https URL
 * that holds no token, since it goes into an error that may be logged.
 *
 * @param secrets - values that were sent and must not come back
 */
export function errorUri(value: unknown, secrets: readonly string[]): string | undefined {
  if (typeof value !== 'string' || value.length > LONGEST || !URL.canParse(value)) return undefined;
  const { protocol, username, password, origin, href } = new URL(value);
  if (protocol !== 'https:' || username !== '' || password !== '' || href.length > LONGEST) return undefined;
  // Not as a whole: a host has as many dots as a JWT, and a path as many characters as a token.
  const parts = href.slice(origin.length).split(/[/?&=#]/);
  const isSafe = maySay([...parts, ...parts.map(percentDecoded)], secrets) && !holdsSecret(href, secrets);
  return isSafe ? href : undefined;
}
