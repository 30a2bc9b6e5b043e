import {
  causes,
  type ErrorCode,
  isOnbehalfError,
  networkCause,
  OnbehalfError,
  type OnbehalfErrorOptions,
} from '../core/errors.ts';
import type { McpServer } from './server.ts';

/** What a failed request was part of: opening a session, which does nothing yet, or a call in one. */
export type Stage = 'opening' | 'call';

/** Codes whose status is what an MCP server answered; that of any other is what the STS answered. */
const OF_SERVER: ReadonlySet<ErrorCode> = new Set([
  'server_rejected_token',
  'insufficient_scope',
  'server_unreachable',
  'server_failed',
]);

/**
 * HTTP status of the MCP server behind an error. The `code` of an SDK's error is another matter: that of a JSON-RPC
 * error is whatever the server likes, 404 included.
 */
export function httpStatus(error: unknown): number | undefined {
  for (const cause of causes(error)) {
    if (isOnbehalfError(cause)) return OF_SERVER.has(cause.code) ? cause.status : undefined;
    const { status } = cause as { status?: unknown };
    if (typeof status === 'number') return status;
  }
  return undefined;
}

/** The OnbehalfError in an error's chain of causes: an SDK may have wrapped it. */
export function findOnbehalfError(error: unknown): OnbehalfError | undefined {
  for (const cause of causes(error)) if (isOnbehalfError(cause)) return cause;
  return undefined;
}

/**
 * Says what went wrong at a server without repeating what the server said, which may hold its token.
 * An error of the MCP protocol itself (a JSON-RPC error) is an answer, so it is left to the caller: `undefined`.
 */
export function describeCallFailure(
  server: McpServer,
  error: unknown,
  stage: Stage = 'call',
): OnbehalfError | undefined {
  const isRpcError = typeof (error as { code?: unknown } | null)?.code === 'number';
  if (isRpcError && !findOnbehalfError(error) && httpStatus(error) === undefined) return undefined;
  return describeFetchFailure(server, error, stage);
}

/** The same for what a `fetch` threw, below the protocol: there a number as `code` is a DOMException's. */
export function describeFetchFailure(
  server: McpServer,
  error: unknown,
  stage: Stage = 'call',
): OnbehalfError {
  const ours = findOnbehalfError(error);
  if (ours) return ours;
  const status = httpStatus(error);
  return status === undefined
    ? noAnswer(server, networkCause(error)?.message, stage)
    : describeStatus(server, status, stage);
}

/** The same for an error status. */
export function describeStatus(server: McpServer, status: number, stage: Stage = 'call'): OnbehalfError {
  const [code, options] = meaningOf(status, stage);
  // A call was sent. Whether it was done, nobody here knows; to do it twice may be worse than not at all.
  const doubt = code === 'server_failed' && stage === 'call' && status !== 429 ? UNKNOWN_OUTCOME : '';
  return new OnbehalfError(code, `${server.name} answered with status ${status}${doubt}`, options);
}

/**
 * What may leave this package for an error of a call: one that an SDK made is described, or, after an abort, replaced
 * by the abort's reason. What the caller's own code threw is the caller's.
 */
export function outgoing(server: McpServer, error: unknown, signal: AbortSignal | undefined): unknown {
  if (![...causes(error)].some(({ name }) => SDK_ERRORS.has(name))) return error;
  if (signal?.aborted) return signal.reason;
  return describeCallFailure(server, error) ?? error;
}

const UNKNOWN_OUTCOME = '; whether the call was carried out is not known';

/** By name, not by class: two copies of an SDK have two classes. */
const SDK_ERRORS: ReadonlySet<string> = new Set(['SdkError', 'SdkHttpError']);

function meaningOf(status: number, stage: Stage): [ErrorCode, OnbehalfErrorOptions] {
  if (status === 401 || status === 403) return ['server_rejected_token', { failure: 'denied', status }];
  const mayPass = status === 429 || status >= 500;
  const failure = mayPass ? 'unavailable' : 'misconfigured';
  // Opening does nothing yet, so where the server is to blame it may be tried again.
  if (stage === 'opening' && mayPass) return ['server_unreachable', { failure, status }];
  return ['server_failed', { failure, status, retryable: status === 429 }];
}

function noAnswer(server: McpServer, reason: string | undefined, stage: Stage): OnbehalfError {
  const failure = 'unavailable';
  const why = reason === undefined ? '' : ` (${reason})`;
  if (NOT_CONNECTED.has(reason ?? '')) {
    const message = `${server.name}, at ${server.url.origin}, could not be reached${why}`;
    return new OnbehalfError('server_unreachable', message, { failure });
  }
  if (stage === 'opening') {
    return new OnbehalfError('server_unreachable', `${server.name} opened no session${why}`, { failure });
  }
  const message = `${server.name} gave no answer${UNKNOWN_OUTCOME}`;
  return new OnbehalfError('server_failed', message, { failure, retryable: false });
}

/** System errors before anything was sent. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
