import fc from 'fast-check';
import { type Change, changed, changesOf, membersOf, objectText } from './json-text.ts';
import type { Answer, Asked } from './reference.ts';
import { bentToken, type TokenBend, tokenBend } from './tokens.ts';
import { rightClaims, TYPES } from './world.ts';

/** How an answer of a token endpoint differs from the right one. */
export interface AnswerBend {
  readonly token: TokenBend;
  /** Gives back what was sent. */
  readonly echo: 'subject' | 'actor' | undefined;
  /** Who says how long the token lasts. */
  readonly told: 'both' | 'the answer' | 'the token' | 'nobody';
  readonly members: readonly Change[];
  readonly body: keyof typeof BODIES | Uint8Array;
  readonly status: number;
  readonly contentType: string | undefined;
  readonly headers: readonly (readonly [string, string])[];
}

const utf8 = (text: string): Buffer => Buffer.from(text);

/** How the text of an answer becomes its body. */
const BODIES = {
  right: utf8,
  empty: () => utf8(''),
  'byte order mark': (text: string) => utf8(`\ufeff${text}`),
  'UTF-16': (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le'),
  'not UTF-8': (text: string) =>
    Buffer.concat([Buffer.from('{"x":"\xff\xc0\x80",', 'latin1'), utf8(text.slice(1))]),
  cut: (text: string) => utf8(text.slice(0, -1)),
  'cut in the middle': (text: string) => utf8(text.slice(0, text.length / 2)),
  'more behind': (text: string) => utf8(`${text}{}`),
  'NUL behind': (text: string) => utf8(`${text}\0`),
  'white space around': (text: string) => utf8(`\r\n\t ${text}\n`),
  'in a list': (text: string) => utf8(`[${text}]`),
  'in an object': (text: string) => utf8(`{"data":${text}}`),
  'as text': (text: string) => utf8(JSON.stringify(text)),
  'guarded JSON': (text: string) => utf8(`)]}',\n${text}`),
  form: (text: string) => utf8(text.replace(/[{}"]/g, '').replaceAll(':', '=').replaceAll(',', '&')),
  page: (text: string) => utf8(`<html><body>${text}</body></html>`),
  null: () => utf8('null'),
  'deep inside': (text: string) => utf8(`${'['.repeat(5000)}${text}${']'.repeat(5000)}`),
} as const satisfies Readonly<Record<string, (text: string) => Buffer>>;

/** For each member, values that are nearly right for some of the requests that are made. */
const NEAR_MEMBERS: Readonly<Record<string, readonly unknown[]>> = {
  access_token: [
    ...[
      '',
      ' ',
      'a fake token with spaces',
      'fake-token\nwith-line-break',
      'fake-token\0with-nul',
      'fake-tökén-of-nobody',
    ],
    ...[
      null,
      5,
      true,
      ['fake-token-in-a-list'],
      { token: 'fake-token-in-an-object' },
      'fake-opaque-token-of-somebody',
    ],
  ],
  token_type: [
    'Bearer',
    'bearer',
    'BEARER',
    'DPoP',
    'N_A',
    'n_a',
    'mac',
    '',
    ' Bearer',
    'Bearer ',
    'Bearer\0',
    ['Bearer'],
    'ｂearer',
    null,
    5,
  ],
  issued_token_type: [
    ...Object.values(TYPES),
    'access_token',
    '',
    'urn:example:odd',
    [TYPES.accessToken],
    null,
    TYPES.accessToken.toUpperCase(),
    ` ${TYPES.accessToken}`,
  ],
  expires_in: [
    0,
    1,
    299,
    3600,
    -1,
    0.5,
    '300',
    '300s',
    ' 300',
    '-300',
    '0x10',
    '1e3',
    '',
    'never',
    true,
    [300],
    {},
    null,
    1e300,
  ],
  scope: [
    'read',
    'write',
    'read write',
    'write read',
    '',
    ' read ',
    'read admin',
    'read\tadmin',
    'READ',
    'read\u00a0admin',
    ['read'],
    ['admin'],
    { read: true },
    5,
    null,
  ],
  refresh_token: ['fake-refresh-token', '', 5, null, {}],
  id_token: ['fake.id.token', '', 5, null, {}, 'fake'],
  error: ['invalid_grant', 'server_error', 5, null, { toString: 0 }],
  error_description: [
    'it is no good',
    'the token fake-opaque-subject-token-0123456789 has expired',
    5,
    ['x'],
  ],
  claims: ['{"access_token":{"acrs":{"essential":true,"value":"c1"}}}', '{', {}, 5],
};

const STATUSES = [
  201, 204, 205, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 410, 418, 429, 500, 502, 503, 504, 599,
];
const CONTENT_TYPES = [
  ...[
    'application/json; charset=utf-8',
    'application/json;charset=utf-16',
    'Application/JSON',
    'application/json ;x=y',
  ],
  ...[
    'application/problem+json',
    'text/html',
    'application/jwt',
    'application/jsonp',
    '',
    ';',
    'application/json, text/html',
  ],
];
const HEADERS: readonly (readonly [string, string])[] = [
  ...[
    '0',
    '1',
    '-1',
    '1.5',
    '99999999999',
    'soon',
    '',
    '0, 5',
    'Wed, 21 Oct 2015 07:28:00 GMT',
    'Fri, 31 Dec 9999 23:59:59 GMT',
  ].map((value) => ['retry-after', value] as const),
  ['location', 'https://evil.example.net/token'],
  ['location', '/other'],
  ['content-encoding', 'gzip'],
  ['content-length', '5'],
  ['www-authenticate', 'Bearer error="invalid_token", error_description="x'],
  ['www-authenticate', 'Basic realm="sts", Bearer, DPoP algs="ES256"'],
  ['dpop-nonce', 'fake-nonce'],
  ['set-cookie', 'a=b'],
];

const seldom = <T>(usual: T, weight: number, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight }, other);

/** An answer with nothing wrong in it. */
export const RIGHT: AnswerBend = {
  token: { header: [], claims: [], form: 'right' },
  echo: undefined,
  told: 'both',
  members: [],
  body: 'right',
  status: 200,
  contentType: 'application/json',
  headers: [],
};

/** Answers that are right but for a few things, and a few that are wrong altogether. */
export const answerBend: fc.Arbitrary<AnswerBend> = fc.record({
  token: tokenBend,
  echo: seldom<AnswerBend['echo']>(undefined, 40, fc.constantFrom('subject', 'actor')),
  told: seldom<AnswerBend['told']>('both', 4, fc.constantFrom('the answer', 'the token', 'nobody')),
  members: changesOf(NEAR_MEMBERS, 3),
  body: seldom<AnswerBend['body']>(
    'right',
    12,
    fc.oneof(
      fc.constantFrom(...(Object.keys(BODIES) as (keyof typeof BODIES)[])),
      fc.uint8Array({ maxLength: 60 }),
    ),
  ),
  status: seldom(
    200,
    8,
    fc.oneof({ arbitrary: fc.constantFrom(...STATUSES), weight: 4 }, fc.integer({ min: 200, max: 599 })),
  ),
  contentType: seldom<string | undefined>(
    'application/json',
    12,
    fc.constantFrom(...CONTENT_TYPES, undefined),
  ),
  headers: seldom<AnswerBend['headers']>([], 3, fc.array(fc.constantFrom(...HEADERS), { maxLength: 2 })),
});

/** The answer to a request, but for how it is bent; `token`: what it holds as token before its members are bent. */
export function bentAnswer(asked: Asked, bend: AnswerBend): Answer & { readonly token: string } {
  const isIdJag = asked.requestedTokenType === TYPES.idJag;
  const echoed = { subject: asked.sent[0], actor: asked.sent[1] };
  const claims = rightClaims(asked);
  if (bend.told === 'the answer' || bend.told === 'nobody') delete claims.exp;
  const typ = isIdJag ? 'oauth-id-jag+jwt' : undefined;
  const token = (bend.echo && echoed[bend.echo]) ?? bentToken(claims, bend.token, typ);
  const { requestedTokenType = asked.provider.requestedTokenType, scopes } = asked;
  const members = membersOf({
    access_token: token,
    issued_token_type: requestedTokenType ?? TYPES.accessToken,
    token_type: isIdJag ? 'N_A' : 'Bearer',
    expires_in: bend.told === 'the token' || bend.told === 'nobody' ? undefined : 300,
    scope: scopes.length > 0 ? scopes.join(' ') : undefined,
  });
  return { token, ...answerOf(objectText(changed(members, bend.members)), bend) };
}

/** How a text is answered, but for what it says. */
export type Wrapping = Pick<AnswerBend, 'body' | 'status' | 'contentType' | 'headers'>;

export function answerOf(text: string, { body, status, contentType, headers }: Wrapping): Answer {
  const bytes = typeof body === 'string' ? BODIES[body](text) : body;
  return {
    status,
    headers: [...(contentType === undefined ? [] : [['content-type', contentType] as const]), ...headers],
    // Statuses with which a Response takes no body.
    body: [204, 205, 304].includes(status) ? new Uint8Array() : bytes,
  };
}

/** The answer as what `fetch` gives. */
export function responseOf({ status, headers, body }: Answer): Response {
  const content = body.length === 0 ? null : new Uint8Array(body);
  return new Response(content, { status, headers: headers.map(([name, value]) => [name, value]) });
}
