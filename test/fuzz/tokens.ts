import fc from 'fast-check';
import { type Change, changed, changesOf, membersOf, objectText } from './json-text.ts';
import { base64url, NOW_SECONDS } from './world.ts';

/** How a token differs from the right one. */
export interface TokenBend {
  readonly header: readonly Change[];
  readonly claims: readonly Change[];
  readonly form: keyof typeof FORMS;
}

const SIGNATURE = base64url('no signature of anybody');
const joined = (header: string, payload: string): string => `${header}.${payload}.${SIGNATURE}`;
const padded = (text: string): string => Buffer.from(text).toString('base64');
const cut = (text: string): string => text.slice(0, -1);

/** How header and payload, as text, become a token. */
const FORMS = {
  right: (h: string, p: string) => joined(base64url(h), base64url(p)),
  'without signature': (h: string, p: string) => `${base64url(h)}.${base64url(p)}.`,
  'odd signature': (h: string, p: string) => `${base64url(h)}.${base64url(p)}.!"#$%`,
  'two segments': (h: string, p: string) => `${base64url(h)}.${base64url(p)}`,
  'four segments': (h: string, p: string) => `${joined(base64url(h), base64url(p))}.${SIGNATURE}`,
  'five segments': (h: string, p: string) => `${base64url(h)}..${base64url(p)}.${SIGNATURE}.${SIGNATURE}`,
  padded: (h: string, p: string) => joined(padded(h), padded(`${p} `)),
  'a byte too many': (h: string, p: string) => joined(base64url(h), `${base64url(p)}A`),
  'no header': (_: string, p: string) => joined('', base64url(p)),
  'header of no letters': (_: string, p: string) => joined('@@@@', base64url(p)),
  'header is no JSON': (h: string, p: string) => joined(base64url(cut(h)), base64url(p)),
  'header is a list': (h: string, p: string) => joined(base64url(`[${h}]`), base64url(p)),
  'payload is empty': (h: string) => joined(base64url(h), ''),
  'payload is cut': (h: string, p: string) => joined(base64url(h), base64url(cut(p))),
  'payload is null': (h: string) => joined(base64url(h), base64url('null')),
  'payload is a list': (h: string, p: string) => joined(base64url(h), base64url(`[${p}]`)),
  'payload is text': (h: string, p: string) => joined(base64url(h), base64url(JSON.stringify(p))),
  'payload is a token': (h: string, p: string) => joined(base64url(h), joined(base64url(h), base64url(p))),
  'payload with byte order mark': (h: string, p: string) => joined(base64url(h), base64url(`\ufeff${p}`)),
  'payload is not UTF-8': (h: string, p: string) =>
    joined(
      base64url(h),
      base64url(Buffer.concat([Buffer.from(cut(p)), Buffer.from(',"x":"\xff\xfe"}', 'latin1')])),
    ),
  'header and payload swapped': (h: string, p: string) => joined(base64url(p), base64url(h)),
  'not signed, nothing encoded': (h: string, p: string) => `${h}.${p}.${SIGNATURE}`,
  'line break inside': (h: string, p: string) => joined(base64url(h), `\r\n ${base64url(p)}`),
  'line break at the end': (h: string, p: string) => `${joined(base64url(h), base64url(p))}\n`,
  'space before': (h: string, p: string) => ` ${joined(base64url(h), base64url(p))}`,
  'scheme before': (h: string, p: string) => `Bearer ${joined(base64url(h), base64url(p))}`,
  'NUL at the end': (h: string, p: string) => `${joined(base64url(h), base64url(p))}\0`,
  'no ASCII at the end': (h: string, p: string) => `${joined(base64url(h), base64url(p))}\u00a0`,
  'one that looks alike': (h: string, p: string) => joined(base64url(h), base64url(p)).replace('e', 'е'),
  'comma and another': (h: string, p: string) => `${joined(base64url(h), base64url(p))},Bearer`,
  opaque: () => 'fake-opaque-issued-token-0123456789',
  'opaque with dots': () => 'fake-opaque.issued-token.0123456789',
} as const satisfies Readonly<Record<string, (header: string, payload: string) => string>>;

