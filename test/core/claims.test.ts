import { expect, test } from 'vitest';
import { readClaims } from '../../src/core/claims.ts';
import { fakeJwt } from '../support/jwt.ts';

test.each<[object, object]>([
  [{ aud: 'calendar' }, { aud: ['calendar'] }],
  [{ aud: ['calendar', 'files'] }, { aud: ['calendar', 'files'] }],
  [{ aud: ['calendar', 7, null, {}] }, { aud: ['calendar'] }],
  [{}, { aud: [], sub: undefined, iss: undefined, exp: undefined, scope: undefined, act: undefined }],
  [{ exp: 1.5 }, { exp: 1500 }],
  [{ scope: 'read write' }, { scope: 'read write' }],
  [{ scope: ['read', 'write'] }, { scope: 'read write' }],
  [{ scp: ['read', 'write'] }, { scope: 'read write' }],
  [{ scp: 'read' }, { scope: 'read' }],
  [{ act: { sub: 'agent', act: { sub: 'front-end' } } }, { act: 'agent' }],
  [{ act: 'agent' }, { act: undefined }],
  [{ act: null }, { act: undefined }],
  [{ act: { sub: 7 } }, { act: undefined }],
  [
    { sub: 7, iss: ['x'] },
    { sub: undefined, iss: undefined },
  ],
])('the claims %j are read as %j', (claims, expected) => {
  expect(readClaims(fakeJwt({ ...claims }))).toMatchObject(expected);
});

test.each(['', '.', '..', 'a.b.c', 'opaque', 'e30.e30.e30.e30.e30'])('%j is opaque', (token) => {
  expect(readClaims(token)).toBeUndefined();
});
