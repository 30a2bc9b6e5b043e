import { abortable } from '../core/abortable.ts';
import type { FetchLike } from '../core/http.ts';

/** How long an answer is waited for that nobody wants any more, in milliseconds. */
const LAST_WAIT_MS = 2_000;

/** A `fetch` by which a session is opened, and what has become of its first request. */
export interface FirstAnswer {
  readonly fetch: FetchLike;
  /** Resolves when the request under way has its answer, or when that is waited for no more. */
  readonly settled: () => Promise<void>;
}

/** What {@link hearFirst} needs to know, and to tell. */
export interface Hearing {
  /** Is told of each answer, those that nobody waits for included. */
  readonly hear: (response: Response) => void;
  /** Aborts when nothing is to be opened any more. */
  readonly givenUp: AbortSignal;
}

/**
 * Sees to it that the answer to `initialize` is heard. It names the session, and a session without a name cannot be
 * ended: so the request goes on for a while when whoever made it leaves, who is let go at once all the same. The first
 * answer that is no error is the one; all that comes after it is sent as it is.
 *
 * @param send - makes the request itself, token and all
 */
export function hearFirst(send: FetchLike, { hear, givenUp }: Hearing): FirstAnswer {
  let isHeard = false;
  let underWay = Promise.resolve();
  const fetch: FetchLike = async (url, init) => {
    if (isHeard) return heard(await send(url, init));
    const { signal: left } = init;
    // Whoever gave it up may not have told everybody yet.
    givenUp.throwIfAborted();
    left?.throwIfAborted();
    const lasting = outlive(left);
    const sending = send(url, { ...init, signal: lasting.signal }).then((response) => {
      lasting.end();
      return heard(response);
    });
    // Nothing is waited for longer than the signal says, whatever the function that sends makes of it.
    const sent = abortable(sending, lasting.signal);
    underWay = sent.then(
      (response) => {
        if (left?.aborted) void response.body?.cancel().catch(() => {});
      },
      () => lasting.end(),
    );
    return abortable(sent, left ?? undefined);
  };
  const heard = (response: Response): Response => {
    isHeard ||= response.ok;
    hear(response);
    return response;
  };
  return { fetch, settled: () => underWay };
}

/** A signal that aborts a while after another; at once, as soon as the wait is over. */
function outlive(left: AbortSignal | null | undefined): {
  readonly signal: AbortSignal;
  readonly end: () => void;
} {
  const controller = new AbortController();
  const abort = (): void => controller.abort(left?.reason);
  let isOver = false;
  const onTimeout = (): void => {
    if (!isOver) abort();
  };
  const onLeave = (): void => {
    if (isOver) abort();
    else AbortSignal.timeout(LAST_WAIT_MS).addEventListener('abort', onTimeout, { once: true });
  };
  // Not taken away at the end: the body of the answer is read under it.
  left?.addEventListener('abort', onLeave, { once: true });
  return {
    signal: controller.signal,
    end() {
      isOver = true;
    },
  };
}
