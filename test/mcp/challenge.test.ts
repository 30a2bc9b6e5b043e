import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type BearerChallenge, readChallenge } from '../../src/mcp/challenge.ts';

const read = (...fields: readonly string[]): BearerChallenge | undefined =>
  readChallenge(new Headers(fields.map((field): [string, string] => ['www-authenticate', field])));

const METADATA = 'https://resource.example.com/.well-known/oauth-protected-resource';
const NOTHING: BearerChallenge = { error: undefined, scope: undefined, resourceMetadata: undefined };

describe('the examples of', () => {
  test.each<[string, string, BearerChallenge]>([
    ['RFC 6750 section 3, without a token', 'Bearer realm="example"', {}],
    [
      'RFC 6750 section 3, with a token that has expired',
      'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
      { error: 'invalid_token' },
    ],
    [
      'RFC 6750 section 3, scopes of OpenID Connect',
      'Bearer scope="openid profile email"',
      { scope: ['openid', 'profile', 'email'] },
    ],
    [
      'RFC 6750 section 3, scopes of OMAP',
      'Bearer scope="urn:example:channel=HBO&urn:example:rating=G,PG-13"',
      { scope: ['urn:example:channel=HBO&urn:example:rating=G,PG-13'] },
    ],
    ['RFC 9728 section 5.1', `Bearer resource_metadata="${METADATA}"`, { resourceMetadata: METADATA }],
    [
      'RFC 9470 section 3, a class of authentication',
      'Bearer error="insufficient_user_authentication", ' +
        'error_description="A different authentication level is required", acr_values="myACR"',
      { error: 'insufficient_user_authentication' },
    ],
    [
      'RFC 9470 section 3, an age',
      'Bearer error="insufficient_user_authentication", ' +
        'error_description="More recent authentication is required", max_age="5"',
      { error: 'insufficient_user_authentication' },
    ],
  ])('%s', (_name, field, expected) => {
    expect(read(field)).toEqual({ ...NOTHING, ...expected });
  });

  test('RFC 9110 section 11.6.1 hold no Bearer challenge, and hide none', () => {
    const field = 'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""';
    expect(read(field)).toBeUndefined();
    expect(read(field, 'Bearer error=invalid_token')?.error).toBe('invalid_token');
    expect(read(`${field}, Bearer error=invalid_token`)?.error).toBe('invalid_token');
  });
});

test('a response is taken as well as its headers', () => {
  const headers = { 'www-authenticate': 'Bearer error="invalid_token"' };
  expect(readChallenge(new Response(null, { status: 401, headers }))?.error).toBe('invalid_token');
  expect(readChallenge(new Response(null, { status: 401 }))).toBeUndefined();
});

test('what is read cannot be changed', () => {
  const challenge = read('Bearer scope="a b"');
  expect([Object.isFrozen(challenge), Object.isFrozen(challenge?.scope)]).toEqual([true, true]);
});

describe('the Bearer challenge is found', () => {
  test.each([
    ['after another challenge', 'Negotiate, Bearer error=e'],
    ['after a token68', 'Negotiate YWJj+/==, Bearer error=e'],
    ['after a token68 that reads as a parameter without value', 'Negotiate abc= , Bearer error=e'],
    ['after a token68 that reads as a scheme', 'Basic Bearer, Bearer error=e'],
    ['after a quoted text that reads as one', 'Basic realm="x, Bearer error=\\"f\\"", Bearer error=e'],
    ['before another challenge', 'Bearer error=e, Basic realm="x"'],
    ['before another Bearer challenge', 'Bearer error=e, Bearer error=f'],
    ['in whatever case', 'bEARER ErRoR="e"'],
    ['with spaces about the equals sign', 'Bearer error \t=\t "e"'],
    ['with many spaces after the scheme', 'Bearer   error="e"'],
    ['with empty elements of the list', ',, ,\t, Bearer , ,error="e", ,,'],
    ['with escapes that were not needed', 'Bearer error="\\e"'],
  ])('%s', (_what, field) => {
    expect(read(field)).toEqual({ ...NOTHING, error: 'e' });
  });

  test('with nothing in it', () => {
    for (const field of ['Bearer', 'Bearer, Basic realm="x"', 'Bearer abc==']) {
      expect(read(field)).toEqual(NOTHING);
    }
  });
});

