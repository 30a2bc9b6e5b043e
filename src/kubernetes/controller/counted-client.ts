import type { KubeClient } from '../client/types.ts';

/** Writes that were sent to the API server, by kind of request. */
export interface Writes {
  readonly applies: number;
  readonly statuses: number;
  readonly deletions: number;
  readonly events: number;
}

/** The same client, and how many writes went through it. */
export function countedClient(client: KubeClient): { readonly client: KubeClient; readonly writes: Writes } {
  const writes = { applies: 0, statuses: 0, deletions: 0, events: 0 };
  const counting =
    <A extends readonly unknown[], R>(kind: keyof Writes, call: (...args: A) => R) =>
    (...args: A): R => {
      writes[kind] += 1;
      return call(...args);
    };
  const counted: KubeClient = {
    ...client,
    apply: counting('applies', client.apply),
    merge: counting('applies', client.merge),
    applyStatus: counting('statuses', client.applyStatus),
    delete: counting('deletions', client.delete),
    // Nothing else is created.
    create: counting('events', client.create),
  };
  return { client: counted, writes };
}
