import { createHmac, randomBytes } from 'node:crypto';

/** Everything that separates one token from another. Two keys are equal only if all of it is. */
export interface KeyParts {
  readonly tenant: string;
  readonly generation: string;
  /** Names of the profile, and of the dialects. */
  readonly profile: readonly string[];
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
  /** Token endpoint and client of the resource's authorization server; empty without one. */
  readonly authorizationServer: readonly string[];
  /** What was not checked: a token that passed fewer checks is not one that passed all. */
  readonly unchecked: readonly string[];
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
        encode(parts.profile),
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
        encode(parts.authorizationServer),
        encode(parts.unchecked),
      ),
  };
}

/**
 * Digests that are the same in every process, for keys in a shared store. What goes in holds the digest of a subject
 * token, which nobody can guess, so nothing can be tried out against them; a store should still key them once more.
 */
export const SHARED_KEYRING: Keyring = createKeyring(Buffer.from('onbehalf shared store v1'));