describe('a header is not believed in part', () => {
  test.each([
    ['that is empty', ''],
    ['without a scheme', 'error="e"'],
    ['whose scheme is no token', '"Bearer" error=e'],
    ['with two parameters and no comma', 'Bearer error=e scope=a'],
    ['with a parameter and no value', 'Bearer error=e, scope='],
    ['with a value of two words', 'Bearer error=e, realm=a b'],
    ['with a quoted text that does not end', 'Bearer error=e, realm="a'],
    ['with an escape that does not end', 'Bearer error=e, realm="a\\'],
    ['with text after a quoted text', 'Bearer error=e, realm="a"b'],
    ['with a parameter twice', 'Bearer error=e, error=f'],
    ['with a parameter twice, in another case and after a space', 'Bearer error=e, realm=a, ERROR =f'],
    ['with a parameter after a token68', 'Bearer abc==, error=e'],
    ['with a parameter after a scheme without a space', 'Bearer, error=e'],
    ['with a tab after the scheme', 'Bearer\terror=e'],
    ['with a character that no value has', 'Bearer error=e, realm=a{b}'],
    ['with another challenge that is malformed', 'Bearer error=e, Basic realm=""x'],
    ['with a token68 that goes on', 'Bearer error=e, Basic abc==d'],
    ['with a token68 of equals signs', 'Bearer error=e, Basic =='],
  ])('%s', (_what, field) => {
    expect(read(field)).toBeUndefined();
  });
});

describe('a value is left out', () => {
  test.each([
    ['of an error with a quote', 'error="a\\"b"'],
    ['of an error with a backslash', 'error="a\\\\b"'],
    ['of an error outside ASCII', 'error="\u00e4"'],
    ['of an error with a tab', 'error="a\tb"'],
    ['of an empty error', 'error=""'],
    ['of an error that is too long', `error="${'e'.repeat(65)}"`],
    ['of a scope with a quote', 'scope="a \\"b"'],
    ['of a scope outside ASCII', 'scope="a \u00e4"'],
    ['of scopes with two spaces', 'scope="a  b"'],
    ['of an empty scope', 'scope=""'],
    ['of a scope that is too long', `scope="a ${'b'.repeat(257)}"`],
    ['of too many scopes', `scope="${Array.from({ length: 33 }, (_, i) => `s${i}`).join(' ')}"`],
  ])('%s, and the others are read', (_what, parameter) => {
    expect(read(`Bearer ${parameter}, resource_metadata=x`)).toEqual({ ...NOTHING, resourceMetadata: 'x' });
  });

  test('only beyond the bounds', () => {
    const scope = Array.from({ length: 32 }, (_, i) => `${i}`.padEnd(200, 's'));
    const error = 'e'.repeat(64);
    expect(read(`Bearer error=${error}, scope="${scope.join(' ')}"`)).toMatchObject({ error, scope });
    expect(read(`Bearer scope=${'b'.repeat(256)}`)?.scope).toEqual(['b'.repeat(256)]);
  });
});

test('a header of 8,192 characters is read, a longer one is not', () => {
  const field = 'Bearer error=e, realm=';
  expect(read(field.padEnd(8_192, 'x'))?.error).toBe('e');
  expect(read(field.padEnd(8_193, 'x'))).toBeUndefined();
});

/** How many characters were gone over while a header was read, and one for each look. */
function looksAt(field: string): number {
  // Not by Headers, whose own work is not meant.
  const headers = { get: () => field } as unknown as Headers;
  const exec = vi.spyOn(RegExp.prototype, 'exec');
  readChallenge({ headers });
  const found = exec.mock.results.map(({ value }) => 1 + (value?.[0].length ?? 0));
  exec.mockRestore();
  return found.reduce((sum, each) => sum + each, 0);
}

describe('the work grows with the header, not with its square', () => {
  const hostile: readonly (readonly [string, string])[] = [
    ['commas', ','],
    ['spaces', 'a \t '],
    ['schemes', 'a,'],
    ['open schemes', 'a ,'],
    ['equals signs', '='],
    ['token68', 'Bearer a=,'],
    ['letters and equals signs', 'a='],
    ['parameters', 'a=b, '],
    ['quotes', '"'],
    ['escapes', '\\a'],
    ['unfinished parameters', 'a b="'],
  ];
  test.each(hostile)('with many %s', (_what, part) => {
    for (const start of [',', 'Bearer ', 'Bearer a', 'Bearer a="', 'Bearer a=b, ']) {
      const field = (start + part.repeat(8_192)).slice(0, 8_191);
      expect(looksAt(`${field}!`)).toBeLessThan(8 * 8_192);
      // One that is too long is not looked at.
      expect(looksAt(`${start}${part.repeat(100_000)}!`)).toBe(0);
    }
  });
});

