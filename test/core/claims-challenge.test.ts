import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { claimsChallenge } from '../../src/core/claims-challenge.ts';
import { fakeJwt } from '../support/jwt.ts';

/** As Microsoft documents them: claims challenges of conditional access and of an authentication context. */
const ENTRA = [
  '{"access_token":{"polids":{"essential":true,"values":["00aa00aa-bb11-cc22-dd33-44ee44ee44ee"]}}}',
  '{"access_token":{"capolids":{"essential":true,"values":["00000000-0000-0000-0000-000000000001"]}}}',
  '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}',
  '{"access_token":{"nbf":{"essential":true,"value":"1600000000"},"xms_cc":{"values":["cp1"]}}}',
  '{"id_token":{"acr":{"essential":true,"values":["urn:mace:incommon:iap:silver"]},"auth_time":null}}',
];

test.each(ENTRA)('%s is passed on', (challenge) => {
  expect(claimsChallenge(challenge, ['a-fake-secret'])).toBe(challenge);
});

test('spaces and spelling go, what it says stays', () => {
  expect(claimsChallenge(' { "access_token" : {"\\u0061crs": {"value" : "c1"} } }\n', [])).toBe(
    '{"access_token":{"acrs":{"value":"c1"}}}',
  );
});

test.each<[string, unknown]>([
  ['is missing', undefined],
  ['is an object, where a string is due', { access_token: {} }],
  ['is a number', 5],
  ['is empty', ''],
  ['is no JSON', '{access_token}'],
  ['is more than JSON', '{} and more'],
  ['is a JSON string', '"claims"'],
  ['is a JSON number', '5'],
  ['is null', 'null'],
  ['is a list', '[{"access_token":{}}]'],
  ['is longer than anybody needs', JSON.stringify({ a: 'word '.repeat(500) })],
  ['is long for nothing', `${' '.repeat(3_000)}{}`],
  ['is longer when it is written anew', `{"a":"${'\ud800'.repeat(400)}"}`],
])('what %s is no claims challenge', (_what, value) => {
  expect(claimsChallenge(value, [])).toBeUndefined();
});

const hidden = (value: unknown, ...secrets: string[]): void => {
  expect(claimsChallenge(JSON.stringify(value), secrets)).toBeUndefined();
};

describe('a secret that was sent', () => {
  test.each([
    'hunter2-hunter2',
    's3cret&with space',
    'pass"word\\x',
    'tab\tand\u0001control',
    'grüße-an-alle',
    'ab.c',
  ])('and comes back (%j) is kept back, wherever it stands and however it is spelt', (secret) => {
    hidden({ access_token: secret }, 'other', secret);
    hidden({ access_token: { values: [`before ${secret} after`] } }, secret);
    hidden({ access_token: { [secret]: null } }, secret);
    hidden({ a: encodeURIComponent(secret) }, secret);
    hidden({ a: new URLSearchParams({ v: secret }).toString().slice(2) }, secret);
    const escaped = [...secret]
      .map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');
    expect(claimsChallenge(`{"a":"${escaped}"}`, [secret])).toBeUndefined();
  });

  test('and is too short to be one hides nothing', () => {
    expect(claimsChallenge(ENTRA[0], ['', 'a', 'ess'])).toBe(ENTRA[0]);
  });
});

describe('what looks like a token', () => {
  const jwt = fakeJwt({ sub: 'alice' });
  test.each<[string, unknown]>([
    ['a JWT', { a: jwt }],
    ['a JWT inside a text', { a: { b: [`the token ${jwt} has expired`] } }],
    ['a JWT as a name', { [jwt]: true }],
    ['a JWT without its signature', { a: `${jwt.split('.').slice(0, 2).join('.')}.` }],
    ['a long run', { a: 'A1b2'.repeat(16) }],
    ['a long run with padding', { a: `${'A/b+'.repeat(20)}==` }],
  ])('is kept back: %s', (_what, value) => hidden(value));
});

test('a challenge that a terminal could take for a command is kept back', () => {
  for (const control of ['\u009b31m', '\u001b[31m', '\u007f', '\r\n', '\u0000']) hidden({ a: control });
});

/** Every string in a JSON value, names included. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => [name, ...strings(each)]);
}

const anyText = fc.string({ unit: 'binary', maxLength: 12 });

test('whatever comes in, what comes out is JSON, says the same, is not long, and is stable', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json({ maxDepth: 4 }), anyText, fc.anything()), (value) => {
      const text = claimsChallenge(value, []);
      if (text === undefined) return;
      expect(JSON.parse(text)).toEqual(JSON.parse(value as string));
      expect(text.length).toBeLessThanOrEqual(2048);
      expect(claimsChallenge(text, [])).toBe(text);
    }),
    { numRuns: 2_000 },
  );
});

test('whatever comes in, no secret comes out, in any string and as the text stands', () => {
  const secret = fc.oneof(
    fc.string({ minLength: 4, maxLength: 40 }),
    fc.string({ unit: 'binary', minLength: 4, maxLength: 20 }),
    fc.constantFrom('":{"', '\\\\\\\\', '"}},', '%%%%', '&&==', '\\u0061b'),
  );
  const spell = fc.constantFrom<(secret: string) => string>(
    (value) => value,
    (value) => encodeURIComponent(Buffer.from(value).toString()),
    (value) => new URLSearchParams([['', value]]).toString().slice(1),
  );
  const put = fc.constantFrom<(text: string) => unknown>(
    (text) => ({ a: text }),
    (text) => ({ a: { b: [{ c: text }] } }),
    (text) => ({ [text]: 1 }),
  );
  fc.assert(
    fc.property(secret, spell, put, anyText, anyText, (value, spelt, placed, before, after) => {
      const text = claimsChallenge(JSON.stringify(placed(before + spelt(value) + after)), ['other', value]);
      const shown = text === undefined ? [] : [text, ...strings(JSON.parse(text))];
      expect(shown.filter((each) => each.includes(value) || each.includes(spelt(value)))).toEqual([]);
    }),
    { numRuns: 3_000 },
  );
});

test('whatever stands around a JWT, it does not come out', () => {
  fc.assert(
    fc.property(anyText, anyText, (before, after) => {
      const jwt = fakeJwt({ sub: 'alice' });
      const text = claimsChallenge(JSON.stringify({ access_token: { a: before + jwt + after } }), []);
      expect(text?.includes(jwt) ?? false).toBe(false);
    }),
  );
});
