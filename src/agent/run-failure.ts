import { randomUUID } from 'node:crypto';
import type { Part, TaskState, TaskStatusUpdateEvent } from '@a2a-js/sdk';
import type { AgentExecutionEvent, RequestContext } from '@a2a-js/sdk/server';
import { getLogger } from '@google/adk';
import { redact } from '../core/redact.ts';
import type { Caller } from './caller.ts';

/** What a caller is told of a failure inside: what went wrong there may name hosts, files and what others said. */
export const FAILED = 'The agent could not finish this. The reason is in its log, by the id of the task.';

/** Where ADK puts what a model answered for an error. */
const ERROR_FIELDS = ['adk_error_code', 'adk_error_message'] as const;

/** Writes down why a run failed, without tokens. */
export function logFailure(error: unknown, { taskId }: Pick<RequestContext, 'taskId'>, caller: Caller): void {
  const why = error instanceof Error ? error.message : String(error);
  const { token } = caller.token() ?? {};
  getLogger().error(`onbehalf: task ${taskId} failed: ${redact(why, token === undefined ? [] : [token])}`);
}

/** An event of ADK's as its caller may see it; the message of a failure is handed to `onFailure`. */
export function outwardEvent(
  event: AgentExecutionEvent,
  onFailure: (message: string) => void,
): AgentExecutionEvent {
  if (event.kind === 'artifact-update') return { ...event, metadata: withoutErrors(event.metadata) };
  if (event.kind !== 'status-update' || event.status.state !== 'failed') return event;
  const { message } = event.status;
  const texts = message?.parts.map((part) => (part.kind === 'text' ? part.text : part.kind)) ?? [];
  onFailure(texts.join(' '));
  const status = finalStatus(event, 'failed', FAILED).status;
  return { ...event, status, metadata: withoutErrors(event.metadata) };
}

function withoutErrors(metadata: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> {
  const left = { ...metadata };
  for (const field of ERROR_FIELDS) delete left[field];
  return left;
}

/** The last event of a task, or of the part of it that ends here. */
export function finalStatus(
  { taskId, contextId }: Pick<RequestContext, 'taskId' | 'contextId'>,
  state: TaskState,
  said: string | readonly Part[],
): TaskStatusUpdateEvent {
  const parts: Part[] = typeof said === 'string' ? [{ kind: 'text', text: said }] : [...said];
  const message = {
    ...({ kind: 'message', role: 'agent', messageId: randomUUID(), taskId, contextId } as const),
    parts,
  };
  const timestamp = new Date().toISOString();
  return { kind: 'status-update', taskId, contextId, final: true, status: { state, message, timestamp } };
}
