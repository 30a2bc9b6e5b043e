import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { CheckedKey } from './store-key.ts';

/** What one key does: it names values, seals them and opens them. */
export interface Sealer {
  /** The name of a store key in Redis. Who has not the key can neither tell it nor confirm a guess. */
  name(storeKey: string): string;
  /**
   * Encrypts a value for that name and until that time, in milliseconds since the epoch:
   * `v1.<key id>.<base64url of nonce, ciphertext and tag>`.
   */
  seal(name: string, value: string, until: number): string;
  /** What was sealed; `undefined` when it was not with this key for this name, was changed, or its time is over. */
  open(name: string, sealed: string, now: number): Opened | undefined;
}

/** A value, and when its time is over. */
export interface Opened {
  readonly value: string;
  readonly until: number;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const TIME_BYTES = 8;

/** @param prefix - what names begin with */
export function createSealer({ id, bytes }: CheckedKey, prefix: string): Sealer {
  // One key for each purpose (RFC 5869), so that neither use can tell anything that helps against the other.
  const namingKey = derive(bytes, 'name');
  const sealingKey = derive(bytes, 'seal');
  const header = `v1.${id}.`;
  // Version, key and name are authenticated: a value that was copied to another name opens nowhere.
  const options = { authTagLength: TAG_BYTES } as const;
  const associated = (name: string): Buffer => Buffer.from(header + name);

  return {
    name: (storeKey) => prefix + createHmac('sha256', namingKey).update(storeKey).digest('base64url'),

    seal(name, value, until) {
      const time = Buffer.alloc(TIME_BYTES);
      time.writeDoubleBE(until);
      // Random, as replicas cannot count together. Two equal ones under a key would be fatal: NIST SP 800-38D
      // section 8.3 allows 2^32 values (then one chance in 2^32), at 100 a second 16 months: rotate earlier.
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, sealingKey, nonce, options).setAAD(associated(name));
      const text = Buffer.concat([cipher.update(time), cipher.update(value, 'utf8'), cipher.final()]);
      return header + Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64url');
    },

    open(name, sealed, now) {
      if (!sealed.startsWith(header)) return undefined;
      const body = sealed.slice(header.length);
      const box = Buffer.from(body, 'base64url');
      // Node skips what is not base64url: only the one spelling that we write is ours.
      if (box.toString('base64url') !== body) return undefined;
      try {
        const decipher = createDecipheriv(CIPHER, sealingKey, box.subarray(0, NONCE_BYTES), options)
          .setAAD(associated(name))
          .setAuthTag(box.subarray(-TAG_BYTES));
        const text = Buffer.concat([
          decipher.update(box.subarray(NONCE_BYTES, -TAG_BYTES)),
          decipher.final(),
        ]);
        const until = text.readDoubleBE();
        return until > now ? { value: text.toString('utf8', TIME_BYTES), until } : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

function derive(bytes: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', bytes, '', `onbehalf/redis v1 ${purpose}`, 32));
}
