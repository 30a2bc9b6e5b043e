import { webcrypto } from 'node:crypto';

/**
 * What is stored, told once more from its description and with the other API for cryptography that Node has, so that
 * a slip in either shows. `oracle.test.ts` holds it against published vectors.
 */
const { subtle } = webcrypto;

/** HKDF with SHA-256 (RFC 5869). */
export async function hkdf(
  key: Uint8Array,
  { salt, info, length }: { salt: Uint8Array; info: Uint8Array; length: number },
): Promise<Uint8Array> {
  const imported = await subtle.importKey('raw', key, 'HKDF', false, ['deriveBits']);
  return new Uint8Array(
    await subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, imported, 8 * length),
  );
}

/** HMAC with SHA-256 (RFC 2104). */
export async function hmac(key: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await subtle.importKey('raw', key, algorithm, false, ['sign']);
  return new Uint8Array(await subtle.sign('HMAC', imported, data));
}

/** AES-256-GCM; the tag is at the end of `box`. */
export async function openGcm(
  key: Uint8Array,
  { nonce, associated, box }: { nonce: Uint8Array; associated: Uint8Array; box: Uint8Array },
): Promise<Uint8Array> {
  const imported = await subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
  const algorithm = { name: 'AES-GCM', iv: nonce, additionalData: associated, tagLength: 128 };
  return new Uint8Array(await subtle.decrypt(algorithm, imported, box));
}

const subkey = (key: Uint8Array, purpose: string): Promise<Uint8Array> =>
  hkdf(key, { salt: Buffer.alloc(0), info: Buffer.from(`onbehalf/redis v1 ${purpose}`), length: 32 });

/** The name of a store key in Redis. */
export async function nameOf(key: Uint8Array, prefix: string, storeKey: string): Promise<string> {
  const digest = await hmac(await subkey(key, 'name'), Buffer.from(storeKey));
  return prefix + Buffer.from(digest).toString('base64url');
}

/** Opens a sealed value: the time is its first eight bytes, a big-endian double. */
export async function openSealed(
  key: Uint8Array,
  name: string,
  sealed: string,
): Promise<{ until: number; value: string }> {
  const [version, id, body = ''] = sealed.split('.');
  const bytes = Buffer.from(body, 'base64url');
  const text = await openGcm(await subkey(key, 'seal'), {
    nonce: bytes.subarray(0, 12),
    associated: Buffer.from(`${version}.${id}.${name}`),
    box: bytes.subarray(12),
  });
  return { until: Buffer.from(text).readDoubleBE(), value: Buffer.from(text).toString('utf8', 8) };
}
