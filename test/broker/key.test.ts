import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createKeyring, type KeyParts } from '../../src/broker/key.ts';

/** Made of what lengths, separators and lists are written with, so that confusions are likely. */
const tricky = fc.oneof(
  fc.stringMatching(/^[ab:;01]{0,4}$/),
  fc.constantFrom(
    '',
    '0;',
    '1;1:a',
    '2;1:a1:b',
    '1:a',
    '1:a1:b',
    'a:1',
    'é',
    'e\u0301',
    '\u0000',
    '\u{1f5d3}',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const list = fc.array(tricky, { maxLength: 3 });

const parts: fc.Arbitrary<KeyParts> = fc.record({
  tenant: tricky,
  generation: tricky,
  profile: fc.array(tricky),
  group: tricky,
  subjectDigest: tricky,
  subjectTokenType: tricky,
  actorIdentity: tricky,
  tokenEndpoint: tricky,
  clientId: tricky,
  audiences: list,
  resources: list,
  scopes: list,
  requestedTokenType: fc.option(tricky, { nil: undefined }),
  authorizationServer: list,
  unchecked: list,
});

const NAMES = Object.keys(fc.sample(parts, 1)[0] ?? {}) as (keyof KeyParts)[];
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

test('equal parts have an equal key', () => {
  const keyring = createKeyring();
  fc.assert(
    fc.property(parts, (one) => {
      expect(keyring.key(structuredClone(one))).toBe(keyring.key(one));
    }),
  );
});

test.each(NAMES)('two requests that differ in %s alone have different keys', (name) => {
  const keyring = createKeyring();
  fc.assert(
    fc.property(parts, parts, (one, two) => {
      fc.pre(!same(one[name], two[name]));
      expect(keyring.key({ ...one, [name]: two[name] })).not.toBe(keyring.key(one));
    }),
  );
});

test('two requests that differ anywhere have different keys', () => {
  const keyring = createKeyring();
  fc.assert(
    fc.property(parts, parts, (one, two) => {
      expect(keyring.key(one) === keyring.key(two)).toBe(same(one, two));
    }),
    { numRuns: 1000 },
  );
});

/** The parts that are one text. */
const TEXTS = NAMES.slice(0, 9).filter((name) => name !== 'profile');

test('a value that moves from one part to its neighbour changes the key', () => {
  const keyring = createKeyring();
  fc.assert(
    fc.property(parts, fc.constantFrom(...TEXTS), fc.constantFrom(...TEXTS), (one, a, b) => {
      fc.pre(a !== b && one[a] !== '');
      const moved = { ...one, [a]: '', [b]: `${one[b]}${one[a]}` };
      expect(keyring.key(moved)).not.toBe(keyring.key(one));
      const swapped = { ...one, [a]: one[b], [b]: one[a] };
      expect(keyring.key(swapped) === keyring.key(one)).toBe(one[a] === one[b]);
    }),
  );
});

const ONE: KeyParts = {
  tenant: '',
  generation: '',
  profile: [],
  group: '',
  subjectDigest: '',
  subjectTokenType: '',
  actorIdentity: '',
  tokenEndpoint: '',
  clientId: '',
  audiences: [],
  resources: [],
  scopes: [],
  requestedTokenType: undefined,
  authorizationServer: [],
  unchecked: [],
};

test('no choice of values makes two lists read the same', () => {
  const keyring = createKeyring();
  const lists = [
    [],
    [''],
    ['', ''],
    ['a', 'b'],
    ['b', 'a'],
    ['ab'],
    ['a b'],
    ['a,b'],
    ['a:1'],
    ['a1:b'],
    ['a', 'b', ''],
    ['1:a1:b'],
    ['2;1:a1:b'],
    ['a', '1:b'],
    ['a\u0000b'],
    ['é'],
    ['e\u0301'],
    ['[1,2]'],
  ];
  const keys = lists.flatMap((values) => [
    keyring.key({ ...ONE, audiences: values }),
    keyring.key({ ...ONE, resources: values }),
    keyring.key({ ...ONE, scopes: values }),
    keyring.key({ ...ONE, authorizationServer: values }),
    keyring.key({ ...ONE, unchecked: values }),
  ]);
  // The five empty lists are the same request.
  expect(new Set(keys).size).toBe(keys.length - 4);
});

test('all short lists over the characters that separate have different digests', () => {
  const { digest } = createKeyring();
  const characters = ['', 'a', '1', ':', ';'];
  const strings = [...new Set(characters.flatMap((one) => characters.map((two) => one + two)))];
  const lists: string[][] = [[]];
  for (let length = 0; length < 3; length += 1) {
    const longest = lists.filter((values) => values.length === length);
    lists.push(...longest.flatMap((values) => strings.map((each) => [...values, each])));
  }
  expect(lists.length).toBeGreaterThan(9000);
  expect(new Set(lists.map((values) => digest(...values))).size).toBe(lists.length);
});

test('no requested type is not the same as an empty one', () => {
  const keyring = createKeyring();
  expect(keyring.key({ ...ONE, requestedTokenType: '' })).not.toBe(keyring.key(ONE));
});

test('keys and digests mean nothing to another process and show nothing', () => {
  const [one, other] = [createKeyring(), createKeyring()];
  expect(one.key(ONE)).not.toBe(other.key(ONE));
  expect(one.digest('token')).not.toBe(other.digest('token'));
  expect(one.digest('token')).toMatch(/^[\w-]{43}$/);
  const secret = new Uint8Array(32).fill(7);
  expect(createKeyring(secret).digest('token')).toBe(createKeyring(secret).digest('token'));
});

test('a digest is of the values in their order, and of how many there are', () => {
  const { digest } = createKeyring();
  fc.assert(
    fc.property(list, list, (one, two) => {
      expect(digest(...one) === digest(...two)).toBe(same(one, two));
    }),
  );
});
