import { makeRoom } from '../core/bounded.ts';
import type { Contexts } from './contexts.ts';

/** A message that is being worked on. */
export interface Work {
  readonly contextId: string;
  readonly taskId: string;
}

/** What is being worked on, by whichever generation of the agent. */
export interface AtWork {
  /** @returns how to end it */
  begin(work: Work): () => void;
  /** Whether nobody else is at work in the same context. */
  isAlone(work: Work): boolean;
  /** Whether somebody is at work on a task. */
  has(taskId: string): boolean;
  /** Notes that nobody asks any more for what waits for the user in a context: a task of it was cancelled. */
  withdraw(contextId: string): void;
  /** Whether that was noted since it was asked last. */
  takeWithdrawn(contextId: string): boolean;
}

const MOST_WITHDRAWN = 10_000;

const known = new WeakMap<Contexts, AtWork>();

/** Who is at work in these contexts: the same for all who share them. */
export function atWorkIn(contexts: Contexts): AtWork {
  const found = known.get(contexts) ?? createAtWork();
  known.set(contexts, found);
  return found;
}

function createAtWork(): AtWork {
  const byContext = new Map<string, Set<Work>>();
  const byTask = new Map<string, Set<Work>>();
  const withdrawn = new Set<string>();
  return {
    begin(work) {
      const ends = [enter(byContext, work.contextId, work), enter(byTask, work.taskId, work)];
      return () => {
        for (const end of ends) end();
      };
    },
    isAlone: (work) => [...(byContext.get(work.contextId) ?? [])].every((each) => each === work),
    has: (taskId) => byTask.has(taskId),
    withdraw(contextId) {
      makeRoom(withdrawn, MOST_WITHDRAWN);
      withdrawn.add(contextId);
    },
    takeWithdrawn: (contextId) => withdrawn.delete(contextId),
  };
}

function enter(all: Map<string, Set<Work>>, key: string, work: Work): () => void {
  const those = all.get(key) ?? new Set();
  all.set(key, those.add(work));
  return () => {
    those.delete(work);
    if (those.size === 0 && all.get(key) === those) all.delete(key);
  };
}
