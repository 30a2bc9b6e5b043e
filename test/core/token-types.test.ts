import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { issuedToken } from '../../src/core/issued-token.ts';
import { securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak, renderings } from '../support/leaks.ts';

const VALUE = fakeJwt({ sub: 'alice', aud: 'calendar' });

const issued = () =>
  issuedToken(VALUE, {
    issuedTokenType: TOKEN_TYPE.accessToken,
    expiresInMs: 1000,
    scope: 'read',
  });

const HOLDERS: readonly (readonly [string, () => object, (holder: object) => unknown])[] = [
  ['a security token', () => securityToken(VALUE), (holder) => (holder as { token: unknown }).token],
  ['an issued token', issued, (holder) => (holder as { accessToken: unknown }).accessToken],
];

test.each(HOLDERS)('%s gives its value to whoever asks for it by name', (_what, make, read) => {
  expect(read(make())).toBe(VALUE);
});

test.each(HOLDERS)(
  '%s does not show its value when it is printed or serialised, nor inside others',
  (_what, make) => {
    for (const value of [
      make(),
      { token: make() },
      [make()],
      new Map([['token', make()]]),
      new Error('x', { cause: make() }),
    ]) {
      expectNoLeak(value, [VALUE]);
    }
  },
);

test.each(HOLDERS)('%s loses its value when it is copied', (_what, make, read) => {
  const copies = [
    { ...make() },
    Object.assign({}, make()),
    Object.fromEntries(Object.entries(make())),
    JSON.parse(JSON.stringify(make())),
    structuredClone(make()),
  ];
  for (const copy of copies) {
    expect(read(copy)).toBeUndefined();
    expectNoLeak(copy, [VALUE]);
  }
});

test.each(HOLDERS)('%s cannot be changed', (_what, make) => {
  const holder = make();
  expect(Object.isFrozen(holder)).toBe(true);
  for (const name of ['token', 'accessToken', 'type']) {
    expect(() => Object.assign(holder, { [name]: 'other' })).toThrow(TypeError);
  }
});

test('what may be seen is seen', () => {
  const [printed = ''] = renderings(issued());
  for (const part of ['alice', 'calendar', 'read', TOKEN_TYPE.accessToken]) expect(printed).toContain(part);
  expect(inspect(securityToken(VALUE))).toContain(TOKEN_TYPE.accessToken);
});

test('a security token is an access token unless its type is given', () => {
  expect(securityToken('x').type).toBe('urn:ietf:params:oauth:token-type:access_token');
  expect(securityToken('x', TOKEN_TYPE.jwt).type).toBe('urn:ietf:params:oauth:token-type:jwt');
});

test('a security token knows its lifetime only where it was told', () => {
  expect(securityToken('x', TOKEN_TYPE.jwt, 5_000).expiresInMs).toBe(5_000);
  expect(Object.keys(securityToken('x'))).toEqual(['type']);
});
