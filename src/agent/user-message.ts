import type { Message, MessageSendParams } from '@a2a-js/sdk';
import { A2AError } from '@a2a-js/sdk/server';
import { hasControl } from '../core/redact.ts';

const MAX_ID = 256;
const MAX_REFERENCES = 32;

/** Whether a value can stand in a log as it is: a text of 256 characters at most, none of which one cannot see. */
export function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_ID && !hasControl(value);
}

/**
 * The message of a request. The SDK looks at no more of it than whether there is a messageId, logs some of it as it is, and ADK
 * logs what it cannot use.
 *
 * @throws A2AError that names the member, and repeats nothing of it
 */
export function messageOf({ message }: MessageSendParams): Message {
  const { messageId, parts, contextId, taskId, role, referenceTaskIds } = Object(message) as Loose<Message>;
  if (messageId === undefined || !isId(messageId))
    throw A2AError.invalidParams('message.messageId is needed, as a short text');
  if (!Array.isArray(parts) || parts.length === 0)
    throw A2AError.invalidParams('message.parts must not be empty');
  if (role !== 'user') throw A2AError.invalidParams('message.role must be "user"');
  if (!isId(contextId) || !isId(taskId))
    throw A2AError.invalidParams('contextId and taskId must be short texts');
  const references = referenceTaskIds ?? [];
  if (!Array.isArray(references) || references.length > MAX_REFERENCES || !references.every(isGiven))
    throw A2AError.invalidParams('message.referenceTaskIds must be at most 32 short texts');
  checkParts(parts);
  return message;
}

type Loose<T> = { readonly [K in keyof T]?: unknown };

const isGiven = (value: unknown): boolean => isShortText(value) && value !== '';
const isId = (value: unknown): boolean => value === undefined || isGiven(value);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === 'string';
const isTextOrNone = (value: unknown): boolean => value === undefined || isText(value);

/** What a part of each kind must have. */
const KINDS: ReadonlyMap<unknown, (part: Readonly<Record<string, unknown>>) => boolean> = new Map([
  ['text', ({ text }) => isText(text)],
  ['data', ({ data }) => isObject(data)],
  ['file', ({ file }) => isFile(file)],
]);

function checkParts(parts: readonly unknown[]): void {
  const wrong = parts.findIndex((part) => {
    if (!isObject(part)) return true;
    const isSound = KINDS.get(part.kind);
    return !isSound?.(part) || !isObject(part.metadata ?? {});
  });
  if (wrong < 0) return;
  throw A2AError.invalidParams(
    `message.parts[${wrong}] must have a text, an object as data, or a file with bytes or a uri, and its kind`,
  );
}

/** `null` is no text: ADK looks at whether there are bytes, not at what they are. */
function isFile(file: unknown): boolean {
  if (!isObject(file)) return false;
  const { bytes, uri, name, mimeType } = file;
  const isThere = isText(bytes) || isText(uri);
  return isThere && [bytes, uri].every(isTextOrNone) && [name ?? '', mimeType ?? ''].every(isText);
}
