import type { Task } from '@a2a-js/sdk';
import type { ServerCallContext, TaskStore } from '@a2a-js/sdk/server';
import { firstToGo, shareOf } from './share.ts';

/** A store of tasks, each for the user whose message made it. */
export interface OwnedTaskStore extends TaskStore {
  /** Context of a user's own task; `undefined` when there is none, or it is not theirs. */
  contextOf(id: string, owner: string | undefined): string | undefined;
  /** Drops the tasks of a context. */
  dropContext(contextId: string): void;
}

interface Entry {
  readonly task: Task;
  readonly owner: string | undefined;
}

/**
 * Keeps tasks in memory. A task of another user is not there, whatever is done with it, so that nobody learns that it is.
 *
 * @param maxTasks - most that are kept; the oldest goes first, of the same user where that one has a tenth of them, else of whoever has
 */
export function createTaskStore(maxTasks: number): OwnedTaskStore {
  const entries = new Map<string, Entry>();
  const own = (id: string, owner: string | undefined): Entry | undefined => {
    const entry = entries.get(id);
    return entry?.owner === owner ? entry : undefined;
  };
  const share = shareOf(maxTasks);
  const makeRoom = (owner: string | undefined): void => {
    const id = entries.size < maxTasks ? undefined : firstToGo(entries, { owner, share });
    if (id !== undefined) entries.delete(id);
  };
  const ownerOf = (context: ServerCallContext | undefined): string | undefined => context?.user?.userName;
  return {
    async load(id, context) {
      const entry = own(id, ownerOf(context));
      return entry && { ...entry.task };
    },
    async save(task, context) {
      const known = entries.has(task.id);
      if (known && !own(task.id, ownerOf(context))) throw new Error('the task belongs to another user');
      if (!known) makeRoom(ownerOf(context));
      entries.set(task.id, { task: { ...task }, owner: ownerOf(context) });
    },
    contextOf: (id, owner) => own(id, owner)?.task.contextId,
    dropContext(contextId) {
      for (const [id, { task }] of entries) if (task.contextId === contextId) entries.delete(id);
    },
  };
}
