import { randomUUID } from 'node:crypto';
import type { AgentCard, MessageSendParams, TaskIdParams } from '@a2a-js/sdk';
import {
  A2AError,
  type A2ARequestHandler,
  DefaultRequestHandler,
  type ServerCallContext,
} from '@a2a-js/sdk/server';
import { atWorkIn } from './at-work.ts';
import type { Contexts } from './contexts.ts';
import { pump } from './event-pump.ts';
import type { Executor } from './executor.ts';
import type { OwnedTaskStore } from './task-store.ts';
import { createTurns, type Turns } from './turns.ts';
import { messageOf } from './user-message.ts';

/** What A2A requests are answered with. */
export interface RequestHandlerParts {
  readonly card: AgentCard;
  readonly tasks: OwnedTaskStore;
  readonly contexts: Contexts;
  /** Bounds what one user has under way. */
  readonly turns: Turns;
  readonly executor: Executor;
}

/**
 * Answers A2A requests as the SDK does, each message only in a context of its sender. A message into the context of another user is
 * refused before anything of that context is looked at, in the same words whatever is there.
 */
export function createRequestHandler({
  card,
  tasks,
  contexts,
  turns,
  executor,
}: RequestHandlerParts): A2ARequestHandler {
  const handler = new DefaultRequestHandler(card, tasks, executor);
  const work = atWorkIn(contexts);
  const followers = createTurns(MOST_FOLLOWED);
  /** Tasks with a message on its way. */
  const taken = new Set<string>();

  /** Synchronous, so that the SDK takes what it throws for the answer, not for a stream that broke off. */
  const enter = (params: MessageSendParams, context: ServerCallContext | undefined): Entered => {
    const message = messageOf(params);
    const caller = context?.user?.userName;
    const { taskId } = message;
    const ofTask = taskId === undefined ? undefined : tasks.contextOf(taskId, caller);
    // A task of another user is as if it were not there.
    if (taskId !== undefined && ofTask === undefined) throw A2AError.taskNotFound(taskId);
    const contextId = message.contextId ?? ofTask ?? randomUUID();
    if (ofTask !== undefined && ofTask !== contextId) {
      throw A2AError.invalidParams('contextId: the task belongs to another context; leave it out');
    }
    // Two runs of one task would end each other's events.
    if (taskId !== undefined && (taken.has(taskId) || work.has(taskId))) throw A2AError.invalidParams(BUSY);
    const endTurn = beginTurn(turns, context, TOO_MANY_RUNS);
    const leave = contexts.enter(contextId, caller ?? '');
    if (typeof leave !== 'function') {
      endTurn();
      throw REFUSALS[leave]();
    }
    if (taskId !== undefined) taken.add(taskId);
    const leaveAll = (): void => {
      if (taskId !== undefined) taken.delete(taskId);
      leave();
      endTurn();
    };
    return { params: { ...params, message: { ...message, contextId } }, leave: leaveAll };
  };

  return Object.assign(Object.create(handler) as A2ARequestHandler, {
    async sendMessage(params: MessageSendParams, context?: ServerCallContext) {
      const entered = enter(params, context);
      try {
        return await handler.sendMessage(entered.params, context);
      } catch (error) {
        throw outward(error);
      } finally {
        entered.leave();
      }
    },
    sendMessageStream(params: MessageSendParams, context?: ServerCallContext) {
      const entered = enter(params, context);
      return outwards(pump(handler.sendMessageStream(entered.params, context), entered.leave));
    },
    async *resubscribe(params: TaskIdParams, context?: ServerCallContext) {
      const end = beginTurn(followers, context, TOO_MANY_FOLLOWED);
      try {
        yield* handler.resubscribe(params, context);
      } finally {
        end();
      }
    },
    async cancelTask(params: TaskIdParams, context?: ServerCallContext) {
      const { id } = params;
      const isOwn = tasks.contextOf(id, context?.user?.userName) !== undefined;
      try {
        const task = await handler.cancelTask(params, context);
        work.withdraw(task.contextId);
        return task;
      } finally {
        // Of a task that nobody listens to, the SDK only writes down that it was cancelled.
        if (isOwn && work.has(id)) await executor.cancelTask(id);
      }
    },
  });
}

/** A message on its way into a context of its sender. */
interface Entered {
  readonly params: MessageSendParams;
  readonly leave: () => void;
}

async function* outwards<T>(events: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  try {
    yield* events;
  } catch (error) {
    throw outward(error);
  }
}

/** Streams of one user at the same time that follow tasks which are under way: each holds a connection. */
const MOST_FOLLOWED = 64;
const TOO_MANY_FOLLOWED = 'you follow too many tasks: leave one of these streams';
const TOO_MANY_RUNS =
  'too many of your messages are being worked on: wait until one of them is done, or cancel its task';
const BUSY = 'taskId: this task is being worked on; wait until that is done, or cancel it';

/** Why a context is not entered. */
const REFUSALS = {
  foreign: () =>
    A2AError.invalidParams('contextId: this context is not yours; leave it out to begin a new one'),
  closed: () =>
    A2AError.invalidParams(
      'contextId: this context has become too long to go on in; leave it out to begin a new one',
    ),
  full: () => A2AError.internalError('too many conversations are under way: try again later'),
} as const;

/** Callers of whom nothing is known are not one user, so there is nobody to count for. */
function beginTurn(turns: Turns, context: ServerCallContext | undefined, tooMany: string): () => void {
  if (!context?.user?.isAuthenticated) return () => {};
  const end = turns.begin(context, context.user.userName);
  if (end) return end;
  throw A2AError.internalError(tooMany);
}

/** What the SDK says of a request is for its sender; what else went wrong is not. */
function outward(error: unknown): unknown {
  return error instanceof A2AError ? error : A2AError.internalError('the request failed');
}
