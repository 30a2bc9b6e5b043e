import { type ErrorCode, type FailureClass, isOnbehalfError } from '../core/errors.ts';
import { describeCallFailure } from './call-failure.ts';
import type { McpServer } from './server.ts';

/** What the model is told when a tool call could not be made for the user. It holds nothing secret. */
export type ToolError = {
  readonly error: {
    readonly code: ErrorCode;
    /** What can be done about it. */
    readonly failure: FailureClass;
    /** Name of the server that the call was for. */
    readonly server: string;
    readonly message: string;
    /** Whether the same call can succeed later without anybody changing anything. */
    readonly retryable: boolean;
  };
};

/**
 * Turns a failure into the response of the tool.
 *
 * @returns `undefined` for what is not ours to tell: an error of the MCP protocol, or an abort
 */
export function toolError(server: McpServer, error: unknown): ToolError | undefined {
  try {
    const known = isOnbehalfError(error) ? error : describeCallFailure(server, error);
    if (!known) return undefined;
    const { code, failure, message, retryable } = known;
    return { error: { code, failure, server: server.name, message, retryable } };
  } catch {
    // Something was thrown that cannot even be looked at.
    const message = `the call to ${server.name} failed`;
    return {
      error: {
        code: 'server_failed',
        failure: 'unavailable',
        server: server.name,
        message,
        retryable: false,
      },
    };
  }
}
