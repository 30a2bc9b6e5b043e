import fc from 'fast-check';
import { bentToken, tokenBend } from './tokens.ts';
import { NOW_SECONDS, SUBJECTS, TYPES } from './world.ts';

const ODD_TEXTS = [
  '',
  ' ',
  '\t',
  'a',
  'a b',
  ' a ',
  '\ud800',
  'a\udc00b',
  '\u0000',
  'ä',
  '&',
  'a=b&c',
  '%20',
  '+',
  '#',
  'a\r\nb',
  '__proto__',
];
const text = fc.oneof(
  { arbitrary: fc.constantFrom('calendar', 'files', 'read', 'write'), weight: 3 },
  fc.constantFrom(...ODD_TEXTS),
  fc.string({ unit: 'binary' }),
);
const uri = fc.oneof(
  { arbitrary: fc.constantFrom('https://mcp.example.com/billing', 'urn:example:files'), weight: 3 },
  fc.constantFrom(
    'mcp.example.com',
    '/billing',
    'https://',
    'https://mcp.example.com/#part',
    'HTTPS://MCP.example.com',
    'a:b',
    ':',
    'https://mcp.example.com/ a',
  ),
  fc.webUrl({ withFragments: true }),
  text,
);
const oneOrMore = (value: fc.Arbitrary<string>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: value, weight: 4 },
    { arbitrary: fc.array(value, { maxLength: 3 }), weight: 4 },
    fc.anything({ maxDepth: 2 }),
  );
const near = (usual: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof({ arbitrary: fc.constantFrom(...usual), weight: 6 }, fc.anything({ maxDepth: 1 }));

/** A target as somebody may write it who does not read the types. */
export const targetLike: fc.Arbitrary<unknown> = fc.oneof(
  {
    arbitrary: fc.record(
      {
        audience: oneOrMore(text),
        resource: oneOrMore(uri),
        scope: oneOrMore(text),
        requestedTokenType: near([TYPES.jwt, 'urn:example:odd', '']),
        profile: near(['rfc8693', 'entra-obo', 'id-jag', undefined]),
        allowOpaqueIssued: near([true, false, 'true']),
        unchecked: near([[], ['audience'], ['scope', 'actor'], ['aud'], 'audience', [['audience']]]),
        audiences: fc.constant('calendar'),
      },
      { requiredKeys: [] },
    ),
    weight: 2,
  },
  {
    arbitrary: fc.record(
      { audience: oneOrMore(text), scope: oneOrMore(text), resource: oneOrMore(uri) },
      { requiredKeys: ['audience'] },
    ),
    weight: 3,
  },
  text,
  fc.anything(),
);

/** Subject tokens, down to what is none. */
export const subjectToken: fc.Arbitrary<unknown> = fc.oneof(
  {
    arbitrary: tokenBend.map((bend) =>
      bentToken({ iss: 'https://idp.example.com', sub: 'alice', exp: NOW_SECONDS + 900 }, bend),
    ),
    weight: 8,
  },
  fc.constantFrom(undefined, '', 'Bearer', ...SUBJECTS.map(({ token }) => `Bearer ${token}`)),
  fc.string({ unit: 'binary' }),
  fc.anything(),
);

const space = fc.constantFrom(' ', '  ', '\t', '', '\n', '\u00a0', '\u3000', ',', ', ', '\u0000', '=');
const token = fc.oneof(
  fc.constantFrom(...SUBJECTS.map((subject) => subject.token)),
  fc.stringMatching(/^[\w.~+/-]{1,30}=?$/),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

/** `Authorization` header fields, down to what is none. */
export const authorization: fc.Arbitrary<string> = fc.oneof(
  {
    arbitrary: fc
      .tuple(fc.constantFrom('Bearer', 'bearer', 'BEARER'), fc.constantFrom(' ', '  '), token)
      .map((parts) => parts.join('')),
    weight: 2,
  },
  {
    arbitrary: fc
      .tuple(
        space,
        fc.constantFrom(
          'Bearer',
          'bearer',
          'BEARER',
          'Basic',
          'DPoP',
          'Bearerx',
          'Bear er',
          'ʙearer',
          'BEARER\u0130',
          '',
        ),
        ...[space, token, space, fc.constantFrom('', 'Bearer', 'x'), space, fc.oneof(fc.constant(''), token)],
      )
      .map((parts) => parts.join('')),
    weight: 3,
  },
  fc.string({ unit: 'binary' }),
);

const twoDigits = fc.nat({ max: 99 }).map((value) => String(value).padStart(2, '0'));
const date = fc
  .date({ min: new Date('1990-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((each) => each.toUTCString());

/** `Retry-After` header fields, down to what is none. */
export const retryAfter: fc.Arbitrary<string> = fc.oneof(
  date,
  fc.nat().map(String),
  fc
    .tuple(
      fc.constantFrom('Sun', 'Mon', 'Tag'),
      twoDigits,
      fc.constantFrom('Jan', 'Feb', 'Dec', 'Mai'),
      fc.constantFrom('0000', '1994', '2027', '2100', '9999'),
      ...[twoDigits, twoDigits, twoDigits],
    )
    .map(
      ([name, day, month, year, hour, minute, second]) =>
        `${name}, ${day} ${month} ${year} ${hour}:${minute}:${second} GMT`,
    ),
  fc.constantFrom(
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 2094',
    '2099-01-01T00:00:00Z',
    '120, 120',
    '+5',
    '-1',
    '1.5',
    '1e3',
    '0x10',
    ' 5 ',
    '٥',
  ),
  date.map((each) => each.replace('GMT', '+0100')),
  fc.string({ unit: 'binary' }),
);
