import { parseUrl } from '../core/url.ts';

/** What a refused request is told of the way in (RFC 6750 section 3). */
export interface ChallengeOptions {
  /** `realm` of the challenge: what the token is for, to be shown. Default: none. */
  readonly realm?: string | undefined;
  /** `scope` of the challenge: the scopes that a token for this needs, space-separated. Default: none. */
  readonly scope?: string | undefined;
  /** URL of this resource's metadata (RFC 9728 section 5.1); MCP clients find their way to sign in by it. Default: none. */
  readonly resourceMetadata?: string | URL | undefined;
}

/** Why a request does not get to its handler. */
export type RefusalReason =
  | 'unauthenticated'
  | 'invalid_request'
  | 'invalid_token'
  | 'expired_token'
  | 'busy'
  | 'unavailable';

/** The answer that a request gets instead of its handler's. Nothing of the request is in it. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const ANSWERS: Readonly<
  Record<RefusalReason, readonly [status: number, error: string, description: string]>
> = {
  unauthenticated: [401, 'unauthorized', 'a bearer token is needed in the Authorization header'],
  invalid_request: [400, 'invalid_request', 'the Authorization header must hold one bearer token, once'],
  invalid_token: [401, 'invalid_token', 'the access token is malformed or not valid'],
  expired_token: [401, 'invalid_token', 'the access token has expired'],
  busy: [503, 'temporarily_unavailable', 'too many requests are under way'],
  unavailable: [503, 'temporarily_unavailable', 'the access token cannot be checked now'],
};

/** What may stand in a quoted string without an escape, which not every client knows to undo (RFC 6749 appendix A). */
const QUOTABLE = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * The answers to refused requests, by why.
 *
 * @throws TypeError when an option cannot stand in a header
 */
export function createRefusals(options: ChallengeOptions): Readonly<Record<RefusalReason, Refusal>> {
  const parameters = parametersOf(options);
  const refusal = (reason: RefusalReason): Refusal => {
    const [status, error, description] = ANSWERS[reason];
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'cache-control': 'no-store',
    };
    // A client that sent no token has made no error (RFC 6750 section 3.1).
    const told = {
      ...parameters,
      ...(reason !== 'unauthenticated' && { error, error_description: description }),
    };
    if (status < 500) headers['www-authenticate'] = challenge(told);
    if (reason === 'busy') headers['retry-after'] = '1';
    return { status, headers, body: JSON.stringify({ error, error_description: description }) };
  };
  return {
    unauthenticated: refusal('unauthenticated'),
    invalid_request: refusal('invalid_request'),
    invalid_token: refusal('invalid_token'),
    expired_token: refusal('expired_token'),
    busy: refusal('busy'),
    unavailable: refusal('unavailable'),
  };
}

function parametersOf({
  realm,
  scope,
  resourceMetadata,
}: ChallengeOptions): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries({ realm, scope })) {
    if (value !== undefined && !QUOTABLE.test(value)) {
      throw new TypeError(`"${name}" must be of printable ASCII without quotation marks and backslashes`);
    }
  }
  const url = resourceMetadata === undefined ? undefined : parseUrl(String(resourceMetadata));
  if (resourceMetadata !== undefined && !/^https?:$/.test(url?.protocol ?? '')) {
    throw new TypeError('"resourceMetadata" must be an absolute https URL');
  }
  return {
    ...(realm !== undefined && { realm }),
    ...(scope !== undefined && { scope }),
    ...(url && { resource_metadata: url.href }),
  };
}

function challenge(parameters: Readonly<Record<string, string>>): string {
  const list = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  return `Bearer ${list.join(', ')}`.trim();
}
