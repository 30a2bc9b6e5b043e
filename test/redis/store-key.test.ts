import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { checkKeys } from '../../src/redis/store-key.ts';

/** Its base64 has every character in which the two alphabets differ. */
const bytes = Buffer.from('fbff'.repeat(16), 'hex');
const base64 = bytes.toString('base64');

const messageOf = (keys: unknown): string => {
  try {
    checkKeys(keys);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return inspect(error);
  }
  return 'accepted';
};

test.each([
  ['bytes', bytes],
  ['an array of bytes', new Uint8Array(bytes)],
  ['base64', base64],
  ['base64 without padding', base64.replace('=', '')],
  ['base64url', bytes.toString('base64url')],
  ['base64 from a file', `${base64}\n`],
  ['hex', bytes.toString('hex')],
  ['hex in capitals', bytes.toString('hex').toUpperCase()],
])('a key is taken as %s', (_form, key) => {
  const [first] = checkKeys([{ id: 'k1', key }]);
  expect(first.id).toBe('k1');
  expect(Buffer.from(first.bytes)).toEqual(bytes);
});

test.each([
  ['too few bytes', randomBytes(31)],
  ['too many bytes', randomBytes(33)],
  ['too little base64', randomBytes(31).toString('base64')],
  ['too much base64', randomBytes(33).toString('base64')],
  ['too little hex', randomBytes(31).toString('hex')],
  ['base64 of two alphabets', `-/${'A'.repeat(41)}`],
  ['a line break in it', `${base64.slice(0, 9)}\n${base64.slice(9)}`],
  ['32 letters', 'correct-horse-battery-staple-32!'],
  ['words of another width', new Uint32Array(32)],
  ['a list of numbers', Array.from(bytes)],
  ['nothing', ''],
])('a key is refused as %s, and is not told', (_form, key) => {
  const message = messageOf([{ id: 'k1', key }]);
  expect(message).toContain('"key" of keys[0] must be 32 bytes');
  if (key.length > 0) expect(message).not.toContain(String(key).slice(0, 12));
});

test.each(['', 'a.b', 'a b', 'é', 'k'.repeat(33), 7, undefined])('%j is no id of a key', (id) => {
  expect(messageOf([{ id, key: bytes }])).toMatch(/^TypeError: "id"/);
});

test.each([undefined, 'text', {}, { id: 'k1', key: bytes }])('%j is no list of keys', (keys) => {
  expect(messageOf(keys)).toMatch(/^TypeError: "keys" must be a list/);
});

test('an empty list, an id given twice, and a key given twice are refused', () => {
  expect(messageOf([])).toContain('"keys" is empty');
  const [one, two, three] = ['k1', 'k2', 'k1'].map((id) => ({ id, key: randomBytes(32) }));
  expect(messageOf([one, two, three])).toContain('"keys" has the id "k1" twice');
  const twice = messageOf([
    { id: 'k1', key: bytes },
    { id: 'k2', key: base64 },
  ]);
  expect(twice).toContain('"keys" has one key under two ids, "k1" and "k2"');
  expect(twice).not.toContain(base64.slice(0, 8));
});

test('an option that there is none of is refused, and a key in its place is not told', () => {
  expect(messageOf([{ id: 'k1', key: bytes, kid: 'k1' }])).toContain('"kid" is no option of keys[0]');
  expect(messageOf([{ id: 'k1' }])).toContain('"key" is missing');
  expect(messageOf([{ id: 'k1', secret: base64 }])).not.toContain(base64.slice(0, 8));
  expect(messageOf([base64])).not.toContain(base64.slice(0, 8));
  expect(messageOf([bytes])).toContain('keys[0]');
});
