import { expect, test } from 'vitest';
import { readClaims } from '../../src/core/claims.ts';
import { fakeJwt } from '../support/jwt.ts';

test.each<[object, object]>([
  [{ aud: 'calendar' }, { aud: ['calendar'] }],
  [{ aud: ['calendar', 'files'] }, { aud: ['calendar', 'files'] }],
  // A server may read more out of it than we do, so nothing is read out of it.
  [{ aud: ['calendar', 7, null, {}] }, { aud: [], malformed: ['aud'] }],
  [{ aud: [['calendar']] }, { aud: [], malformed: ['aud'] }],
  [{ aud: null }, { aud: [], malformed: ['aud'] }],
  [{ aud: { name: 'calendar' } }, { aud: [], malformed: ['aud'] }],
  [{ aud: [] }, { aud: [], malformed: undefined }],
  [{}, { aud: [], sub: undefined, iss: undefined, exp: undefined, scope: undefined, act: undefined }],
  [{ exp: 1.5 }, { exp: 1500 }],
  [{ scope: 'read write' }, { scope: 'read write' }],
  [{ scope: ['read', 'write'] }, { scope: 'read write' }],
  [{ scp: ['read', 'write'] }, { scope: 'read write' }],
  [{ scp: 'read' }, { scope: 'read' }],
  [
    { scope: 'read', scp: ['write', 'admin'] },
    { scope: 'read write admin', malformed: undefined },
  ],
  [
    { scope: 5, scp: 'admin' },
    { scope: 'admin', malformed: ['scope'] },
  ],
  [{ scope: ['read', 5] }, { malformed: ['scope'] }],
  [{ scope: [{ toString: 0 }] }, { malformed: ['scope'] }],
  [{ scp: null }, { malformed: ['scope'] }],
  [{ scope: true, aud: 5 }, { malformed: ['aud', 'scope'] }],
  [{ act: { sub: 'agent', act: { sub: 'front-end' } } }, { act: 'agent' }],
  [{ act: 'agent' }, { act: undefined }],
  [{ act: null }, { act: undefined }],
  [{ act: { sub: 7 } }, { act: undefined }],
  [{ act: ['agent'] }, { act: undefined }],
  [{ exp: '4000000000' }, { exp: Number.NaN }],
  [{ exp: null }, { exp: Number.NaN }],
  [{ may_act: { sub: 'agent' } }, { mayAct: { sub: 'agent', iss: undefined } }],
  [
    { may_act: { sub: 'agent', iss: 'https://idp.example.com', email: 'a@example.com' } },
    { mayAct: { sub: 'agent', iss: 'https://idp.example.com' } },
  ],
  [{ may_act: { sub: 7, iss: ['x'] } }, { mayAct: { sub: undefined, iss: undefined } }],
  [{ may_act: {} }, { mayAct: { sub: undefined, iss: undefined } }],
  [{ may_act: 'agent' }, { mayAct: undefined, malformed: ['may_act'] }],
  [{ may_act: null }, { mayAct: undefined }],
  [{ act: { sub: 'agent' } }, { act: 'agent', mayAct: undefined }],
  [{ may_act: { sub: 'agent' } }, { act: undefined }],
  [
    { oid: 'alice-oid', sub: 'alice' },
    { oid: 'alice-oid', sub: 'alice' },
  ],
  [{ oid: 7 }, { oid: undefined }],
  [{ sub: 'alice' }, { oid: undefined }],
  [
    { sub: 7, iss: ['x'] },
    { sub: undefined, iss: undefined },
  ],
])('the claims %o are read as %o', (claims, expected) => {
  const read = readClaims(fakeJwt({ ...claims })) as object;
  expect({ ...read, ...expected }).toStrictEqual(read);
});

test.each(['', '.', '..', 'a.b.c', 'opaque', 'e30.e30.e30.e30.e30'])('%j is opaque', (token) => {
  expect(readClaims(token)).toBeUndefined();
});