const TIMES = [-1, 0, 1, 59, 60].map((more) => NOW_SECONDS + more);

/** For each claim, values that are nearly right for some of the requests that are made. */
export const NEAR_CLAIMS: Readonly<Record<string, readonly unknown[]>> = {
  aud: [
    ...[
      'calendar',
      'files',
      'Calendar',
      'calendar ',
      'calendar files',
      'calendar\u0000',
      '',
      'https://mcp.example.com/billing/',
    ],
    ...[
      ['calendar'],
      ['calendar', 'files'],
      ['files', 'calendar'],
      ['calendar', 'admin'],
      [],
      ['calendar', 'calendar'],
    ],
    ...[
      ['calendar', null],
      ['calendar', ['files']],
      ['calendar', 5],
      { calendar: true },
      [['calendar']],
      null,
      5,
    ],
    ...[['https://mcp.example.com/billing'], ['calendar', 'https://mcp.example.com/billing']],
  ],
  sub: [
    'alice',
    'Alice',
    'alice ',
    'bob',
    '',
    ['alice'],
    { sub: 'alice' },
    null,
    5,
    'alice\u0000',
    'a\u006cice',
  ],
  oid: ['fake-object-id-of-alice', 'another', null],
  exp: [
    ...TIMES,
    ...TIMES.map(String),
    0,
    -1,
    NOW_SECONDS * 1000,
    null,
    [NOW_SECONDS + 60],
    'tomorrow',
    true,
  ],
  nbf: [NOW_SECONDS + 3600],
  scope: [
    ...[
      'read',
      'write',
      'read write',
      'write read',
      'read admin',
      '',
      ' ',
      'read  write',
      'READ',
      'read\tadmin',
      'read,admin',
    ],
    ...[
      ['read'],
      ['read', 'admin'],
      ['read admin'],
      [['read']],
      [['admin']],
      [5],
      {},
      5,
      true,
      null,
      { read: true },
    ],
  ],
  scp: ['read', 'admin', 'read write', ['read'], ['admin'], [['admin']], 5, null, {}],
  act: [
    ...[
      { sub: 'agent-1' },
      { sub: 'agent-2' },
      { sub: 'agent-1', iss: 'https://idp.example.com' },
      { sub: 'agent-1', iss: 'https://other.example.com' },
      { sub: 'agent-1', iss: 5 },
      { sub: 'agent-1', act: { sub: 'x' } },
      {},
      { sub: 5 },
      { sub: ['agent-1'] },
    ],
    ...[
      'agent-1',
      [{ sub: 'agent-1' }],
      null,
      5,
      true,
      { act: { sub: 'agent-1' } },
      { client_id: 'agent-1' },
    ],
  ],
  may_act: [{ sub: 'agent-1' }, 5, 'agent-1', null],
  iss: ['https://other.example.com', 5, null],
};

const NEAR_HEADER: Readonly<Record<string, readonly unknown[]>> = {
  alg: ['none', 5, null],
  typ: [
    'JWT',
    'oauth-id-jag+jwt',
    'OAuth-ID-JAG+JWT',
    'application/oauth-id-jag+jwt',
    5,
    null,
    ['oauth-id-jag+jwt'],
  ],
  crit: [['exp'], 5],
  b64: [false],
};

const form: fc.Arbitrary<keyof typeof FORMS> = fc.oneof(
  { arbitrary: fc.constant('right' as const), weight: 4 },
  fc.constantFrom(...(Object.keys(FORMS) as (keyof typeof FORMS)[])),
);

export const tokenBend: fc.Arbitrary<TokenBend> = fc.record({
  header: fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, changesOf(NEAR_HEADER, 2)),
  claims: changesOf(NEAR_CLAIMS, 3),
  form,
});

/** The token with these claims, but for how it is bent. */
export function bentToken(
  claims: Readonly<Record<string, unknown>>,
  bend: TokenBend,
  typ = 'at+jwt',
): string {
  const header = objectText(changed(membersOf({ alg: 'ES256', typ }), bend.header));
  return FORMS[bend.form](header, objectText(changed(membersOf(claims), bend.claims)));
}
