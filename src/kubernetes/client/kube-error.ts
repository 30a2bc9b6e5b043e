/**
 * Why a request failed: `reason` of the API's Status (`NotFound`, `AlreadyExists`, `Conflict`, `Forbidden`,
 * `Unauthorized`, `Invalid`, `TooManyRequests`, ...), or one of ours:
 *
 * - `Expired`: the resource version is not known (any more); list again. All answers 410 have it.
 * - `NamespaceTerminating`: nothing is made in this namespace any more; the API says `Forbidden`, and this as its cause.
 * - `UnknownResource`: 404 that is not about an object: the API server does not serve such a resource (yet).
 * - `Unreachable`: no answer, or a broken one.
 * - `TimedOut`: no whole answer in time.
 * - `TooLarge`: the answer is larger than what is read.
 * - `Malformed`: the answer is not what the API promises.
 */
export type KubeReason = string;

/** Facts about a failed request. */
export interface KubeErrorOptions {
  /** HTTP status; 0 where there was no answer. */
  readonly code: number;
  readonly reason: KubeReason;
  /** How long the API server asked to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** A cause that is safe to print. */
  readonly cause?: Error | undefined;
}

/** A failed request to the Kubernetes API. It repeats no token, and of a Secret no value. */
export class KubeError extends Error {
  /** Tells it from other errors where `instanceof` cannot. */
  override readonly name = 'KubeError';
  /** HTTP status; 0 where there was no answer. */
  readonly code: number;
  /** Why, in one word. */
  readonly reason: KubeReason;
  /** How long the API server asked to wait, in milliseconds. */
  declare readonly retryAfterMs: number | undefined;

  constructor(message: string, { code, reason, retryAfterMs, cause }: KubeErrorOptions) {
    super(message, cause && { cause });
    this.code = code;
    this.reason = reason;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}

/** Tells a {@link KubeError}, with this reason if one is given. */
export function isKubeError(error: unknown, reason?: KubeReason): error is KubeError {
  return error instanceof KubeError && (reason === undefined || error.reason === reason);
}
