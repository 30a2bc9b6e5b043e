import fc from 'fast-check';
import { expect, test } from 'vitest';
import { errorUri } from '../../src/core/error-uri.ts';
import { fakeJwt } from '../support/jwt.ts';

const PAGE = 'https://accounts.login-example.com/oauth2/authorize/consent';

test.each([
  PAGE,
  `${PAGE}?client_id=00aa00aa-bb11-cc22-dd33-44ee44ee44ee&scope=mail.read%20calendar.read#agree`,
  'https://localhost:8443/a/path/that/is/longer/than/any/token/that/anybody/ever/issued/so/far/index.html',
  'https://sts.example.com/?q=%zz',
])('%s is passed on', (page) => {
  expect(errorUri(page, ['a-fake-secret'])).toBe(page);
});

test('it is written as a URL is: what could end it in a text is encoded', () => {
  expect(errorUri('HTTPS://STS.example.com/a b', [])).toBe('https://sts.example.com/a%20b');
  expect(errorUri('https://sts.example.com', [])).toBe('https://sts.example.com/');
});

test.each<[string, unknown]>([
  ['is missing', undefined],
  ['is no text', { href: PAGE }],
  ['is empty', ''],
  ['is relative', '/consent'],
  ['is in clear text', 'http://sts.example.com/consent'],
  ['is a program', 'javascript:alert(1)'],
  ['is data', 'data:text/html,x'],
  ['names a user', 'https://sts.example.com@evil.example/'],
  ['has a password', 'https://:password@sts.example.com/'],
  ['is longer than anybody needs', `${PAGE}?a=${'word-'.repeat(2_000)}`],
  ['is longer when it is encoded', `${PAGE}?a=${'ä.'.repeat(900)}`],
  ['turns its text', `${PAGE}?a=%E2%80%AEtxt`],
  ['has lines', `${PAGE}?a=%0AX-Field:%20x`],
  ['holds a JWT', `${PAGE}?a=${fakeJwt({ sub: 'alice' })}`],
  ['holds an encoded JWT', `${PAGE}?a=${fakeJwt({ sub: 'alice' }).replaceAll('.', '%2E')}`],
  ['holds an opaque token', `${PAGE}#${'Ab1_'.repeat(16)}`],
])('what %s is no page for the user', (_what, value) => {
  expect(errorUri(value, [])).toBeUndefined();
});

test('a secret that was sent and comes back is kept back, wherever it stands and however it is spelt', () => {
  const secret = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 4, maxLength: 30 }).filter((text) => text.trim().length >= 4),
    fc.base64String({ minLength: 8, maxLength: 30 }),
  );
  const place = fc.constantFrom<(text: string) => string>(
    (text) => `https://sts.example.com/${text}`,
    (text) => `https://sts.example.com/a/b${text}?c=d`,
    (text) => `https://sts.example.com/?q=${text}&r=s`,
    (text) => `https://sts.example.com/#${text}`,
  );
  const spelling = fc.constantFrom<(text: string) => string>(
    encodeURIComponent,
    (text) => encodeURIComponent(encodeURIComponent(text)),
    (text) => new URLSearchParams({ v: text }).toString().slice(2),
    (text) => Buffer.from(text).toString('base64url'),
  );
  fc.assert(
    fc.property(secret, place, spelling, (text, inPlace, spelt) => {
      expect(errorUri(inPlace(spelt(text)), ['other-secret', text])).toBeUndefined();
    }),
  );
});
