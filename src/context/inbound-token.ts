import { bearerToken } from '../core/bearer.ts';
import { isOnbehalfError } from '../core/errors.ts';
import type { RefusalReason } from './inbound-refusal.ts';

/** The header fields of a request of node:http. */
interface NodeFields {
  readonly headers: { readonly authorization?: string | undefined };
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/**
 * The bearer token of a request (RFC 6750 section 2.1); or why there is none: no `Authorization` of the Bearer scheme, or
 * one that is not of one token.
 */
export function inboundToken(
  request: Request | NodeFields,
): { readonly token: string } | { readonly reason: 'unauthenticated' | 'invalid_request' } {
  const authorization = authorizationOf(request);
  const token = tokenOf(authorization);
  if (token !== undefined) return { token };
  return { reason: authorization ? 'invalid_request' : 'unauthenticated' };
}

/** The `Authorization` fields of a request, as one; empty without any of the Bearer scheme. */
function authorizationOf(request: Request | NodeFields): string {
  const value = 'rawHeaders' in request ? ofNode(request) : request.headers.get('authorization');
  return /^\s*bearer(\s|$)/i.test(value ?? '') ? (value as string) : '';
}

/** Of several fields node:http keeps the first, whatever a proxy before it went by; `Headers` joins them. */
function ofNode({ headers, rawHeaders }: NodeFields): string | undefined {
  const fields = rawHeaders.filter(
    (name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization',
  ).length;
  return fields > 1 ? 'Bearer' : headers.authorization;
}

/** The token, of the characters of one (RFC 6750 section 2.1), so not two that were joined by a comma. */
function tokenOf(authorization: string): string | undefined {
  try {
    const token = bearerToken(authorization);
    return token.includes(',') ? undefined : token;
  } catch {
    return undefined;
  }
}

/** Codes of `jose` that speak of the token, also of the key that it names or does not name; the others speak of the keys. */
const OF_THE_TOKEN =
  /^(ERR_(JWT|JWS|JWE)_\w+|ERR_JWKS_(NO|MULTIPLE)_MATCHING_KEYS?|ERR_JOSE_(ALG_NOT_ALLOWED|NOT_SUPPORTED)|invalid_token)$/;

/** Why a request is refused whose token met this error. */
export function reasonOf(error: unknown): RefusalReason {
  if (!(error instanceof Error)) return 'unavailable';
  const { code, errorCode } = error as { readonly code?: unknown; readonly errorCode?: unknown };
  if (code === 'subject_expired' || code === 'ERR_JWT_EXPIRED') return 'expired_token';
  if (isOnbehalfError(error)) {
    if (error.code === 'capacity_exceeded') return 'busy';
    return error.code.startsWith('subject_') ? 'invalid_token' : 'unavailable';
  }
  return [code, errorCode].some((each) => OF_THE_TOKEN.test(String(each))) ? 'invalid_token' : 'unavailable';
}
