const LONGEST = 200;
/** Anything that could be a token: dotted base64url as in a JWT, or one long run of token characters. */
const TOKEN_LIKE = /[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)*|[\w+/=~-]{24,}/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/**
 * Makes text from another party safe to show: known secrets and whatever looks like a token are replaced,
 * control characters dropped, the length bounded.
 *
 * @param text - what the other party said
 * @param secrets - values that must not appear, as sent on the wire
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  // Before and after control characters go, because what is left can read as a secret only then.
  const visible = withoutSecrets(withoutSecrets(text, secrets).replace(CONTROL, ' '), secrets);
  const safe = visible.replace(TOKEN_LIKE, '[redacted]').trim();
  return safe.length > LONGEST ? `${safe.slice(0, LONGEST)}...` : safe;
}

/** Whether a text repeats a secret, in any of the ways it may be spelt. */
export function holdsSecret(text: string, secrets: readonly string[]): boolean {
  return withoutSecrets(text, secrets) !== text;
}

/** Whether a text has characters that could change how a log is read. */
export function hasControl(text: string): boolean {
  return text.search(CONTROL) >= 0;
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  const spelt = secrets.filter((secret) => secret.length >= 4).flatMap(spellings);
  const longestFirst = spelt.sort((a, b) => b.length - a.length);
  return longestFirst.reduce((safe, secret) => safe.replaceAll(secret, '[redacted]'), text);
}

/** A value as it is, and as it reads in a URL and in a form. */
function spellings(value: string): readonly string[] {
  // Through bytes: half a surrogate pair cannot be encoded, and must not break the error that is being made.
  return [value, encodeURIComponent(Buffer.from(value).toString()), formEncoded(value)];
}

/** A value as it reads in `application/x-www-form-urlencoded`. */
function formEncoded(value: string): string {
  return new URLSearchParams([['', value]]).toString().slice(1);
}
