import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasControl, holdsSecret, redact } from '../../src/core/redact.ts';
import { fakeJwt } from '../support/jwt.ts';

/** Printable, also spaces and what regular expressions give a meaning to; no brackets, which redaction itself adds. */
const secret = fc.stringMatching(/^[!-Z^-~][ -Z^-~]{6,40}[!-Z^-~]$/);
const jwt = fc
  .record({ sub: fc.string({ maxLength: 20 }), aud: fc.string({ maxLength: 20 }) })
  .map((claims) => fakeJwt(claims));
const noise = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.constantFrom('\n', '\u0000', '\u2028', ' ', '"', 'subject_token=', 'Bearer ', 'a'.repeat(4000)),
);

/** What is said, made of noise, of secrets, of secrets with their spaces replaced, and of JWTs. */
const said = fc
  .record({ secrets: fc.array(secret, { minLength: 1, maxLength: 3 }), jwts: fc.array(jwt) })
  .chain(({ secrets, jwts }) =>
    fc
      .array(
        fc.oneof(
          noise,
          fc.constantFrom(...secrets),
          fc.constantFrom(...secrets).map((one) => one.replaceAll(' ', '\n')),
          ...(jwts.length > 0 ? [fc.constantFrom(...jwts)] : []),
        ),
        { maxLength: 12 },
      )
      .map((parts) => ({ secrets, jwts, text: parts.join('') })),
  );

test('no known secret and no JWT survives, whatever stands around it', () => {
  fc.assert(
    fc.property(said, ({ secrets, jwts, text }) => {
      const safe = redact(text, secrets);
      for (const one of secrets) expect(safe).not.toContain(one);
      for (const one of jwts) {
        for (const part of one.split('.')) expect(safe).not.toContain(part);
      }
    }),
    { numRuns: 500 },
  );
});

test('what is left is short and holds no control character', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        said.map(({ text }) => text),
        fc.string({ unit: 'binary', maxLength: 2000 }),
      ),
      (text) => {
        const safe = redact(text);
        expect(safe.length).toBeLessThanOrEqual(203);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
        expect(safe).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\p{Cf}]/u);
      },
    ),
  );
});

test('a secret that begins within what is shown and ends beyond shows no beginning', () => {
  for (let before = 180; before <= 200; before += 1) {
    const safe = redact(`${'. '.repeat(100).slice(0, before)}correct horse battery staple`, [
      'correct horse battery staple',
    ]);
    expect(safe).not.toContain('co');
  }
});

test('a secret at the end of a very long text shows no beginning, however much was taken out before it', () => {
  const secrets = ['correct horse battery staple'];
  for (let length = 65_500; length <= 65_540; length += 1) {
    expect(redact(`${'A'.repeat(length)} ${secrets[0]}`, secrets)).not.toContain('correct');
  }
});

test('a secret inside another secret leaves no rest of the longer one', () => {
  const longer = 'horse battery';
  expect(redact(`the ${longer} staple`, ['horse', longer])).toBe('the [redacted] staple');
  expect(redact(`the ${longer} staple`, [longer, 'horse'])).toBe('the [redacted] staple');
});

test('a secret is taken out as it reads in a URL and in a form, too', () => {
  const one = 'pass (word)+/=';
  for (const spelt of [one, encodeURIComponent(one), new URLSearchParams({ one }).toString().slice(4)]) {
    expect(redact(`bad "${spelt}"`, [one])).toBe('bad "[redacted]"');
  }
});

