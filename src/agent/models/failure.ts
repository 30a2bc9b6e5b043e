import type { LlmResponse } from '@google/adk';
import { isOnbehalfError, networkCause } from '../../core/errors.ts';
import { inBrackets } from '../../core/http.ts';
import { redact } from '../../core/redact.ts';
import { IncompleteAnswer } from './stream.ts';

/** What a failure is told with. */
export interface FailureContext {
  /** Origin of the provider's API. */
  readonly origin: string;
  /** What was sent to prove who is asking, and must not be repeated. */
  readonly secrets: readonly string[];
  /** Whether the time for the answer is over, and how long it was, in seconds. */
  readonly timedOutAfter: number | undefined;
}

/**
 * A failed request to a model as ADK takes it: the task fails, its caller is told nothing of it, and the log has it. Nothing of the
 * request or of header fields is repeated; of the answer the provider's own message, redacted, and none where it refused the key,
 * because some repeat a part of it.
 */
export function toFailure(error: unknown, context: FailureContext): LlmResponse {
  const { origin, secrets, timedOutAfter } = context;
  const told = (errorCode: string, errorMessage: string): LlmResponse => ({ errorCode, errorMessage });
  if (timedOutAfter !== undefined) {
    return told('TIMEOUT', `the model at ${origin} did not answer within ${timedOutAfter} s`);
  }
  if (isOnbehalfError(error)) return told(error.code, error.message);
  if (error instanceof IncompleteAnswer) {
    return told('INCOMPLETE', `the model at ${origin} broke off in the middle of its answer`);
  }
  const { statusCode: status, message, name } = Object(error) as Readonly<Record<string, unknown>>;
  const said = typeof message === 'string' ? redact(message, secrets) : '';
  if (status === 401 || status === 403) {
    return told(
      `HTTP_${status}`,
      `the model at ${origin} refused the key (HTTP ${status}): see model.api_key`,
    );
  }
  if (typeof status === 'number' && status !== 200) {
    return told(`HTTP_${status}`, `the model at ${origin} answered HTTP ${status}: ${said}`);
  }
  const cause = networkCause(error);
  if (cause || name === 'TypeError') {
    return told('UNAVAILABLE', `the connection to the model at ${origin} broke off${inBrackets(cause)}`);
  }
  return told('MODEL_ERROR', `the model at ${origin}: ${said || 'its answer cannot be read'}`);
}
