import type { Message, Part } from '@a2a-js/sdk';
import type { RequestContext } from '@a2a-js/sdk/server';
import { REQUEST_CONFIRMATION_FUNCTION_CALL_NAME } from '@google/adk';
import type { PendingApproval } from './approvals-pending.ts';

type DataPart = Extract<Part, { kind: 'data' }>;

/** Where ADK reads what a data part is. */
const TYPE = 'adk_type';

const RESPONSE = 'function_response';
/** What a model, a tool or ADK itself has said: never a user. */
const NOT_OF_USERS: readonly unknown[] = [
  RESPONSE,
  'function_call',
  'executable_code',
  'code_execution_result',
];

/** Whether a message may be a decision, so that it is worth a look at what waits. */
export function mayDecide({ parts }: Message): boolean {
  return parts.some((part) => part.kind === 'data') || plainDecision(parts) !== undefined;
}

/**
 * The message of a request with the user's decisions in ADK's words. What else looks like an answer or a call of ADK's is left out,
 * so that a decision is good once, and nobody but ADK answers what ADK asks, e.g. for a credential.
 */
export function withDecisions(
  { userMessage: message, task }: RequestContext,
  waiting: readonly PendingApproval[],
): Message {
  // Sent twice, it might be taken for a decision on the next call that waits.
  const isRepeated =
    (task?.history ?? []).filter(({ messageId }) => messageId === message.messageId).length > 1;
  const pending = isRepeated ? [] : waiting;
  const decided = pending.flatMap((each): Part[] => {
    const isApproved = decisionOn(each, message.parts, {
      isOnly: pending.length === 1,
      isInTask: task !== undefined,
    });
    return isApproved === undefined ? [] : [answerTo(each, isApproved, textOf(message.parts))];
  });
  if (decided.length > 0) return { ...message, parts: decided };
  const left = message.parts.filter((part) => part.kind !== 'data' || !saysAsAdk(part));
  return { ...message, parts: left.length > 0 ? left : [{ kind: 'text', text: NOTHING_WAITS }] };
}

const NOTHING_WAITS = 'There is nothing that waits for this decision.';

interface Where {
  /** Whether just one call waits. */
  readonly isOnly: boolean;
  /** Whether the message goes on with a task: what names no call is said of what waits there. */
  readonly isInTask: boolean;
}

/** To reject wins, whatever else a message says of a call. */
function decisionOn(one: PendingApproval, parts: readonly Part[], where: Where): boolean | undefined {
  const plain = where.isOnly && where.isInTask ? plainDecision(parts) : undefined;
  const all = [
    plain,
    ...parts.flatMap((part) => (part.kind === 'data' ? decisionsOf(part, one, where) : [])),
  ];
  const decisions = all.filter((each) => each !== undefined);
  return decisions.length === 0 ? undefined : decisions.every((each) => each);
}

/** What a data part says of one call: in our words, in kagent's, and in ADK's own. */
function decisionsOf(
  part: DataPart,
  { requestId, callId }: PendingApproval,
  { isInTask }: Where,
): readonly (boolean | undefined)[] {
  if (saysAsAdk(part)) {
    const { id, name, response } = Object(part.data) as Readonly<Record<string, unknown>>;
    const isAnswer = part.metadata?.[TYPE] === RESPONSE && name === REQUEST_CONFIRMATION_FUNCTION_CALL_NAME;
    return isAnswer && id === requestId ? [isConfirmed(response)] : [];
  }
  const { onbehalf, decision_type: kind, decisions } = Object(part.data) as Readonly<Record<string, unknown>>;
  const { approve, reject } = Object(onbehalf) as Readonly<Record<string, unknown>>;
  const names = (list: unknown): boolean =>
    Array.isArray(list) && (list.includes(callId) || list.includes(requestId));
  const ofBatch = Object(decisions) as Readonly<Record<string, unknown>>;
  return [
    names(approve) ? true : undefined,
    names(reject) ? false : undefined,
    kind === 'batch' && Object.hasOwn(ofBatch, callId) ? word(ofBatch[callId]) : undefined,
    isInTask ? word(kind) : undefined,
  ];
}

const APPROVE: readonly unknown[] = ['approve', 'approved'];
const REJECT: readonly unknown[] = ['reject', 'rejected', 'deny', 'denied'];

function word(text: unknown): boolean | undefined {
  if (APPROVE.includes(text)) return true;
  return REJECT.includes(text) ? false : undefined;
}

/** Only the word by itself: a sentence with it may mean anything. */
function plainDecision(parts: readonly Part[]): boolean | undefined {
  return parts.length === 1 ? word(textOf(parts).trim().toLowerCase()) : undefined;
}

function textOf(parts: readonly Part[]): string {
  return parts.flatMap((part) => (part.kind === 'text' ? part.text : [])).join('\n');
}

function saysAsAdk({ metadata }: DataPart): boolean {
  return NOT_OF_USERS.includes(metadata?.[TYPE]);
}

/** As ADK's clients put it: an object, or that as JSON in the only member of another. */
function isConfirmed(response: unknown): boolean {
  const { confirmed, response: wrapped } = Object(response) as Readonly<Record<string, unknown>>;
  if (typeof wrapped !== 'string') return confirmed === true;
  try {
    return Object(JSON.parse(wrapped)).confirmed === true;
  } catch {
    return false;
  }
}

function answerTo({ requestId: id }: PendingApproval, confirmed: boolean, text: string): Part {
  const said = text === '' || word(text.trim().toLowerCase()) !== undefined ? undefined : text;
  const payload = !confirmed && said !== undefined && { payload: { said } };
  return {
    kind: 'data',
    data: { id, name: REQUEST_CONFIRMATION_FUNCTION_CALL_NAME, response: { confirmed, ...payload } },
    metadata: { [TYPE]: RESPONSE },
  };
}
