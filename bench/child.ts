// A child process that answers questions over the fork's channel: servers that are measured with must not share an event
// loop with the clients being measured.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** The parent's side. */
export interface Child {
  /** Asks one question; its `op` says which. */
  ask<Result>(question: Readonly<Record<string, unknown>>): Promise<Result>;
  close(): Promise<void>;
}

/** Starts a program that calls {@link answerParent}. */
export function startChild(program: URL): Child {
  const child: ChildProcess = fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  child.on('message', ({ id, result }: { id: number; result: unknown }) => {
    waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the server process ended (${code})`));
  });
  return {
    ask<Result>(question: Readonly<Record<string, unknown>>): Promise<Result> {
      lastId += 1;
      const id = lastId;
      return new Promise<Result>((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
        child.send({ id, ...question });
      });
    },
    async close() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** The child's side: an answer for each `op`. The child ends with its parent. */
export function answerParent<Question extends { op: string }>(
  answers: {
    [Op in Question['op']]: (question: Extract<Question, { op: Op }>) => unknown;
  },
): void {
  process.on('message', async ({ id, ...question }: Question & { id: number }) => {
    const answer = answers[question.op as Question['op']] as (asked: unknown) => unknown;
    process.send?.({ id, result: await answer(question) });
  });
  process.on('disconnect', () => process.exit(0));
}
