import { A2AError } from '@a2a-js/sdk/server';

type Events<T> = AsyncGenerator<T, void, undefined>;

/** Most events that wait for a reader. Their bytes are bounded by what a context may hold. */
const MOST_WAITING = 10_000;

/**
 * Takes all events of a run, at once and whoever reads them: taking one is what brings it into the store of tasks.
 *
 * @param onEnd - called when there are no more, however that came about
 * @returns the same events for one reader, who may stop at any time and ends nothing by that; one that is 10,000 events behind gets an error
 */
export function pump<T>(events: Events<T>, onEnd: () => void): Events<T> {
  const waiting: T[] = [];
  let isRead = true;
  let end: { readonly error?: unknown } | undefined;
  let wake = (): void => {};

  const drop = (): void => {
    isRead = false;
    waiting.length = 0;
  };
  const hand = (event: T): void => {
    if (!isRead) return;
    waiting.push(event);
    if (waiting.length > MOST_WAITING) {
      drop();
      end = { error: A2AError.internalError('you are too far behind: ask for the task') };
    }
    wake();
  };
  const takeAll = async (): Promise<void> => {
    try {
      for await (const event of events) hand(event);
      end ??= {};
    } catch (error) {
      end ??= { error };
    } finally {
      onEnd();
      wake();
    }
  };
  const read = async function* (): Events<T> {
    try {
      for (;;) {
        // Whoever was woken may have left meanwhile, or have been left behind.
        for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) yield event;
        if (end) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if ('error' in end) throw end.error;
    } finally {
      drop();
    }
  };
  void takeAll();
  return read();
}
