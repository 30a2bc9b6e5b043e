import { setTimeout as pause } from 'node:timers/promises';
import type { Message, Task } from '@a2a-js/sdk';
import { JsonRpcTransport } from '@a2a-js/sdk/client';
import { isOnbehalfError } from '../core/errors.ts';
import { boundedFetch, type FetchLike } from '../core/http.ts';
import type { McpServer } from '../mcp/server.ts';
import { isSettled, readAnswer } from './remote-agent-answer.ts';
import { boundedFailures, failureOf, notInTime, requestFailed } from './remote-agent-failure.ts';
import type { CallFetch } from './remote-agent-fetch.ts';

/** One call of another agent. */
export interface RemoteCall {
  readonly server: McpServer;
  readonly fetch: CallFetch;
  /** For all of it, until the task has ended. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Is handed what is still under way when the call is over. */
  readonly onLast: (last: Promise<unknown>) => void;
}

const MAX_BYTES = 4 * 2 ** 20;
const CANCEL_MS = 5_000;
/** Waits between two looks at a task grow from the one to the other. */
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [50, 2_000];
/** The task goes on without being looked at, so a look that fails is no reason to give it up. */
const MOST_FAILED_LOOKS = 3;

/**
 * Sends a message to another agent and waits until there is an answer or a question. The SDK's transport is pinned to the
 * configured URL: the other agent's card is not read, so it cannot name another one. The other agent is asked not to
 * hold the request until it is done, so that its task is known by then and can be cancelled.
 *
 * @throws what the SDK throws for an error answer (see `failureOf`); OnbehalfError; the reason of `signal`
 */
export async function callRemote(call: RemoteCall, message: Message): Promise<Message | Task> {
  const { server, timeoutMs, signal } = call;
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(notInTime(server, timeoutMs)), timeoutMs);
  const either = AbortSignal.any(signal ? [deadline.signal, signal] : [deadline.signal]);
  try {
    return await converse(call, message, either);
  } catch (error) {
    either.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function converse(call: RemoteCall, message: Message, signal: AbortSignal): Promise<Message | Task> {
  const { server, timeoutMs } = call;
  const transport = transportFor(server, call.fetch.send, { timeoutMs, signal });
  const configuration = { blocking: false, historyLength: 1 };
  const first = await transport.sendMessage({ message, configuration }, { signal });
  const answer = checked(server, first);
  if (answer.kind === 'message' || isSettled(answer)) return answer;
  const { id } = answer;
  // At once, while there still is a token: a run that is aborted ends.
  const cancel = (): void => call.onLast(cancelTask(call, id));
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await untilSettled(server, signal, () => transport.getTask({ id, historyLength: 1 }, { signal }));
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** Looks at a task until it has ended or waits for somebody. */
async function untilSettled(
  server: McpServer,
  signal: AbortSignal,
  look: () => Promise<Task>,
): Promise<Message | Task> {
  let failed = 0;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LONGEST_WAIT_MS, wait * 1.5)) {
    await pause(wait, undefined, { signal });
    try {
      const answer = checked(server, await look());
      if (answer.kind === 'message' || isSettled(answer)) return answer;
      failed = 0;
    } catch (error) {
      failed += 1;
      if (signal.aborted || failed > MOST_FAILED_LOOKS || !mayPass(error)) throw error;
    }
  }
}

const mayPass = (error: unknown): boolean => isOnbehalfError(error) && error.failure === 'unavailable';

/** Best effort: nobody waits for it, and a task that has ended meanwhile cannot be cancelled. */
async function cancelTask({ server, fetch }: RemoteCall, id: string): Promise<void> {
  const transport = transportFor(server, fetch.sendLast, { timeoutMs: CANCEL_MS });
  await transport.cancelTask({ id }).catch(() => {});
}

function transportFor(
  server: McpServer,
  send: FetchLike,
  bounds: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): JsonRpcTransport {
  const told: FetchLike = async (url, init) => {
    const response = await send(url, init).catch((error: unknown) => {
      init.signal?.throwIfAborted();
      throw requestFailed(server, error);
    });
    if (response.ok) return response;
    void response.body?.cancel().catch(() => {});
    throw requestFailed(server, response.status);
  };
  const bounded = boundedFetch({
    ...{ fetch: told, maxBytes: MAX_BYTES, failures: boundedFailures(server) },
    ...bounds,
  });
  return new JsonRpcTransport({
    endpoint: server.url.href,
    fetchImpl: (to, init) => bounded(String(to), init ?? {}),
  });
}

function checked(server: McpServer, result: unknown): Message | Task {
  const answer = readAnswer(result);
  if (!answer) throw failureOf(server, undefined);
  return answer;
}
