/** A JWT taken apart, not verified. */
export interface JwtParts {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

const SEGMENTS = /^([\w-]+)\.([\w-]+)\.[\w-]+$/;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Takes a signed JWT apart (RFC 7519 section 7.2, steps 1 to 6). Its signature is not verified.
 *
 * @returns `undefined` when it has not the form of one; what is cut off in its header or payload has not
 */
export function decodeJwt(text: string): JwtParts | undefined {
  const [, header, payload] = SEGMENTS.exec(text) ?? [];
  const parts = { header: object(header), payload: object(payload) };
  return parts.header && parts.payload ? (parts as JwtParts) : undefined;
}

/** Whether text has the form of a signed JWT. */
export function isWholeJwt(text: string): boolean {
  return decodeJwt(text) !== undefined;
}

/**
 * Whether text was to be a JWT and is none: cut, changed on its way, or unsigned. It must not pass as an opaque token, in
 * which nothing can be checked. (One of five parts is encrypted, and opaque by right.)
 */
export function isDamagedJwt(text: string): boolean {
  const [header = '', ...rest] = text.split('.');
  const begins = Buffer.from(header, 'base64url').toString().trimStart().startsWith('{');
  return rest.length === 2 && begins && !isWholeJwt(text);
}

function object(segment: string | undefined): Record<string, unknown> | undefined {
  // One letter over is no byte (RFC 4648 section 5).
  if (segment === undefined || segment.length % 4 === 1) return undefined;
  try {
    const value: unknown = JSON.parse(utf8.decode(Buffer.from(segment, 'base64url')));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
