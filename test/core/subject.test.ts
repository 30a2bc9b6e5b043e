import { expect, test } from 'vitest';
import { assertNotExpired, checkSubject } from '../../src/core/subject.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { AGENT, startSts } from '../support/sts.ts';

const NOW = 1_800_000_000_000;
const strict = { now: NOW, allowOpaque: false };
const lenient = { now: NOW, allowOpaque: true };

test('a good subject token says who the subject is', () => {
  const token = fakeJwt({ iss: 'https://idp.example.com', sub: 'alice', aud: 'agent', exp: NOW / 1000 + 60 });
  expect(checkSubject(token, strict)).toMatchObject({
    iss: 'https://idp.example.com',
    sub: 'alice',
    aud: ['agent'],
    exp: NOW + 60_000,
  });
});

test('a subject token that says no expiry is taken', () => {
  expect(checkSubject(fakeJwt({ sub: 'alice' }), strict).exp).toBeUndefined();
});

test.each([undefined, ''])('%j is no subject token', async (token) => {
  for (const policy of [strict, lenient]) {
    expect(await failureOf(() => checkSubject(token, policy))).toMatchObject({
      code: 'subject_missing',
      failure: 'reauthentication_required',
    });
  }
});

test.each([' ', '\t', '\r\n', '\0', '\u007f', '\u00e9', '\u2028', '\ud83d'])(
  'a subject token with %j in it is refused, also where opaque ones are taken',
  async (character) => {
    for (const token of [
      `${fakeJwt({ sub: 'alice' })}${character}X-Injected:1`,
      `${character}opaque-token`,
    ]) {
      for (const policy of [strict, lenient]) {
        const error = await failureOf(() => checkSubject(token, policy));
        expect(error).toMatchObject({ code: 'subject_malformed', failure: 'reauthentication_required' });
        expectNoLeak(error, [token]);
      }
    }
  },
);

test.each([
  'opaque-token-that-nobody-can-read',
  'not.a.jwt',
  'a.b',
  `${fakeJwt({ sub: 'alice' })}.extra`,
  fakeJwt({ sub: 'alice' }).replace('.', ''),
])('%j is not a JWT: refused, unless opaque tokens are taken', async (token) => {
  const error = await failureOf(() => checkSubject(token, strict));
  expect(error).toMatchObject({ code: 'subject_malformed', failure: 'reauthentication_required' });
  expect(error.message).toContain('allowOpaqueSubject');
  expectNoLeak(error, [token]);
  expect(checkSubject(token, lenient)).toEqual({ aud: [] });
});

const [HEADER = '', PAYLOAD = '', SIGNATURE = ''] = fakeJwt({ sub: 'alice' }).split('.');

test.each([
  ['has a list as payload', `${HEADER}.${Buffer.from('["alice"]').toString('base64url')}.x`],
  ['has a text as payload', `${HEADER}.${Buffer.from('"alice"').toString('base64url')}.x`],
  ['is not signed', `${HEADER}.${PAYLOAD}.`],
  ['is cut', `${HEADER}.${PAYLOAD.slice(0, -3)}.${SIGNATURE}`],
  ['is padded', `${HEADER}.${PAYLOAD}.${SIGNATURE}=`],
  ['is no UTF-8', `${HEADER}.${Buffer.from('{"sub":"\xff"}', 'latin1').toString('base64url')}.x`],
])(
  'a JWT that %s is refused: it does not pass as opaque, in which nothing is checked',
  async (_what, token) => {
    for (const policy of [strict, lenient]) {
      const error = await failureOf(() => checkSubject(token, policy));
      expect(error).toMatchObject({ code: 'subject_malformed', failure: 'reauthentication_required' });
      expectNoLeak(error, [token]);
    }
  },
);

test.each<[string, object]>([
  ['no sub', {}],
  ['an empty sub', { sub: '' }],
  ['a sub that is a number', { sub: 7 }],
  ['a sub that is a list', { sub: ['alice'] }],
  ['a sub that is null', { sub: null }],
])('a JWT with %s is refused, also where opaque tokens are taken', async (_what, claims) => {
  const token = fakeJwt({ ...claims, exp: NOW / 1000 + 60 });
  for (const policy of [strict, lenient]) {
    const error = await failureOf(() => checkSubject(token, policy));
    expect(error).toMatchObject({ code: 'subject_malformed', failure: 'reauthentication_required' });
    expect(error.message).toContain('"sub"');
    expectNoLeak(error, [token]);
  }
});

test.each<[number, boolean]>([
  [-1, true],
  [0, true],
  [1, false],
])('an expiry %i ms from now: expired is %s', async (difference, expired) => {
  const token = fakeJwt({ sub: 'alice', exp: (NOW + difference) / 1000 });
  for (const policy of [strict, lenient]) {
    if (!expired) expect(checkSubject(token, policy).sub).toBe('alice');
    else expect((await failureOf(() => checkSubject(token, policy))).code).toBe('subject_expired');
  }
});

test.each([0, -5])('an expiry of %i is in the past, not missing', async (exp) => {
  expect((await failureOf(() => checkSubject(fakeJwt({ sub: 'alice', exp }), strict))).code).toBe(
    'subject_expired',
  );
});

test.each(['1', '4000000000', null, true, {}])(
  'an expiry of %j is none that can be checked, so the token is refused',
  async (exp) => {
    const error = await failureOf(() => checkSubject(fakeJwt({ sub: 'alice', exp }), strict));
    expect(error).toMatchObject({ code: 'subject_malformed', failure: 'reauthentication_required' });
  },
);

test('a subject token of a real authorization server passes until its expiry', async () => {
  const sts = await startSts();
  const token = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId, expiresIn: 60 });
  const { exp } = checkSubject(token, { now: Date.now(), allowOpaque: false });
  expect((await failureOf(() => checkSubject(token, { now: exp as number, allowOpaque: false }))).code).toBe(
    'subject_expired',
  );
  const expired = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId, expiresIn: -1 });
  const error = await failureOf(() => checkSubject(expired, { now: Date.now(), allowOpaque: false }));
  expect(error).toMatchObject({ code: 'subject_expired', failure: 'reauthentication_required' });
  expectNoLeak(error, [expired]);
});

test('without an expiry nothing expires', () => {
  expect(() => assertNotExpired(undefined, Number.MAX_SAFE_INTEGER)).not.toThrow();
});