const ODD = 'Pa&ss<w>"0+/r d\u00e9\\';
const escaped = (text: string): string => text.replace(/[<>&"+/\\]/g, (one) => `&#${one.codePointAt(0)};`);
const named = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' } as Readonly<Record<string, string>>;
const percent = encodeURIComponent(ODD);

test.each([
  ['HTML', ODD.replace(/[&<>"]/g, (one) => named[one] ?? one)],
  ['HTML in numbers', escaped(ODD)],
  ['HTML in hexadecimal', ODD.replace(/[&<]/g, (one) => `&#X${one.charCodeAt(0).toString(16)};`)],
  ['lower-case percent', percent.replace(/%../g, (one) => one.toLowerCase())],
  ['percent of some characters only', encodeURI(ODD)],
  ['percent twice', encodeURIComponent(percent)],
  ['a form of percent', new URLSearchParams({ a: percent }).toString().slice(2)],
  ['JSON', JSON.stringify(ODD).slice(1, -1)],
  ['JSON in JSON', JSON.stringify(JSON.stringify(ODD))],
  ['JSON with \\u', ODD.replace(/[&<>"\\]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`)],
  ['JSON with a line break', `${ODD.slice(0, 5)}\\n${ODD.slice(5)}`],
  ['JSON in HTML', escaped(JSON.stringify(ODD))],
  ['upper case', ODD.toUpperCase()],
  ['base64', Buffer.from(ODD).toString('base64')],
  ['base64url', Buffer.from(ODD).toString('base64url')],
  ['zero-width characters', [...ODD].join('\u200b')],
  ['soft hyphens and a line break', `${[...ODD].join('\u00ad')}`.replace('0', '\n0')],
])('a secret is not shown, nor any text that holds it, when it is spelt as %s', (_how, spelt) => {
  const safe = redact(`bad secret ${spelt} of this client`, [ODD]);
  expect(safe).toMatch(/^(?:\[redacted\]|bad secret \[redacted\]=* of this client)$/);
  expect(holdsSecret(`bad secret ${spelt}`, [ODD])).toBe(true);
});

test('a secret of nothing but what is put aside in comparing takes no other text with it', () => {
  for (const secret of ['++++', '\\\\\\\\', '    ', '\u200b\u200b\u200b\u200b', '%20%20']) {
    expect(redact('an error of another kind', [secret])).toBe('an error of another kind');
    expect(holdsSecret('an error of another kind', [secret])).toBe(false);
  }
});

test('characters that turn or hide text are control characters, and are taken out', () => {
  for (const one of ['\u202e', '\u2066', '\u200b', '\u00ad', '\ufeff', '\u{e0041}', '\u0085', '\n']) {
    expect(hasControl(`a${one}b`)).toBe(true);
    expect(redact(`access${one}denied`)).toMatch(/^access ?denied$/);
  }
  expect(hasControl('plain text, é and 字')).toBe(false);
});

test('a token that nobody named is taken out, though characters without width stand in it', () => {
  const token = [...fakeJwt({ sub: 'alice' })].join('\u200b');
  expect(redact(`token "${token}" is bad`)).toBe('token "[redacted]" is bad');
});

test('a secret that is no well-formed text breaks nothing', () => {
  expect(redact('a \ud800bcd e', ['\ud800bcd', '\udc00\ud800 long enough'])).not.toContain('bcd');
});

test('what says nothing secret is shown as it is', () => {
  const text = 'invalid_target: this client may not obtain a token for payroll (see section 2.2.2)';
  expect(redact(text, ['', 'abc'])).toBe(text);
});

test.each([
  fakeJwt({ sub: 'alice' }),
  fakeJwt({ sub: 'alice' }).slice(0, 40),
  'accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC',
  'YWdlbnQ6YWdlbnQtc2VjcmV0LXZhbHVl==',
])('what looks like a token is taken out though nobody named it: %s', (token) => {
  expect(redact(`token "${token}" is bad`)).toBe('token "[redacted]" is bad');
});

const MEGABYTES = ['%25', '&amp;', '&#', '\\u0', '\\', '%', '\u200b', '&#x41;', '%c3'].map((one) =>
  one.repeat((1 << 20) / one.length),
);

test('a text of a megabyte is dealt with at once', () => {
  const before = performance.now();
  for (const text of [
    'a'.repeat(1 << 20),
    'aaaaaaa.'.repeat(1 << 17),
    'aaaaaa. '.repeat(1 << 17),
    ...MEGABYTES,
  ]) {
    expect(redact(text, ['the-secret']).length).toBeLessThanOrEqual(203);
  }
  expect(performance.now() - before).toBeLessThan(5000);
});
