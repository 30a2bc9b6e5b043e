import { isOnbehalfError, OnbehalfError } from '../core/errors.ts';
import type { BoundedFailures } from '../core/http.ts';
import { redact } from '../core/redact.ts';
import { describeFetchFailure, describeStatus } from '../mcp/call-failure.ts';
import type { McpServer } from '../mcp/server.ts';

/** An error that the other agent answered with (JSON-RPC 2.0 section 5.1). */
export interface RpcError {
  readonly code: number;
  readonly message: string;
}

/** The error answer in what the SDK throws. */
export function rpcErrorOf(error: unknown): RpcError | undefined {
  const { errorResponse } = Object(error) as { readonly errorResponse?: unknown };
  const { error: inner } = Object(errorResponse) as { readonly error?: unknown };
  const { code, message } = Object(inner) as Partial<Record<keyof RpcError, unknown>>;
  if (typeof code !== 'number') return undefined;
  return { code, message: typeof message === 'string' ? message : '' };
}

/** What went wrong with a call, in words that hold nothing secret. */
export function failureOf(server: McpServer, error: unknown): OnbehalfError {
  if (isOnbehalfError(error)) return error;
  const answered = rpcErrorOf(error);
  if (!answered) return serverFailed(`${server.name} answered with what is no message and no task of A2A`);
  const why = redact(answered.message);
  const failure = answered.code === INTERNAL_ERROR ? 'unavailable' : 'misconfigured';
  return serverFailed(`${server.name} answered with an error (${answered.code}): ${why}`, failure);
}

/** Nothing like this is known there: A2A's TaskNotFoundError. */
export const TASK_NOT_FOUND = -32001;
const INTERNAL_ERROR = -32603;

/** A request that did not get through, or was answered with an error status. */
export function requestFailed(server: McpServer, why: unknown): OnbehalfError {
  return typeof why === 'number' ? describeStatus(server, why) : describeFetchFailure(server, why);
}

/** There was no end of the task in time. */
export function notInTime(server: McpServer, timeoutMs: number): OnbehalfError {
  const message = `${server.name} was not done within ${timeoutMs / 1000} s; its task was cancelled`;
  return new OnbehalfError('deadline_exceeded', message, { failure: 'unavailable', retryable: false });
}

/** What a bounded request to another agent fails with. */
export function boundedFailures(server: McpServer): BoundedFailures {
  return {
    timedOut: (_url, timeoutMs) => notInTime(server, timeoutMs),
    unreachable: () => serverFailed(`the answer of ${server.name} broke off`, 'unavailable'),
    tooLarge: (_url, { maxBytes }) =>
      serverFailed(`${server.name} answered with more than ${maxBytes} bytes, which are not read`),
  };
}

/** Not to be repeated by itself: the other agent may have done its work. */
function serverFailed(
  message: string,
  failure: 'unavailable' | 'misconfigured' = 'misconfigured',
): OnbehalfError {
  return new OnbehalfError('server_failed', message, { failure, retryable: false });
}
