const SEGMENTS = /^([\w-]+)\.([\w-]+)\.[\w-]+$/;

/**
 * Whether text has the form of a signed JWT (RFC 7519 section 3): what is cut off in its header or payload has not. What
 * it says is not looked at, and its signature is not verified.
 */
export function isWholeJwt(text: string): boolean {
  const [, header, payload] = SEGMENTS.exec(text) ?? [];
  return holdsObject(header) && holdsObject(payload);
}

function holdsObject(segment: string | undefined): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment ?? '', 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
