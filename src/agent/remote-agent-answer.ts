import type { Message, Part, Task, TaskState } from '@a2a-js/sdk';
import { redact } from '../core/redact.ts';
import type { Conversation } from './remote-conversations.ts';

/** What a model reads of another agent's answer. */
export type RemoteAnswer = {
  /** How the task stands, in A2A's words; a message is `completed`. */
  readonly state: TaskState;
  readonly text: string;
};

/** The other agent is at work: everything else is an answer. */
const AT_WORK: ReadonlySet<string> = new Set<TaskState>(['submitted', 'working']);
/** The task goes on with the next message. */
const WAITING: ReadonlySet<string> = new Set<TaskState>(['input-required', 'auth-required']);
/** Of these, what the other agent says is why it did not do its work. */
const UNDONE: ReadonlySet<string> = new Set<TaskState>(['failed', 'rejected', 'canceled', 'unknown']);
const MAX_ID = 256;

/** Whether there is an answer, or a question. */
export function isSettled({ status }: Task): boolean {
  return !AT_WORK.has(status.state);
}

/** What the result of a request is; `undefined` when it is neither a message nor a task. */
export function readAnswer(result: unknown): Message | Task | undefined {
  const { kind, id, status } = Object(result) as Partial<Record<'kind' | 'id' | 'status', unknown>>;
  if (kind === 'message') return result as Message;
  const { state } = Object(status) as { readonly state?: unknown };
  return kind === 'task' && isId(id) && typeof state === 'string' ? (result as Task) : undefined;
}

/** The answer as the model reads it. Why something failed is shortened, and what looks like a token is taken out. */
export function answerFor(answer: Message | Task): RemoteAnswer {
  if (answer.kind === 'message') return { state: 'completed', text: textOf(answer.parts) };
  const { state, message } = answer.status;
  const said = textOf(message?.parts);
  if (UNDONE.has(state)) return { state, text: redact(said) };
  const made = list(answer.artifacts).map((artifact) => textOf(Object(artifact).parts));
  const text = made.filter((one) => one !== '').join('\n');
  // A question stands in the message; what was made before is still there, but is no answer to it.
  return { state, text: WAITING.has(state) ? said || text : text || said };
}

/** Where the conversation stands after an answer. */
export function conversationAfter(answer: Message | Task): Conversation | undefined {
  const { contextId } = answer;
  if (!isId(contextId)) return undefined;
  const waits = answer.kind === 'task' && WAITING.has(answer.status.state);
  return waits ? { contextId, taskId: answer.id } : { contextId };
}

function textOf(parts: unknown): string {
  return list(parts)
    .map((part) => partText(Object(part) as Part))
    .filter((text) => text !== '')
    .join('\n');
}

/** What an agent thought, and which tools it called, is its own business. */
function partText(part: Part): string {
  if (Object.entries(Object(part.metadata)).some(([key, value]) => INNER.test(key) && value)) return '';
  if (part.kind === 'text') return typeof part.text === 'string' ? part.text : '';
  if (part.kind === 'data') return JSON.stringify(part.data) ?? '';
  return part.kind === 'file' ? '[a file, which cannot be read here]' : '';
}

const INNER = /^(?:adk|kagent)_(?:thought|type)$/;

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const isId = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_ID;
