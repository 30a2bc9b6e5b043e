import { expect, test } from 'vitest';
import { decodeJwt, isWholeJwt } from '../../src/core/jwt-form.ts';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const HEADER = part({ alg: 'ES256' });
const PAYLOAD = part({ sub: 'alice', name: 'Zoë' });

test('a signed JWT is taken apart', () => {
  const token = `${HEADER}.${PAYLOAD}.signature`;
  expect(decodeJwt(token)).toEqual({ header: { alg: 'ES256' }, payload: { sub: 'alice', name: 'Zoë' } });
  expect(isWholeJwt(token)).toBe(true);
});

test('RFC 7519 section 3.1: the example JWT is one', () => {
  const token =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9' +
    '.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ' +
    '.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  expect(decodeJwt(token)).toEqual({
    header: { typ: 'JWT', alg: 'HS256' },
    payload: { iss: 'joe', exp: 1300819380, 'http://example.com/is_root': true },
  });
});

test.each<[string, string]>([
  ['empty', ''],
  ['opaque', 'opaque'],
  ['of two parts', `${HEADER}.${PAYLOAD}`],
  ['of two parts and a dot, so not signed', `${HEADER}.${PAYLOAD}.`],
  ['of four parts', `${HEADER}.${PAYLOAD}.signature.more`],
  ['of five parts, as an encrypted one is', `${HEADER}.a.b.c.d`],
  ['cut off in its payload', `${HEADER}.${PAYLOAD.slice(0, -5)}.signature`],
  ['cut off in its header', `${HEADER.slice(0, -5)}.${PAYLOAD}.signature`],
  ['with a header that is no base64url', `@@@@.${PAYLOAD}.signature`],
  ['with a signature that is no base64url', `${HEADER}.${PAYLOAD}.!"#$%`],
  ['with a payload in base64', `${HEADER}.${PAYLOAD}==.signature`],
  ['with a list as payload', `${HEADER}.${part([{ sub: 'alice' }])}.signature`],
  ['with null as payload', `${HEADER}.${part(null)}.signature`],
  ['with a text as header', `${part('ES256')}.${PAYLOAD}.signature`],
  [
    'with a payload that is no UTF-8',
    `${HEADER}.${Buffer.from('{"a":"\xff"}', 'latin1').toString('base64url')}.s`,
  ],
  ['with a space', ` ${HEADER}.${PAYLOAD}.signature`],
  ['with a line break', `${HEADER}.${PAYLOAD}.signature\n`],
])('a text that is %s is no signed JWT', (_what, text) => {
  expect(decodeJwt(text)).toBeUndefined();
  expect(isWholeJwt(text)).toBe(false);
});
