/** What a `Bearer` challenge says (RFC 6750 section 3, RFC 9728 section 5.1), as far as it is read here. */
export interface BearerChallenge {
  /** `error`, when it is of its grammar and not longer than 64 characters. */
  readonly error?: string | undefined;
  /** `scope`, when every value is of its grammar, and there are not more than 32. */
  readonly scope?: readonly string[] | undefined;
  /** `resource_metadata` as it stands: not checked, so not to be called before it is. */
  readonly resourceMetadata?: string | undefined;
}

/** Longest header that is looked at, in characters. A part of one could say something else than the whole. */
const LONGEST = 8_192;
const LONGEST_ERROR = 64;
const LONGEST_SCOPE = 256;
const MOST_SCOPES = 32;

/** RFC 6749 section 5.2. */
const ERROR = /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/;
/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** RFC 9110 section 5.6.2. Each of these takes a run of characters of one class, so there is nothing to go back to. */
const TOKEN = /[\w!#$%&'*+.^`|~-]+/y;
const TOKEN68 = /[\w.~+/-]+/y;
const EQUALS = /=*/y;
const SPACE = /[\t ]*/y;
/** Text between quotes and escapes, RFC 9110 section 5.6.4. */
const PLAIN = /[\t !#-[\]-~\x80-\xff]*/y;
const ESCAPED = /[\t -~\x80-\xff]/y;

/** Whether a value is one scope (RFC 6749 section 3.3), of a length that somebody may mean. */
export function isScope(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_SCOPE && SCOPE.test(value);
}

/**
 * Reads the first `Bearer` challenge of an answer's `WWW-Authenticate` (RFC 9110 section 11.6.1).
 *
 * @returns `undefined` without one, and when the header, any other challenge in it included, is not of its grammar or is
 * longer than 8,192 characters: what cannot be read whole is not believed in part
 */
export function readChallenge(
  response: { readonly headers: Headers } | Headers,
): BearerChallenge | undefined {
  const headers = 'headers' in response ? response.headers : response;
  const value = headers.get('www-authenticate');
  if (value === null || value.length > LONGEST) return undefined;
  const bearer = challenges(value)?.find(({ scheme }) => scheme.toLowerCase() === 'bearer');
  if (!bearer) return undefined;
  const error = bearer.parameters.get('error');
  return Object.freeze({
    error: error !== undefined && error.length <= LONGEST_ERROR && ERROR.test(error) ? error : undefined,
    scope: scopes(bearer.parameters.get('scope')),
    resourceMetadata: bearer.parameters.get('resource_metadata'),
  });
}

function scopes(value: string | undefined): readonly string[] | undefined {
  const found = value?.split(' ');
  return found && found.length <= MOST_SCOPES && found.every(isScope) ? Object.freeze(found) : undefined;
}

interface Challenge {
  readonly scheme: string;
  readonly parameters: Map<string, string>;
  /** Whether a parameter may follow: not after a token68, nor where no space comes after the scheme. */
  readonly open: boolean;
}

/** All challenges of a header; `undefined` when it is not a list of them. */
function challenges(value: string): readonly Challenge[] | undefined {
  const reader = createReader(value);
  const found: Challenge[] = [];
  while (!reader.atEnd()) {
    reader.take(SPACE);
    // A list may have empty elements (RFC 9110 section 5.6.1.2).
    if (!reader.atEndOfElement()) {
      if (!readParameter(reader, found.at(-1))) {
        const challenge = readStart(reader);
        if (!challenge) return undefined;
        found.push(challenge);
      }
      reader.take(SPACE);
      if (!reader.atEndOfElement()) return undefined;
    }
    reader.skip(',');
  }
  return found;
}

/** A scheme, with its token68 or its first parameter, if it has one. */
function readStart(reader: Reader): Challenge | undefined {
  const scheme = reader.take(TOKEN);
  if (scheme === '') return undefined;
  const parameters = new Map<string, string>();
  const between = reader.take(SPACE);
  if (reader.atEndOfElement()) return { scheme, parameters, open: between.startsWith(' ') };
  if (!/^ +$/.test(between)) return undefined;
  const start = reader.position();
  const token68 = reader.take(TOKEN68) !== '';
  reader.take(EQUALS);
  reader.take(SPACE);
  if (token68 && reader.atEndOfElement()) return { scheme, parameters, open: false };
  reader.goTo(start);
  const challenge = { scheme, parameters, open: true };
  return readParameter(reader, challenge) ? challenge : undefined;
}

/** Reads one parameter into a challenge. Where there is none, nothing is read. */
function readParameter(reader: Reader, challenge: Challenge | undefined): boolean {
  if (!challenge?.open) return false;
  const start = reader.position();
  const name = reader.take(TOKEN).toLowerCase();
  reader.take(SPACE);
  if (name !== '' && reader.skip('=')) {
    reader.take(SPACE);
    const value = reader.at('"') ? readQuoted(reader) : reader.take(TOKEN) || undefined;
    // Each name once (RFC 9110 section 11.2): of two, nobody can say which is meant.
    if (value !== undefined && !challenge.parameters.has(name)) {
      challenge.parameters.set(name, value);
      return true;
    }
  }
  reader.goTo(start);
  return false;
}

/** The text of a quoted-string; `undefined` when it does not end. */
function readQuoted(reader: Reader): string | undefined {
  reader.skip('"');
  let text = reader.take(PLAIN);
  while (reader.skip('\\')) {
    const escaped = reader.take(ESCAPED);
    if (escaped === '') return undefined;
    text += escaped + reader.take(PLAIN);
  }
  return reader.skip('"') ? text : undefined;
}

interface Reader {
  /** Takes what a sticky pattern matches from here on; the empty text where it does not. */
  take(pattern: RegExp): string;
  /** Goes past a character, if it is the next one. */
  skip(character: string): boolean;
  at(character: string): boolean;
  atEnd(): boolean;
  /** Whether an element of a list ends here. */
  atEndOfElement(): boolean;
  position(): number;
  goTo(position: number): void;
}

function createReader(value: string): Reader {
  let next = 0;
  const at = (character: string): boolean => value[next] === character;
  const atEnd = (): boolean => next >= value.length;
  return {
    take(pattern) {
      pattern.lastIndex = next;
      const [taken = ''] = pattern.exec(value) ?? [];
      next += taken.length;
      return taken;
    },
    skip(character) {
      const found = at(character);
      if (found) next += 1;
      return found;
    },
    at,
    atEnd,
    atEndOfElement: () => atEnd() || at(','),
    position: () => next,
    goTo(position) {
      next = position;
    },
  };
}
