import type { TaskState } from '@a2a-js/sdk';
import type {
  AgentExecutionEvent,
  AgentExecutor,
  ExecutionEventBus,
  RequestContext,
} from '@a2a-js/sdk/server';
import { type RunConfig, type Runner, StreamingMode } from '@google/adk';
import { atWorkIn, type Work } from './at-work.ts';
import { type AgentRun, ANONYMOUS, type Caller } from './caller.ts';
import type { Contexts } from './contexts.ts';
import { CallWitness, forgetAnswers } from './open-calls.ts';
import { newTask, performRun } from './perform.ts';
import { FAILED, finalStatus, logFailure, outwardEvent } from './run-failure.ts';
import type { Turns } from './turns.ts';

/** What an agent is run with. */
export interface ExecutorOptions {
  readonly runner: Runner;
  /** Called with each run that is over, however it ended: ADK tells no plugin of a run that broke off. */
  readonly endRun: (run: AgentRun) => Promise<void>;
  /** Whether the model streams its answers. */
  readonly stream: boolean;
  /** Where a run keeps its context from being forgotten, also when nobody waits for its answer any more. */
  readonly contexts: Contexts;
  /** Where a run counts for its user until it ends. */
  readonly turns: Turns;
}

/** Runs the agent for A2A. */
export interface Executor extends AgentExecutor {
  /** Runs under way. */
  readonly size: number;
  /** Stops the run of a task, if there is one, whether or not anybody listens to it. */
  cancelTask(taskId: string, bus?: ExecutionEventBus): Promise<void>;
  /** Resolves when no run is under way, or after so many milliseconds. */
  idle(withinMs: number): Promise<void>;
  /** Stops every run; their tasks fail. */
  stopAll(): void;
}

interface Running {
  readonly abort: AbortController;
  readonly context: RequestContext;
  readonly bus: ExecutionEventBus;
  readonly work: Work;
  readonly endWork: () => void;
}

/**
 * Makes the executor: ADK's own, with runs that know whose they are, that end whatever happens, and that can be stopped. Events and
 * tasks hold the caller's digest, and no token.
 */
export function createExecutor(options: ExecutorOptions): Executor {
  const { runner, endRun, stream, contexts, turns } = options;
  const running = new Set<Running>();
  const atWork = atWorkIn(contexts);
  let onIdle: (() => void)[] = [];
  const runConfig: RunConfig = {
    streamingMode: stream ? StreamingMode.SSE : StreamingMode.NONE,
    // Whoever sends a message here is the user, or was given the user's token for this agent.
    allowRemoteToolConfirmation: true,
  };
  runner.pluginManager.registerPlugin(new CallWitness());

  /** Counts what is kept of a context. A task holds the message once more, which is counted already. */
  const fits = (said: AgentExecutionEvent, { contextId }: RequestContext): boolean =>
    said.kind === 'task' || contexts.grow(contextId, Buffer.byteLength(JSON.stringify(said)));

  const stop = (run: Running, state: TaskState, why: string): void => {
    if (run.abort.signal.aborted) return;
    // Before the end of the run is told, which ADK takes for a run that was completed.
    run.bus.publish(finalStatus(run.context, state, why));
    run.abort.abort();
  };

  const perform = async (entry: Running, run: AgentRun): Promise<void> => {
    const { context, bus, abort } = entry;
    const { caller } = run;
    const told = (why: unknown): void => logFailure(why, context, caller);
    const publish = (event: AgentExecutionEvent): void => {
      // What a run that was stopped still says is nobody's any more: its task has ended already.
      if (abort.signal.aborted) return;
      if (fits(event, context)) bus.publish(outwardEvent(event, told));
      else stop(entry, 'failed', TOO_LONG);
    };
    const refuse = (why: string): void => {
      // So that there is a task to fail, where ADK has not begun one.
      if (!context.task) bus.publish(newTask(context));
      stop(entry, 'failed', why);
    };
    try {
      if (!fits(context.userMessage, context)) return refuse(TOO_LONG);
      const { signal } = abort;
      const { work } = entry;
      const last = await performRun({ runner, runConfig, context, run, signal, atWork, work, publish });
      // As soon as its end is told, the next message may come.
      entry.endWork();
      if (last) publish(last);
    } catch (error) {
      // Of all that fails once it has begun a task, ADK tells as an event.
      told(error);
      refuse(FAILED);
    }
  };

  const leave = (run: Running): void => {
    running.delete(run);
    if (running.size > 0) return;
    for (const resolve of onIdle) resolve();
    onIdle = [];
  };

  return {
    async execute(context, bus) {
      const caller = (context.context?.user as Caller | undefined) ?? ANONYMOUS;
      const { contextId, taskId } = context;
      const its: Work = { contextId, taskId };
      const entry = { abort: new AbortController(), context, bus, work: its, endWork: atWork.begin(its) };
      const run: AgentRun = { caller, contexts: [] };
      const endTurn = turns.begin(context.context ?? entry, caller.userName);
      const leaveContext = contexts.enter(context.contextId, caller.userName);
      running.add(entry);
      try {
        await perform(entry, run);
      } finally {
        await endRun(run).catch((error: unknown) => logFailure(error, context, caller));
        // A connection that was opened in the run, and is kept for others, holds the run itself for as long.
        run.contexts.length = 0;
        forgetAnswers(run);
        if (typeof leaveContext === 'function') leaveContext();
        endTurn?.();
        entry.endWork();
        leave(entry);
      }
    },
    async cancelTask(taskId) {
      for (const run of running) {
        if (run.context.taskId === taskId) stop(run, 'canceled', 'The task was cancelled.');
      }
    },
    get size() {
      return running.size;
    },
    idle(withinMs) {
      if (running.size === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        onIdle.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
    stopAll() {
      for (const run of running) stop(run, 'failed', 'The agent is being stopped.');
    },
  };
}

const TOO_LONG = 'This conversation has become too long to go on in: begin a new one.';
