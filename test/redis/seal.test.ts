import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSealer, type Sealer } from '../../src/redis/seal.ts';
import { nameOf, openSealed } from './oracle.ts';

const PREFIX = 'test:';
const NOW = 1_000_000;
const UNTIL = NOW + 60_000;

const bytes = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const sealer = createSealer({ id: 'k1', bytes }, PREFIX);
const name = sealer.name('key');
const text = fc.string({ unit: 'binary' });

/** Every text that differs from this in one bit of one character. */
function* flips(sealed: string): Generator<string> {
  for (let at = 0; at < sealed.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = String.fromCharCode(sealed.charCodeAt(at) ^ (1 << bit));
      yield sealed.slice(0, at) + changed + sealed.slice(at + 1);
    }
  }
}

test('what is sealed opens under its name until its time is over', () => {
  fc.assert(
    fc.property(text, text, (key, value) => {
      const sealed = sealer.seal(sealer.name(key), value, UNTIL);
      expect(sealer.open(sealer.name(key), sealed, UNTIL - 1)).toEqual({ value, until: UNTIL });
      expect(sealer.open(sealer.name(key), sealed, UNTIL)).toBeUndefined();
    }),
  );
});

test('a value of which one bit was changed does not open', () => {
  for (const value of ['', 'a', 'ab', 'a value']) {
    const sealed = sealer.seal(name, value, UNTIL);
    for (const changed of flips(sealed)) expect(sealer.open(name, changed, NOW)).toBeUndefined();
  }
});

test('a value that was cut short or made longer does not open', () => {
  const sealed = sealer.seal(name, 'a value', UNTIL);
  for (let length = 0; length < sealed.length; length++) {
    expect(sealer.open(name, sealed.slice(0, length), NOW)).toBeUndefined();
  }
  for (const more of ['A', 'AAAA', '=', ' ', '\n', '.', '.AAAA']) {
    expect(sealer.open(name, sealed + more, NOW)).toBeUndefined();
  }
});

test('no text that was not sealed opens', () => {
  const body = fc.uint8Array({ maxLength: 80 }).map((each) => Buffer.from(each).toString('base64url'));
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        body,
        body.map((each) => `v1.k1.${each}`),
      ),
      (planted) => {
        expect(sealer.open(name, planted, NOW)).toBeUndefined();
      },
    ),
  );
});

test('a value opens under no other name, with no other key, and under no other id or prefix', () => {
  const sealed = sealer.seal(name, 'a value', UNTIL);
  const relabelled = sealed.replace('v1.k1.', 'v1.k2.');
  const other = (id: string, key: Uint8Array, prefix = PREFIX): Sealer =>
    createSealer({ id, bytes: key }, prefix);
  expect(sealer.open(sealer.name('other'), sealed, NOW)).toBeUndefined();
  expect(other('k1', randomBytes(32)).open(name, sealed, NOW)).toBeUndefined();
  expect(other('k2', bytes).open(name, sealed, NOW)).toBeUndefined();
  expect(other('k2', bytes).open(name, relabelled, NOW)).toBeUndefined();
  expect(other('k', bytes).open(name, sealed, NOW)).toBeUndefined();
  const moved = other('k1', bytes, 'moved:');
  expect(moved.open(moved.name('key'), sealed, NOW)).toBeUndefined();
});

test('a value is sealed otherwise each time, its name is always the same', () => {
  const sealed = Array.from({ length: 100 }, () => sealer.seal(name, 'a value', UNTIL));
  expect(new Set(sealed).size).toBe(100);
  // Not the nonce alone: equal text must never show as equal.
  expect(new Set(sealed.map((each) => each.slice(-22))).size).toBe(100);
  expect(createSealer({ id: 'other id', bytes }, PREFIX).name('key')).toBe(name);
});

test('names and values are as another implementation makes and opens them', async () => {
  const samples = fc.sample(fc.tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), text, text), 20);
  for (const [key, storeKey, value] of samples) {
    const ours = createSealer({ id: 'k-1_Z', bytes: key }, PREFIX);
    expect(await nameOf(key, PREFIX, storeKey)).toBe(ours.name(storeKey));
    const sealed = ours.seal(ours.name(storeKey), value, UNTIL + 0.5);
    expect(await openSealed(key, ours.name(storeKey), sealed)).toEqual({ value, until: UNTIL + 0.5 });
  }
});

test('what the first version sealed opens for good', () => {
  const first = createSealer({ id: 'k1', bytes }, 'onbehalf:');
  expect(first.name('key')).toBe('onbehalf:v5m4sIGD7D9vYOxPXuKjukHKZfVTxpFpgWUxQXwnqxQ');
  const sealed =
    'v1.k1.8QvUMgYCof0djB22Z1sNAawADLcCg4WKDw4akzb7W0ONp32rvMvAUfESHhZtrE3dHLz79Q0-5jd1fIyucRbGqg';
  expect(first.open(first.name('key'), sealed, NOW)?.value).toBe('kept since the first version');
});
