import type { Message, Task, TaskStatusUpdateEvent } from '@a2a-js/sdk';
import type { AgentExecutionEvent, ExecutionEventBus, RequestContext } from '@a2a-js/sdk/server';
import type { RunConfig, Runner, Session } from '@google/adk';
import { A2AAgentExecutor } from '@google/adk/a2a';
import { mayDecide, withDecisions } from './approvals-decisions.ts';
import { approvalRequired, type PendingApproval, pendingApprovals } from './approvals-pending.ts';
import type { AtWork, Work } from './at-work.ts';
import { authRequired, needsOf, untilNeeded } from './auth-required.ts';
import { type AgentRun, asRun } from './caller.ts';
import { answerOpenCalls, withdrawApprovals } from './open-calls.ts';

/** A run that is to be made. */
export interface RunToMake {
  readonly runner: Runner;
  readonly runConfig: RunConfig;
  readonly context: RequestContext;
  readonly run: AgentRun;
  readonly signal: AbortSignal;
  /** Who else is at work in the context, and this one. */
  readonly atWork: AtWork;
  readonly work: Work;
  /** Hears what the run says, but for its end. */
  readonly publish: (event: AgentExecutionEvent) => void;
}

/**
 * Makes a run, and leaves its session such that the next message can go on in it.
 *
 * @returns how it ended; the next message may come as soon as that is told
 */
export async function performRun(to: RunToMake): Promise<TaskStatusUpdateEvent | undefined> {
  const { runConfig, context, run, publish } = to;
  // Looked at before anything is awaited: of two messages at once, one at most decides on a call.
  const mayBeFirst = to.atWork.isAlone(to.work) && mayDecide(context.userMessage);
  await withdraw(to);
  const message = withDecisions(context, mayBeFirst ? await pendingFor(to) : []);
  let hasTask = context.task !== undefined;
  let last: TaskStatusUpdateEvent | undefined;
  const hear = (event: AgentExecutionEvent): void => {
    hasTask ||= event.kind === 'task';
    if (event.kind === 'status-update' && event.final) last = event;
    else publish(event);
  };
  // One for each run: ADK's remembers ids of artifacts by the agent's name, and so would mix those of two users.
  const executor = new A2AAgentExecutor({ runner: runnerFor(to), runConfig });
  const bus = { publish: hear, finished: () => {} } as ExecutionEventBus;
  await asRun(run, () => executor.execute(saying(context, message), bus));
  // ADK begins none where it only asks again for what it waits for.
  if (!hasTask) publish(newTask(context));
  return outcome(to, last);
}

/** How a run ended: as ADK says, or for want of its user. */
async function outcome(
  to: RunToMake,
  last: TaskStatusUpdateEvent | undefined,
): Promise<TaskStatusUpdateEvent | undefined> {
  const { runner, run, signal } = to;
  const state = last?.status.state;
  // A run that came to its end has an answer to each of its calls.
  const isWhole = state === 'completed' && !signal.aborted && needsOf(run, true).length === 0;
  if (isWhole || !last) return last;
  const left = await answerOpenCalls(runner.sessionService, run, to.atWork.isAlone(to.work));
  if (state === 'input-required') {
    const pending = await pendingFor(to);
    return pending.length > 0 ? approvalRequired(last, pending) : last;
  }
  // A tool that could not be listed is no reason by itself; but the model may have called it all the same.
  const needs = needsOf(run, state === 'failed' && left > 0);
  if (needs.length === 0) return last;
  return { ...authRequired(last, needs), ...(last.metadata && { metadata: last.metadata }) };
}

/** What waits for the user in the context of a run. */
async function pendingFor(to: RunToMake): Promise<readonly PendingApproval[]> {
  return pendingApprovals((await sessionOf(to))?.events ?? []);
}

/** A call whose task was cancelled waits no more. */
async function withdraw(to: RunToMake): Promise<void> {
  const { contextId } = to.context;
  if (!to.atWork.isAlone(to.work) || !to.atWork.takeWithdrawn(contextId)) return;
  const session = await sessionOf(to);
  if (session) await withdrawApprovals(to.runner.sessionService, session);
}

function sessionOf({ runner, context, run }: RunToMake): Promise<Session | undefined> {
  const { appName, sessionService } = runner;
  const { userName: userId } = run.caller;
  return sessionService.getSession({ appName, userId, sessionId: context.contextId });
}

function saying(context: RequestContext, userMessage: Message): RequestContext {
  return Object.create(context, { userMessage: { value: userMessage } }) as RequestContext;
}

/** A task that was begun by the message of a request. */
export function newTask({ taskId: id, contextId, userMessage }: RequestContext): Task {
  const status = { state: 'submitted', timestamp: new Date().toISOString() } as const;
  return { kind: 'task', id, contextId, status, history: [userMessage] };
}

/**
 * The runner as one caller meets it. ADK's executor names a user by the context; here it is who sent the token, so that two
 * users never meet in one session, whatever context they name.
 */
function runnerFor({ runner, run, signal: abortSignal }: RunToMake): Runner {
  const { sessionService } = runner;
  const { userName: userId } = run.caller;
  const asUser = <T extends { readonly userId: string }>(request: T): T => ({ ...request, userId });
  return Object.create(runner, {
    sessionService: {
      value: {
        getSession: (request: Parameters<typeof sessionService.getSession>[0]) =>
          sessionService.getSession(asUser(request)),
        createSession: (request: Parameters<typeof sessionService.createSession>[0]) =>
          sessionService.createSession(asUser(request)),
      },
    },
    runAsync: {
      value: (params: Parameters<Runner['runAsync']>[0]) =>
        untilNeeded(runner.runAsync({ ...asUser(params), abortSignal }), run),
    },
  }) as Runner;
}
