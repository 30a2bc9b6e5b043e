import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeptToken } from '../../src/broker/memory-store.ts';
import { accessTokenIn, readSharedToken, writeSharedToken } from '../../src/broker/shared-token.ts';
import { readClaims } from '../../src/core/claims.ts';
import { issuedToken } from '../../src/core/issued-token.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { WHOLE } from './support.ts';

const LATEST = WHOLE + 1e12;

const keptOf = (accessToken: string, more: Partial<Omit<KeptToken, 'token'>> & { scope?: string } = {}) => {
  const { scope, usableUntil = WHOLE + 60_000, refreshAt = WHOLE + 40_000 } = more;
  const facts = { issuedTokenType: TOKEN_TYPE.accessToken, expiresInMs: undefined, scope };
  return { token: issuedToken(accessToken, facts), usableUntil, refreshAt };
};

const time = fc.oneof(
  fc.integer({ min: WHOLE, max: LATEST }),
  // The margin is a quarter of a short life: parts of a millisecond.
  fc.integer({ min: WHOLE, max: LATEST }).map((ms) => ms + 0.25),
);
const accessToken = fc.oneof(
  fc.stringMatching(/^[\x21-\x7e]{1,80}$/),
  fc
    .record({ sub: fc.string(), aud: fc.array(fc.string(), { maxLength: 3 }), scope: fc.string() })
    .map((claims) => fakeJwt({ ...claims, exp: seconds(LATEST) + 1 })),
  fc.constantFrom('"', '\\', '{}', 'null', '__proto__'),
);
const kept = fc
  .record({
    accessToken,
    issuedTokenType: fc.oneof(fc.constantFrom(...Object.values(TOKEN_TYPE)), fc.string()),
    scope: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
    usableUntil: time,
    refreshAt: fc.oneof(time, fc.constant(Number.POSITIVE_INFINITY)),
  })
  .map(({ accessToken, issuedTokenType, scope, usableUntil, refreshAt }): KeptToken => {
    const token = issuedToken(accessToken, { issuedTokenType, expiresInMs: undefined, scope });
    return { token, usableUntil, refreshAt };
  });

test('what is read is what was written', () => {
  fc.assert(
    fc.property(kept, (one) => {
      const read = readSharedToken(writeSharedToken(one));
      expect(read).toEqual(one);
      expect(read?.token.accessToken).toBe(one.token.accessToken);
      expect(read?.token.claims).toEqual(readClaims(one.token.accessToken));
      expect(accessTokenIn(writeSharedToken(one))).toBe(one.token.accessToken);
    }),
    { numRuns: 500 },
  );
});

test('what was read shows no token, as what was issued shows none', () => {
  const token = fakeJwt({ sub: 'alice' });
  expectNoLeak(readSharedToken(writeSharedToken(keptOf(token))), [token]);
});

test('the claims are those of the token, whatever else is written beside it', () => {
  const text = writeSharedToken(keptOf(fakeJwt({ sub: 'alice', aud: 'calendar' })));
  const more = { ...JSON.parse(text), claims: { sub: 'mallory', aud: ['files'] }, token: { sub: 'mallory' } };
  expect(readSharedToken(JSON.stringify(more))?.token.claims).toMatchObject({
    sub: 'alice',
    aud: ['calendar'],
  });
});

test('a token is usable no longer than it says itself', () => {
  const exp = seconds(WHOLE) + 30;
  const text = (usableUntil: number) => writeSharedToken(keptOf(fakeJwt({ exp }), { usableUntil }));
  expect(readSharedToken(text(WHOLE + 20_000))?.usableUntil).toBe(WHOLE + 20_000);
  expect(readSharedToken(text(WHOLE + 1e9))?.usableUntil).toBe(exp * 1000);
});

describe('garbage is no token, and no failure', () => {
  const read = (text: unknown): unknown => {
    expect(accessTokenIn(text as string)).toBeUndefined();
    return readSharedToken(text as string);
  };

  test('whatever text it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
        expect(read(text)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('whatever a store gives that gives no text', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(read(value)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  const good = JSON.parse(writeSharedToken(keptOf('the-token', { scope: 'read' })));

  test.each(['accessToken', 'issuedTokenType', 'usableUntil', 'refreshAt'])('without %s', (name) => {
    const { [name]: _left, ...rest } = good;
    expect(read(JSON.stringify(rest))).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ['accessToken', ''],
    ['accessToken', 'with space'],
    ['accessToken', 'line\r\nbreak: yes'],
    ['accessToken', 'é'],
    ['accessToken', ['the-token']],
    ['accessToken', 42],
    ['accessToken', null],
    ['issuedTokenType', 42],
    ['issuedTokenType', null],
    ['scope', ['read']],
    ['scope', null],
    ['usableUntil', null],
    ['usableUntil', '1800000060000'],
    ['usableUntil', {}],
    ['refreshAt', 'never'],
    ['refreshAt', []],
  ])('with %s as %j', (name, value) => {
    expect(read(JSON.stringify({ ...good, [name]: value }))).toBeUndefined();
  });

  test.each(['1e400', '-1e400', 'NaN'])('with a time of %s', (number) => {
    const text = JSON.stringify({ ...good, usableUntil: 0 }).replace(
      '"usableUntil":0',
      `"usableUntil":${number}`,
    );
    expect(read(text)).toBeUndefined();
  });

  test('cut off anywhere', () => {
    const text = JSON.stringify(good);
    for (let length = 0; length < text.length; length++) expect(read(text.slice(0, length))).toBeUndefined();
  });

  test('but what is good is read', () => {
    expect(readSharedToken(JSON.stringify(good))?.token.accessToken).toBe('the-token');
  });
});

test('a token whose expiry is no time is not usable', () => {
  const read = readSharedToken(writeSharedToken(keptOf(fakeJwt({ exp: 'never' }))));
  expect((read?.usableUntil ?? 0) > WHOLE).toBe(false);
});
