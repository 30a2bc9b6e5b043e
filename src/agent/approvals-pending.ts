import type { Part, TaskStatusUpdateEvent } from '@a2a-js/sdk';
import {
  type Event,
  getFunctionCalls,
  getFunctionResponses,
  REQUEST_CONFIRMATION_FUNCTION_CALL_NAME,
} from '@google/adk';
import { finalStatus } from './run-failure.ts';

/** A tool call that waits for the user. */
export interface PendingApproval {
  /** What ADK calls its question; made by ADK, each once. */
  readonly requestId: string;
  /** What the model calls its call. */
  readonly callId: string;
  /** Name of the server that would be called. */
  readonly server: string;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** The calls of a session that wait for the user's approval. */
export function pendingApprovals(events: readonly Event[]): readonly PendingApproval[] {
  const answered = answeredIds(events);
  return events.flatMap((event) =>
    getFunctionCalls(event).flatMap(({ id, name, args }): readonly PendingApproval[] => {
      if (name !== REQUEST_CONFIRMATION_FUNCTION_CALL_NAME || id === undefined || answered.has(id)) return [];
      // A model that calls a tool by this name asks for nothing: it cannot make its call a long-running one.
      if (!event.longRunningToolIds?.includes(id)) return [];
      const { id: callId, name: tool, args: its = {} } = Object(args?.originalFunctionCall) as OriginalCall;
      if (callId === undefined || tool === undefined) return [];
      return [{ requestId: id, callId, server: serverOf(args?.toolConfirmation), tool, args: its }];
    }),
  );
}

interface OriginalCall {
  readonly id?: string;
  readonly name?: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

function serverOf(confirmation: unknown): string {
  const { server } = Object(Object(confirmation).payload) as { readonly server?: unknown };
  return typeof server === 'string' ? server : '';
}

/** The end, for now, of a task whose user has to decide on calls: for people, for programs, and in ADK's own words. */
export function approvalRequired(
  last: TaskStatusUpdateEvent,
  pending: readonly PendingApproval[],
): TaskStatusUpdateEvent {
  const text = [...pending.map(inWords), pending.length === 1 ? HOW_ONE : HOW_ALL].join('\n');
  const approvals = pending.map(({ callId: id, server, tool, args }) => ({ id, server, tool, args }));
  const ofAdk = (last.status.message?.parts ?? []).filter(({ kind }) => kind === 'data');
  const parts: Part[] = [
    { kind: 'text', text },
    { kind: 'data', data: { onbehalf: { approvals } } },
    ...ofAdk,
  ];
  const { status } = finalStatus(last, 'input-required', parts);
  return { ...last, status };
}

function inWords({ server, tool, args }: PendingApproval): string {
  const shown = Object.entries(args).map(([name, value]) => `${quoted(name)}:${inBrief(value)}`);
  const text = `${server}: the tool ${shortened(tool)} waits for your approval, to be called with {${shown.join(',')}}.`;
  return text.replace(UNSEEN, escaped);
}

/** Members of a list or an object within an argument that are shown. Of arguments, all are. */
const MOST_MEMBERS = 20;
/** Lists and objects in one another that are shown. */
const DEEPEST = 3;

/** JSON, as far as a person reads it. */
function inBrief(value: unknown, depth = 1): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return String(JSON.stringify(value));
  const all: readonly (() => string)[] = Array.isArray(value)
    ? value.map((one) => () => inBrief(one, depth + 1))
    : Object.entries(value).map(
        ([name, one]) =>
          () =>
            `${quoted(name)}:${inBrief(one, depth + 1)}`,
      );
  const shown = all.slice(0, depth > DEEPEST ? 0 : MOST_MEMBERS).map((show) => show());
  const more = all.length - shown.length;
  const members = [...shown, ...(more > 0 ? [`... (${more} more)`] : [])].join(',');
  return Array.isArray(value) ? `[${members}]` : `{${members}}`;
}

const quoted = (text: string): string => JSON.stringify(shortened(text));

/** In characters. */
const LONGEST_VALUE = 80;

/** Each text by itself, so that a long one does not push the others out of sight. */
function shortened(text: string): string {
  const characters = [...text];
  const more = characters.length - LONGEST_VALUE;
  if (more <= 0) return text;
  return `${characters.slice(0, LONGEST_VALUE).join('')}... (${more} character${more === 1 ? '' : 's'} more)`;
}

/** Characters that cannot be seen, or that turn the direction of text: one reads something else than what is sent. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** As JSON escapes them (RFC 8259 section 7). */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

const HOW_ONE = 'Answer "approve" or "reject" in this task.';
const HOW_ALL =
  'Answer in this task with a data part like {"onbehalf":{"approve":["id"],"reject":["id"]}}, all of them in one message.';

/** Ids of the calls that have an answer. */
export function answeredIds(events: readonly Event[]): ReadonlySet<string> {
  return new Set(events.flatMap((event) => getFunctionResponses(event).flatMap(({ id }) => id ?? [])));
}
