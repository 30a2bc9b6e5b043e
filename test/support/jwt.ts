import { randomUUID } from 'node:crypto';

const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT that nobody signed: what this package reads of a token, it reads without verifying it. */
export function fakeJwt(claims: Readonly<Record<string, unknown>> = {}): string {
  const signature = Buffer.from(randomUUID()).toString('base64url');
  return `${segment({ alg: 'ES256', typ: 'at+jwt' })}.${segment(claims)}.${signature}`;
}

/** NumericDate (RFC 7519 section 2) of a time in milliseconds. */
export const seconds = (ms: number): number => Math.floor(ms / 1000);
