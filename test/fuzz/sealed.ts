import fc from 'fast-check';

/** How a sealed value is changed by somebody who can write to the store, and has another one at hand. */
export interface Tampering {
  readonly kind: keyof typeof KINDS;
  /** Where, as a part of the length. */
  readonly at: number;
  readonly text: string;
}

type Tamper = (sealed: string, other: string, at: number, text: string) => string;

const headOf = (sealed: string): string => sealed.slice(0, sealed.lastIndexOf('.') + 1);
const bodyOf = (sealed: string): string => sealed.slice(sealed.lastIndexOf('.') + 1);
const bytesOf = (sealed: string): Buffer => Buffer.from(bodyOf(sealed), 'base64url');
const withBytes = (sealed: string, bytes: Buffer): string => headOf(sealed) + bytes.toString('base64url');

const KINDS = {
  none: (sealed) => sealed,
  'another one': (_, other) => other,
  'a bit is turned': (sealed, _, at) => {
    const bytes = bytesOf(sealed);
    bytes.writeUInt8(bytes.readUInt8(at % bytes.length) ^ (1 << (at % 8)), at % bytes.length);
    return withBytes(sealed, bytes);
  },
  'a letter is another': (sealed, _, at, text) =>
    sealed.slice(0, at) + text.slice(0, 1) + sealed.slice(at + 1),
  'something is put in': (sealed, _, at, text) => sealed.slice(0, at) + text + sealed.slice(at),
  'something is taken out': (sealed, _, at, text) => sealed.slice(0, at) + sealed.slice(at + 1 + text.length),
  cut: (sealed, _, at) => sealed.slice(0, at),
  'the beginning is cut': (sealed, _, at) => sealed.slice(at),
  'the end of another': (sealed, other, at) =>
    withBytes(sealed, Buffer.concat([bytesOf(sealed).subarray(0, at), bytesOf(other).subarray(at)])),
  'the nonce of another': (sealed, other) =>
    withBytes(sealed, Buffer.concat([bytesOf(other).subarray(0, 12), bytesOf(sealed).subarray(12)])),
  'the tag of another': (sealed, other) =>
    withBytes(sealed, Buffer.concat([bytesOf(sealed).subarray(0, -16), bytesOf(other).subarray(-16)])),
  'the head of another': (sealed, other) => headOf(other) + bodyOf(sealed),
  'a shorter tag': (sealed) => withBytes(sealed, bytesOf(sealed).subarray(0, -12)),
  'no text': (sealed) =>
    withBytes(sealed, Buffer.concat([bytesOf(sealed).subarray(0, 12), bytesOf(sealed).subarray(-16)])),
  'twice over': (sealed) => sealed + sealed,
  'the body twice over': (sealed) => sealed + bodyOf(sealed),
  'spelt otherwise': (sealed) => sealed.replaceAll('-', '+').replaceAll('_', '/'),
  padded: (sealed) => `${sealed}=`,
  'white space behind': (sealed) => `${sealed}\n`,
  'other case': (sealed) => sealed.toUpperCase(),
  'another head': (sealed, _, __, text) => `v1.${text}.${bodyOf(sealed)}`,
  'another version': (sealed) => sealed.replace(/^v1/, 'v2'),
  'anything under a right head': (sealed, _, __, text) => headOf(sealed) + text,
  anything: (_, __, ___, text) => text,
} as const satisfies Readonly<Record<string, Tamper>>;

export const tampering: fc.Arbitrary<Tampering> = fc.record({
  kind: fc.oneof(
    { arbitrary: fc.constantFrom<keyof typeof KINDS>('none', 'another one'), weight: 1 },
    { arbitrary: fc.constantFrom(...(Object.keys(KINDS) as (keyof typeof KINDS)[])), weight: 4 },
  ),
  at: fc.nat({ max: 200 }),
  text: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.stringMatching(/^[\w-]{0,40}$/),
    fc.base64String({ maxLength: 60 }),
  ),
});

export function tampered(sealed: string, other: string, { kind, at, text }: Tampering): string {
  const tamper: Tamper = KINDS[kind];
  return tamper(sealed, other, at, text);
}
