/**
 * What a caller can do about a failure.
 *
 * - `reauthentication_required`: the user must sign in again.
 * - `consent_required`: the user must agree to something first.
 * - `misconfigured`: somebody must change a setting; asking again does not help.
 * - `denied`: policy says no.
 * - `unavailable`: may pass; a later try can succeed.
 */
export type FailureClass =
  | 'reauthentication_required'
  | 'consent_required'
  | 'misconfigured'
  | 'denied'
  | 'unavailable';

/** Every code an {@link OnbehalfError} can carry. */
export type ErrorCode =
  | 'subject_missing'
  | 'subject_malformed'
  | 'subject_expired'
  | 'actor_unavailable'
  | 'actor_expired'
  | 'actor_not_permitted'
  | 'client_auth_unavailable'
  | 'delegation_missing'
  | 'delegation_ended'
  | 'capacity_exceeded'
  | 'deadline_exceeded'
  | 'exchange_unsupported'
  | 'insecure_url'
  | 'sts_unreachable'
  | 'sts_timeout'
  | 'sts_circuit_open'
  | 'sts_error'
  | 'sts_invalid_response'
  | 'sts_metadata_invalid'
  | 'issued_token_rejected'
  | 'token_not_ready'
  | 'url_not_pinned'
  | 'server_rejected_token'
  | 'insufficient_scope'
  | 'server_unreachable'
  | 'server_failed'
  | 'resource_metadata_invalid'
  | 'toolset_unregistered'
  | 'toolset_unsupported'
  | 'peer_missing';

/** Facts about a failure that are safe to print: none of them can hold a token or a secret. */
export interface OnbehalfErrorOptions {
  /** What the caller can do about it. */
  readonly failure: FailureClass;
  /** HTTP status that led here, if one did. */
  readonly status?: number | undefined;
  /** `error` of an OAuth error response (RFC 6749 section 5.2), redacted. */
  readonly oauthError?: string | undefined;
  /** How long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** Claims that the STS wants the user's next sign-in to meet, JSON; pass it to the identity provider as `claims`. */
  readonly claimsChallenge?: string | undefined;
  /** A page about the failure, for the user to open: `error_uri` of an OAuth error response (RFC 6749 section 5.2), if it is https. */
  readonly errorUri?: string | undefined;
  /** Whether the same request can succeed later by itself. Default: for `unavailable` only. */
  readonly retryable?: boolean | undefined;
  /** A cause that is safe to print. Never pass what a library threw: it can hold the request. */
  readonly cause?: Error | undefined;
}

/**
 * The one error of this package. `code` says what happened, `failure` what can be done about it.
 * No instance ever holds a token, a secret or an assertion, so it may be logged as it is.
 */
export class OnbehalfError extends Error {
  /** Tells it from other errors where `instanceof` cannot. */
  override readonly name = 'OnbehalfError';
  /** What happened. */
  readonly code: ErrorCode;
  /** What can be done about it. */
  readonly failure: FailureClass;
  /** HTTP status that led here. */
  declare readonly status: number | undefined;
  /** `error` of an OAuth error response, redacted. */
  declare readonly oauthError: string | undefined;
  /** How long the other side asked us to wait, in milliseconds. */
  declare readonly retryAfterMs: number | undefined;
  /** Claims that the STS wants the user's next sign-in to meet, JSON; pass it to the identity provider as `claims`. */
  declare readonly claimsChallenge: string | undefined;
  /** A page about the failure, for the user to open: `error_uri` of an OAuth error response (RFC 6749 section 5.2), if it is https. */
  declare readonly errorUri: string | undefined;
  /** Whether the same request may be made again later, and can succeed then, without anybody changing anything. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: OnbehalfErrorOptions) {
    super(message, options.cause && { cause: options.cause });
    this.code = code;
    this.failure = options.failure;
    this.retryable = options.retryable ?? options.failure === 'unavailable';
    // What is not known is no property, or every log line would have it as undefined.
    const { status, oauthError, retryAfterMs, claimsChallenge, errorUri } = options;
    if (status !== undefined) this.status = status;
    if (oauthError !== undefined) this.oauthError = oauthError;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
    if (claimsChallenge !== undefined) this.claimsChallenge = claimsChallenge;
    if (errorUri !== undefined) this.errorUri = errorUri;
  }
}

/** Tells an {@link OnbehalfError} from other errors, also across two copies of this package. */
export function isOnbehalfError(error: unknown): error is OnbehalfError {
  return error instanceof Error && error.name === 'OnbehalfError' && 'code' in error && 'failure' in error;
}

/** An error and the causes behind it, nearest first, as far as they are errors; not deeper than anybody wraps. */
export function* causes(error: unknown): Generator<Error, void, undefined> {
  for (let current = error, depth = 0; depth < 4 && current instanceof Error; depth++) {
    yield current;
    current = current.cause;
  }
}

/** The system error code (`ECONNREFUSED`, ...) behind a failed `fetch`, and nothing else of it. */
export function networkCause(error: unknown): Error | undefined {
  for (const cause of causes(error)) {
    const { code } = cause as { code?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code)) return new Error(code);
  }
  return undefined;
}