const OWS = fc.constantFrom('', ' ', '\t', ' \t ');
const letters = (from: string) => fc.constantFrom(...from);
const token = fc.string({ unit: letters("abzAZ09!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 8 });
const token68 = fc
  .tuple(
    fc.string({ unit: letters('abzAZ09-._~+/'), minLength: 1, maxLength: 8 }),
    fc.constantFrom('', '=', '=='),
  )
  .map(([run, padding]) => run + padding);
const text = fc.string({ unit: letters('ab \t,="\\;:/\u00e4\u00ff'), maxLength: 12 });
const parameter = fc.record({ name: token, value: fc.oneof(token, text), before: OWS, after: OWS });
const parameters = fc.uniqueArray(parameter, { selector: ({ name }) => name.toLowerCase(), maxLength: 5 });
interface Challenge {
  readonly scheme: string;
  readonly said:
    | string
    | readonly {
        readonly name: string;
        readonly value: string;
        readonly before: string;
        readonly after: string;
      }[];
}
const challenge: fc.Arbitrary<Challenge> = fc.record({
  scheme: token,
  said: fc.oneof<fc.Arbitrary<Challenge['said']>[]>(token68, parameters),
});

/** As a server writes a list of challenges: what is no token goes between quotes. */
const serialised = (list: readonly Challenge[], comma: string): string => list.map(one).join(comma);
function one({ scheme, said }: Challenge): string {
  if (typeof said === 'string') return `${scheme} ${said}`;
  const written = said.map(({ name, value, before, after }) => {
    const isToken = /^[\w!#$%&'*+.^`|~-]+$/.test(value);
    const escaped = value.split('').map((letter) => (/["\\]/.test(letter) ? `\\${letter}` : letter));
    return `${name}${before}=${after}${isToken ? value : `"${escaped.join('')}"`}`;
  });
  return [scheme, written.join(', ')].join(' ').trim();
}

test('any list of challenges that is written is read back', () => {
  const comma = fc.constantFrom(',', ', ', ' , ', ',,', ' ,\t, ');
  const bearer = fc.record({
    scheme: fc.constantFrom('Bearer', 'bearer', 'BEARER'),
    said: parameters.filter((list) => !list.some(({ name }) => name.toLowerCase() === 'resource_metadata')),
    metadata: text,
  });
  const others = fc.array(
    challenge.filter(({ scheme }) => scheme.toLowerCase() !== 'bearer'),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(others, bearer, fc.array(challenge, { maxLength: 3 }), comma, (before, own, after, sep) => {
      const metadata = { name: 'Resource_Metadata', value: own.metadata, before: '', after: '' };
      const list = [...before, { ...own, said: [...own.said, metadata] }, ...after];
      const field = serialised(list, sep);
      expect(read(field)?.resourceMetadata, field).toBe(own.metadata);
      // In fields of their own, too.
      expect(read(...list.map(one))?.resourceMetadata).toBe(own.metadata);
    }),
    { numRuns: 2_000 },
  );
});

test('a list without Bearer holds no Bearer challenge', () => {
  const foreign = challenge.filter(({ scheme }) => scheme.toLowerCase() !== 'bearer');
  fc.assert(
    fc.property(fc.array(foreign, { maxLength: 4 }), (list) => {
      expect(read(serialised(list, ', '))).toBeUndefined();
    }),
    { numRuns: 1_000 },
  );
});

test('whatever a server sends, nothing is thrown, and what is read is of its grammar', () => {
  const pieces = fc.constantFrom(
    'Bearer',
    ' ',
    ',',
    '=',
    '"',
    '\\',
    'error',
    'scope',
    'a',
    '\t',
    '\u00e4',
    ';',
  );
  const garbage = fc.oneof(
    fc.array(pieces, { maxLength: 30 }).map((list) => list.join('')),
    fc.string({ unit: letters(Array.from({ length: 224 }, (_, i) => String.fromCharCode(i + 32)).join('')) }),
  );
  fc.assert(
    fc.property(garbage, garbage, (first, second) => {
      const found = read(first, second);
      if (found?.error !== undefined) expect(found.error).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,64}$/);
      for (const scope of found?.scope ?? []) expect(scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/);
    }),
    { numRuns: 5_000 },
  );
});
