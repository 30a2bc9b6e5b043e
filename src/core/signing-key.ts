import { createPrivateKey, type KeyObject } from 'node:crypto';
import { types } from 'node:util';
import type { CryptoKey } from 'jose';
import { assertSecretSource, authUnavailable, readSecret, type SecretSource } from './secret.ts';

/** By kind of key, the JWS algorithms it can sign with (RFC 7518 section 3.1, RFC 8037, RFC 9864); the first is the default. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
  ed25519: ['Ed25519', 'EdDSA'],
};
/** Every JWS algorithm that a key given as text can be used with. */
export const SIGNING_ALGORITHMS: readonly string[] = Object.values(ALGORITHMS).flat();

const WHAT = '"clientAuth.privateKey"';
/** RFC 7518 sections 3.3 and 3.5. */
const MIN_RSA_BITS = 2048;

/** A key that signs client assertions, with what their header says of it. */
export interface SigningKey {
  readonly key: CryptoKey;
  readonly algorithm?: string | undefined;
  readonly keyId?: string | undefined;
}

/** Gives the key as it is now. */
export type SigningKeySource = (signal?: AbortSignal) => Promise<SigningKey>;

interface ParsedKey {
  readonly key: KeyObject;
  readonly algorithm: string;
  readonly keyId: string | undefined;
}

/**
 * Gives a signing key from what the user set. Text is imported again only when it is another text than before.
 *
 * @param algorithm - for a key given as text, when it does not tell or should be another
 * @throws TypeError unless the key, as far as it is known by now, can sign
 */
export function signingKeySource(
  privateKey: CryptoKey | SecretSource,
  algorithm: string | undefined,
): SigningKeySource {
  if (types.isCryptoKey(privateKey)) {
    const key = privateKey as CryptoKey;
    assertCanSign(key);
    if (algorithm !== undefined) {
      throw new TypeError('"clientAuth.algorithm" is for a key given as text; a CryptoKey has its own');
    }
    return async () => ({ key });
  }
  const source: unknown = privateKey;
  assertSecretSource(source, 'clientAuth.privateKey');
  const problem = typeof source === 'string' ? parse(source, algorithm) : undefined;
  if (typeof problem === 'string') throw new TypeError(problem);
  let last: { readonly text: string; readonly key: Promise<SigningKey> } | undefined;
  return async (signal) => {
    const text = await readSecret(source, 'clientAuth.privateKey', signal);
    if (last?.text !== text) last = { text, key: imported(text, algorithm) };
    return last.key;
  };
}

async function imported(text: string, wanted: string | undefined): Promise<SigningKey> {
  const parsed = parse(text, wanted);
  // Whoever writes a file in place may have written a part of it.
  if (typeof parsed === 'string') throw authUnavailable(parsed, isWhole(text) ? 'misconfigured' : undefined);
  const { key, algorithm, keyId } = parsed;
  const { importPKCS8 } = await import('jose/key/import');
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { key: await importPKCS8(pem, algorithm), algorithm, keyId };
}

/** @returns what is wrong with it when it is no key for signing; nothing of its text */
function parse(text: string, wanted: string | undefined): ParsedKey | string {
  const read = readKey(text);
  if (!read) return `${WHAT} must be a private key as PEM without a passphrase, or as JWK`;
  const { key, jwk } = read;
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  const possible = ALGORITHMS[namedCurve ?? key.asymmetricKeyType ?? ''] ?? [];
  if (possible.length === 0) return `${WHAT} must be an RSA, P-256, P-384, P-521 or Ed25519 key`;
  if (isTooShort(modulusLength)) return `${WHAT} must have ${MIN_RSA_BITS} bits or more`;
  const algorithm = wanted ?? jwk?.alg ?? possible[0];
  if (!possible.includes(algorithm as string)) {
    return `${WHAT} is a key for ${possible.join(', ')}; its "alg" or "clientAuth.algorithm" is another`;
  }
  return {
    key,
    algorithm: algorithm as string,
    keyId: typeof jwk?.kid === 'string' ? jwk.kid : undefined,
  };
}

function readKey(text: string): { key: KeyObject; jwk?: { alg?: unknown; kid?: unknown } } | undefined {
  try {
    if (!isJwk(text)) return { key: createPrivateKey(text) };
    const jwk = JSON.parse(text);
    return { key: createPrivateKey({ key: jwk, format: 'jwk' }), jwk };
  } catch {
    return undefined;
  }
}

const isJwk = (text: string): boolean => text.trimStart().startsWith('{');
const isTooShort = (bits: number | undefined): boolean => bits !== undefined && bits < MIN_RSA_BITS;

function isWhole(text: string): boolean {
  return isJwk(text) ? text.trimEnd().endsWith('}') : /-----END [A-Z ]+-----\s*$/.test(text);
}

function assertCanSign(key: CryptoKey): void {
  const { modulusLength } = key.algorithm as { modulusLength?: number };
  if (key.type !== 'private' || !key.usages.includes('sign') || isTooShort(modulusLength)) {
    throw new TypeError(
      `${WHAT} must be a private CryptoKey for signing, RSA of ${MIN_RSA_BITS} bits or more`,
    );
  }
}
