import { isOnbehalfError } from '../core/errors.ts';
import type { KeptToken } from './memory-store.ts';

/** Makes and keeps another token. */
type Make = (signal: AbortSignal) => Promise<KeptToken>;

/** Makes tokens anew in the background, while those who use the last one go on with it. */
export interface RefreshAhead {
  /** Begins, if it is time, nobody has begun, and not too many are under way, in all and for the same subject. */
  consider(key: string, what: { readonly kept: KeptToken; readonly owner: string }, make: Make): void;
  /** Gives up: nobody uses the token any more. */
  cancel(key: string): void;
  cancelAll(): void;
}

const SHORTEST_PAUSE_MS = 1_000;
const MOST_OF_ONE = 8;

/** @param most - how many may be under way at once */
export function createRefreshAhead(most: number, now: () => number): RefreshAhead {
  const underWay = new Map<string, { readonly controller: AbortController; readonly owner: string }>();

  const refresh = async (
    key: string,
    { kept, owner }: { readonly kept: KeptToken; readonly owner: string },
    make: Make,
  ): Promise<void> => {
    const left = kept.usableUntil - now();
    const controller = new AbortController();
    underWay.set(key, { controller, owner });
    kept.refreshAt = Number.POSITIVE_INFINITY;
    try {
      const next = await make(controller.signal);
      // The STS ends all of them at one time, such as the end of the user's session: there is nothing more to gain.
      if (next.usableUntil - kept.usableUntil < left) next.refreshAt = Number.POSITIVE_INFINITY;
    } catch (error) {
      // Nobody waits, so nobody is told but the observer. Later uses try again, less and less far apart from the end.
      const time = now();
      const asked = isOnbehalfError(error) ? (error.retryAfterMs ?? 0) : 0;
      kept.refreshAt = time + Math.max(SHORTEST_PAUSE_MS, (kept.usableUntil - time) / 4, asked);
    } finally {
      underWay.delete(key);
    }
  };

  return {
    consider(key, what, make) {
      if (now() < what.kept.refreshAt || underWay.size >= most || underWay.has(key)) return;
      // One whose exchanges hang must not take every place.
      const own = [...underWay.values()].filter(({ owner }) => owner === what.owner);
      if (own.length < MOST_OF_ONE) void refresh(key, what, make);
    },
    cancel(key) {
      underWay.get(key)?.controller.abort();
    },
    cancelAll() {
      for (const { controller } of underWay.values()) controller.abort();
    },
  };
}
