import { makeRoom } from '../core/bounded.ts';

const INTERVAL_MS = 10_000;
const MOST_KINDS = 100;

/** Hears of an error; `kind` says which errors are the same to a reader. */
export type TellSeldom = (kind: string, error: unknown) => void;

/**
 * Tells of errors that anybody can bring about at will: of each kind at once, then at most every 10 seconds, with how many there were
 * meanwhile. What `tell` gets then is an Error with that in its message, and the last error as its `cause`.
 *
 * @param now - milliseconds of a clock
 */
export function seldom(tell: (error: unknown) => void, now: () => number = Date.now): TellSeldom {
  const kinds = new Map<string, { readonly toldAt: number; untold: number }>();
  return (kind, error) => {
    const known = kinds.get(kind);
    const at = now();
    if (known && at - known.toldAt < INTERVAL_MS) {
      known.untold += 1;
      return;
    }
    kinds.delete(kind);
    makeRoom(kinds, MOST_KINDS);
    kinds.set(kind, { toldAt: at, untold: 0 });
    tell(known && known.untold > 0 ? counted(error, known.untold) : error);
  };
}

function counted(error: unknown, untold: number): Error {
  const message = error instanceof Error ? error.message : String(error);
  return new Error(`${message} (${untold} more since it was told)`, { cause: error });
}
