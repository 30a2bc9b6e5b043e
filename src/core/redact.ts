const LONGEST = 200;
/** Of so much of a text it is looked for what is to be shown. */
const LONGEST_READ = 65_536;
/** Anything that could be a token: dotted base64url as in a JWT, or one long run of token characters. */
const TOKEN_LIKE = /[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)*|[\w+/=~-]{24,}/g;
/** What is a token even where long identifiers are due. */
const LONG_TOKEN = /[\w-]{6,}\.[\w-]{6,}\.|[\w+/=~-]{64,}/;
/** Characters without width or that turn the direction of text (format characters): one reads past them. */
const INVISIBLE = /\p{Cf}+/gu;
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;
/** What says nothing in comparing: spaces, of which a form makes plus signs, and all that cannot be seen. */
const ASIDE = /[\s+\p{Cc}\p{Cf}]+/gu;
/** How often a text may be escaped and still be recognised: a gateway puts in HTML what a server has put in JSON. */
const MOST_ESCAPED = 3;

/**
 * Makes text from another party safe to show: known secrets and whatever looks like a token are replaced,
 * control and format characters dropped, the length bounded. Where a secret is spelt otherwise than it was sent
 * (escaped for HTML, JSON or a URL, in another case, with invisible characters), nothing of the text is left.
 *
 * @param text - what the other party said
 * @param secrets - values that must not appear, as sent on the wire
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  // Before and after control characters go, because what is left can read as a secret only then.
  const shown = withoutSecrets(text.slice(0, LONGEST_READ), secrets)
    .replace(INVISIBLE, '')
    .replace(CONTROL, ' ');
  const visible = withoutSecrets(shown, secrets);
  if (holdsNormal(visible, secrets)) return '[redacted]';
  const safe = visible.replace(TOKEN_LIKE, '[redacted]').trim();
  if (safe.length > LONGEST) return `${safe.slice(0, LONGEST)}...`;
  // What little is left of so much may end within a secret.
  return text.length > LONGEST_READ ? '[redacted]' : safe;
}

/** Whether a text repeats a secret, in any of the ways it may be spelt. */
export function holdsSecret(text: string, secrets: readonly string[]): boolean {
  return withoutSecrets(text, secrets) !== text || holdsNormal(text, secrets);
}

/**
 * Whether a whole may be shown as it is: no part of it repeats a secret, has characters that one cannot see, or is as long as a token.
 * Looser than {@link redact}: identifiers may stay.
 *
 * @param parts - everything in it, as it reads
 */
export function maySay(parts: readonly string[], secrets: readonly string[]): boolean {
  return (
    !parts.some(hasControl) &&
    !parts.some((part) => LONG_TOKEN.test(part)) &&
    !holdsSecret(parts.join('\n'), secrets)
  );
}

/** Whether a text has characters that could change how a log is read. */
export function hasControl(text: string): boolean {
  return text.search(CONTROL) >= 0 || text.search(INVISIBLE) >= 0;
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  const spelt = secrets.filter(isLong).flatMap(spellings);
  const longestFirst = spelt.sort((a, b) => b.length - a.length);
  return longestFirst.reduce((safe, secret) => safe.replaceAll(secret, '[redacted]'), text);
}

const isLong = (secret: string): boolean => secret.length >= 4;

/** Whether a text and a secret are equal but for how they are escaped. Both sides are brought to the same form. */
function holdsNormal(text: string, secrets: readonly string[]): boolean {
  const said = normal(text);
  return secrets.map(normal).some((secret) => isLong(secret) && said.includes(secret));
}

function normal(text: string): string {
  let plain = text;
  for (let times = 0; times < MOST_ESCAPED; times++) {
    const seen = plain.toLowerCase().replace(ASIDE, '');
    const unescaped = percentDecoded(seen).replace(ENTITY, fromEntity);
    plain = unescaped.replace(BACKSLASH, (_, hex) => (hex === undefined ? '' : fromCode(hex, 16)));
  }
  return plain.replace(ASIDE, '').toLowerCase();
}

/** Percent encoding (RFC 3986 section 2.1), a run at a time, since a character may be several bytes. */
const PERCENT = /(?:%[0-9a-f]{2})+/gi;
/** Character references of HTML: the five that escaping makes, and any by its number. */
const ENTITY = /&(?:#([0-9]{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/g;
/** Escapes of JSON (RFC 8259 section 7), each with all the backslashes that were put before it. */
const BACKSLASH = /\\(?:u([0-9a-f]{4})|[bfnrt])?/g;
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const fromPercent = (run: string): string => Buffer.from(run.replaceAll('%', ''), 'hex').toString();

/** A part of a URL as it reads. What is no percent encoding stays as it is. */
export const percentDecoded = (text: string): string => text.replace(PERCENT, fromPercent);

const fromEntity = (_: string, decimal?: string, hex?: string, name?: string): string =>
  name === undefined ? fromCode(decimal ?? hex ?? '', decimal === undefined ? 16 : 10) : (NAMED[name] ?? '');

function fromCode(digits: string, base: number): string {
  const code = Number.parseInt(digits, base);
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

/** A value as it is, as it reads in a URL and in a form, and in base64, of which the end depends on what follows. */
function spellings(value: string): readonly string[] {
  // Through bytes: half a surrogate pair cannot be encoded, and must not break the error that is being made.
  const bytes = Buffer.from(value);
  const base64 = [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')];
  return [value, encodeURIComponent(bytes.toString()), formEncoded(value), ...base64];
}

/** A value as it reads in `application/x-www-form-urlencoded`. */
function formEncoded(value: string): string {
  return new URLSearchParams([['', value]]).toString().slice(1);
}
