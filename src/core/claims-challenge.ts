import { maySay } from './redact.ts';

const LONGEST = 2048;

/**
 * A claims challenge, for the identity provider at the user's next sign-in (OpenID Connect Core section 5.5): passed on
 * only as JSON that holds no token, since it goes into an error that may be logged.
 *
 * @param secrets - values that were sent and must not come back
 */
export function claimsChallenge(value: unknown, secrets: readonly string[]): string | undefined {
  if (typeof value !== 'string' || value.length > LONGEST) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  // Written anew, so that nothing is hidden in how it was spelt; and as what it says, so that nothing is in how it is escaped.
  const text = JSON.stringify(parsed);
  return text.length <= LONGEST && maySay([text, ...strings(parsed)], secrets) ? text : undefined;
}

/** Every string in a JSON value, names of members too. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => [name, ...strings(each)]);
}
