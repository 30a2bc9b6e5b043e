import { checkOptions } from '../core/options.ts';

/** A key that values are sealed with. */
export interface RedisStoreKey {
  /** Its name, the same at every replica. It is stored beside the values. 1 to 32 of `A-Z a-z 0-9 _ -`. */
  readonly id: string;
  /** 32 random bytes: as they are, or as base64, base64url or hex. `openssl rand -base64 32` makes some. */
  readonly key: Uint8Array | string;
}

/** A {@link RedisStoreKey} that was checked. */
export interface CheckedKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

const LENGTH = 32;

/**
 * Checks the keys of a store. No message holds any part of one.
 *
 * @throws TypeError that names the one that is wrong
 */
export function checkKeys(keys: unknown): readonly [CheckedKey, ...CheckedKey[]] {
  if (!Array.isArray(keys)) throw new TypeError('"keys" must be a list of { id, key }');
  const [first, ...others] = keys.map(checkKey);
  if (first === undefined) throw new TypeError('"keys" is empty; the first of it seals what is stored');
  const checked = [first, ...others] as const;
  checked.forEach((one, index) => {
    for (const earlier of checked.slice(0, index)) assertDifferent(one, earlier);
  });
  return checked;
}

function checkKey(entry: unknown, index: number): CheckedKey {
  const at = `keys[${index}]`;
  checkOptions(entry, at, { id: 'text', key: 'any' });
  const { id, key } = entry as RedisStoreKey;
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(id)) {
    throw new TypeError(`"id" of ${at} must be 1 to 32 letters, digits, "_" or "-"`);
  }
  // A file ends with a line break.
  const bytes = typeof key === 'string' ? decode(key.replace(/[\r\n]+$/, '')) : key;
  if (!(bytes instanceof Uint8Array) || bytes.length !== LENGTH) {
    throw new TypeError(`"key" of ${at} must be ${LENGTH} bytes: a Uint8Array, or base64, base64url or hex`);
  }
  return { id, bytes };
}

function assertDifferent(one: CheckedKey, earlier: CheckedKey): void {
  if (one.id === earlier.id) throw new TypeError(`"keys" has the id "${one.id}" twice`);
  if (Buffer.compare(one.bytes, earlier.bytes) === 0) {
    throw new TypeError(`"keys" has one key under two ids, "${earlier.id}" and "${one.id}"`);
  }
}

function decode(text: string): Uint8Array | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  // Node skips what is not base64; a slip of the pen must not become another key.
  const isBase64 = /^[A-Za-z0-9+/]{43}=?$/.test(text) || /^[A-Za-z0-9_-]{43}=?$/.test(text);
  return isBase64 ? Buffer.from(text, 'base64') : undefined;
}
