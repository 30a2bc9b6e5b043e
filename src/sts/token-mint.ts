import { randomBytes, randomUUID } from 'node:crypto';
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';

/** Makes every token that leaves this server. */
export interface TokenMint {
  /** The signing key with its private part, for the provider's key store. */
  readonly privateJwk: JWK;
  /** What the JWKS endpoint serves. */
  readonly publicJwks: JSONWebKeySet;
  /** Signs claims as a JWT access token (RFC 9068), adding `jti`. */
  sign(claims: JWTPayload): Promise<string>;
  /** A random string that is no JWT. */
  opaque(): string;
}

/** @param onToken - sees every token made */
export async function createTokenMint(onToken: (token: string) => void = () => {}): Promise<TokenMint> {
  // ES256 rather than RS256: generating the key takes a millisecond, so tests can start a server each.
  const alg = 'ES256';
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const header = { alg, kid, typ: 'at+jwt' };

  const announced = (token: string): string => {
    onToken(token);
    return token;
  };
  return {
    privateJwk: { ...(await exportJWK(privateKey)), alg, kid, use: 'sig' },
    publicJwks: { keys: [{ ...publicJwk, alg, kid, use: 'sig' }] },
    sign: async (claims) => {
      const payload = { ...claims, jti: randomUUID() };
      return announced(await new SignJWT(payload).setProtectedHeader(header).sign(privateKey));
    },
    opaque: () => announced(randomBytes(32).toString('base64url')),
  };
}

/** Seconds since the epoch, as in `exp`. */
export function epochSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** `aud` as it goes into a token: a string when there is one (RFC 7519 section 4.1.3). */
export function audClaim(audiences: readonly string[]): string | string[] {
  const [only, ...others] = audiences;
  return only !== undefined && others.length === 0 ? only : [...audiences];
}
