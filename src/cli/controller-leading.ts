/** Work of a leader; the signal aborts when it must not do anything any more. */
export type Work = (until: AbortSignal) => Promise<void>;

/** What is told. */
export interface Telling {
  readonly log: (event: 'leading' | 'lost') => void;
  /** Aborts when the program ends: to stop then is no loss. */
  readonly ending: AbortSignal;
}

/** The same work, which tells when this instance begins to lead, and when it has lost that. */
export function tellingOf(work: Work, { log, ending }: Telling): Work {
  return async (until) => {
    log('leading');
    const onEnd = (): void => {
      if (!ending.aborted) log('lost');
    };
    until.addEventListener('abort', onEnd, { once: true });
    try {
      await work(until);
    } finally {
      until.removeEventListener('abort', onEnd);
    }
  };
}
