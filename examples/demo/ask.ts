// A user at the agent, over A2A: a message with the user's token, and what comes of it, as it comes.
import type { Message, Task, TaskArtifactUpdateEvent, TaskStatusUpdateEvent } from '@a2a-js/sdk';
import { type Client, ClientFactory, JsonRpcTransportFactory } from '@a2a-js/sdk/client';
import type { ToolAnswer } from './promises.ts';

export type A2AEvent = Message | Task | TaskStatusUpdateEvent | TaskArtifactUpdateEvent;

export interface Question {
  /** Where the agent is. */
  url: string;
  sub: string;
  /** The user's token, for the agent. */
  subjectToken: string;
  contextId: string;
  text: string;
  signal?: AbortSignal | undefined;
  onEvent?: ((event: A2AEvent) => void) | undefined;
}

/** What the user could see of the agent's work. */
export interface Turn {
  /** How many tools the model called. */
  calls: number;
  answers: ToolAnswer[];
  /** Why it did not come to its end. */
  failure?: string;
}

/** Sends a message, and follows the agent until it is done. */
export async function ask(question: Question): Promise<Turn> {
  const { sub, signal, onEvent } = question;
  const turn: Turn = { calls: 0, answers: [] };
  let state = 'nothing';
  try {
    const client = await clientOf(question);
    for await (const event of client.sendMessageStream(messageOf(question), signal && { signal })) {
      onEvent?.(event);
      if (event.kind === 'status-update') state = event.status.state;
      if (event.kind === 'artifact-update') note(event, sub, turn);
    }
    if (state !== 'completed') turn.failure = `${sub}: the task ended as ${state}`;
  } catch (error) {
    turn.failure = `${sub}: ${error instanceof Error ? error.message : 'the request failed'}`;
  }
  return turn;
}

/** Sends a message that must not be taken. @returns the agent's words, or `let in` */
export async function refusalOf(question: Question): Promise<string> {
  const { sub, signal, onEvent } = question;
  try {
    const client = await clientOf(question);
    const event = await client.sendMessage(messageOf(question), signal && { signal });
    onEvent?.(event);
    return `${sub}: let in`;
  } catch (error) {
    const { message = 'the request failed' } = error as Partial<Error>;
    return `${sub}: ${/^JSON-RPC error: (.*) \(Code: -32602\)/.exec(message)?.[1] ?? message}`;
  }
}

function clientOf({ url, subjectToken }: Question): Promise<Client> {
  const fetchImpl: typeof fetch = (input, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${subjectToken}`);
    return fetch(input, { ...init, headers });
  };
  return new ClientFactory({ transports: [new JsonRpcTransportFactory({ fetchImpl })] }).createFromUrl(url);
}

function messageOf({ contextId, text }: Question): { message: Message } {
  const messageId = crypto.randomUUID();
  const parts = [{ kind: 'text' as const, text }];
  return { message: { kind: 'message', role: 'user', messageId, contextId, parts } };
}

/** ADK tells of tool calls, and of what came of them, in data parts of the task's artifact. */
function note({ artifact }: TaskArtifactUpdateEvent, sub: string, turn: Turn): void {
  for (const part of artifact.parts) {
    if (part.kind !== 'data') continue;
    const { name = '', response = {} } = part.data as { name?: string; response?: ToolAnswer['response'] };
    if (part.metadata?.adk_type === 'function_call') turn.calls += 1;
    if (part.metadata?.adk_type !== 'function_response') continue;
    turn.answers.push({ at: performance.timeOrigin + performance.now(), sub, tool: name, response });
  }
}
