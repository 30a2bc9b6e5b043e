import { createHmac, randomBytes } from 'node:crypto';

/** Everything that separates one token from another. Two keys are equal only if all of it is. */
export interface KeyParts {
  readonly tenant: string;
  readonly generation: string;
  readonly profile: string;
  /** Which runs share: one run group under `run` retention, empty under `subject` retention. */
  readonly group: string;
  readonly subjectDigest: string;
  readonly subjectTokenType: string;
  /** Who acts, not the bytes of its token: a rotated actor token is no miss. Empty: no actor. */
  readonly actorIdentity: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly audiences: readonly string[];
  readonly resources: readonly string[];
  /** Sorted. */
  readonly scopes: readonly string[];
  readonly requestedTokenType: string | undefined;
}

/** Makes keys and digests under one secret, so that neither tells anything about a token. */
export interface Keyring {
  /** The key of a token in a store. */
  key(parts: KeyParts): string;
  /** A digest of any values, in order. */
  digest(...values: readonly string[]): string;
}

/** Length before content: no choice of values can make two different lists read the same. */
const prefixed = (value: string): string => `${Buffer.byteLength(value)}:${value}`;
const encode = (values: readonly string[]): string => `${values.length};${values.map(prefixed).join('')}`;

/** @param secret - of the keyed hash (HMAC-SHA-256). Default: random, so that keys mean nothing to another process */
export function createKeyring(secret: Uint8Array = randomBytes(32)): Keyring {
  const digest = (...values: readonly string[]): string =>
    createHmac('sha256', secret).update(encode(values)).digest('base64url');
  return {
    digest,
    key: (parts) =>
      digest(
        parts.tenant,
        parts.generation,
        parts.profile,
        parts.group,
        parts.subjectDigest,
        parts.subjectTokenType,
        parts.actorIdentity,
        parts.tokenEndpoint,
        parts.clientId,
        encode(parts.audiences),
        encode(parts.resources),
        encode(parts.scopes),
        encode(parts.requestedTokenType === undefined ? [] : [parts.requestedTokenType]),
      ),
  };
}
