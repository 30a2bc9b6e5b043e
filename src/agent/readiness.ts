import type { IssuerKeys } from './issuer-keys.ts';

/** Whether tokens of callers can be verified. */
export interface Readiness {
  /** What it waits for; nothing: it is ready, and stays so whoever goes away later, because keys are kept. */
  waitingFor(): readonly string[];
  /** Goes for the keys of these issuers in the background, and no more for those of before. */
  prepare(issuers: readonly IssuerKeys[]): void;
  /** Breaks off what it goes for. */
  stop(): void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 15_000;

/** @param onLate - hears once of each issuer whose keys cannot be had at the first try, and why */
export function createReadiness(onLate: (issuer: string, error: unknown) => void): Readiness {
  let issuers: readonly IssuerKeys[] | undefined;
  let wasReady = false;
  let stopped = false;
  const timers = new Set<NodeJS.Timeout>();

  const again = (keys: IssuerKeys, waitMs: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      void go(keys, Math.min(waitMs * 2, LONGEST_WAIT_MS));
    }, waitMs).unref();
    timers.add(timer);
  };
  const go = async (keys: IssuerKeys, waitMs: number): Promise<void> => {
    try {
      await keys.prepare();
    } catch (error) {
      if (stopped || !issuers?.includes(keys)) return;
      if (waitMs === FIRST_WAIT_MS) onLate(keys.issuer, error);
      again(keys, waitMs);
    }
  };
  const forgetTimers = (): void => {
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  };
  const waitingFor = (): readonly string[] => {
    const missing = wasReady ? [] : (issuers ?? []).filter((keys) => !keys.isReady());
    wasReady ||= missing.length === 0;
    return missing.map(({ issuer }) => `keys of ${issuer}`);
  };

  return {
    waitingFor,
    prepare(next) {
      forgetTimers();
      // Whoever was ready before goes on with new issuers: those of before can be verified.
      if (issuers) waitingFor();
      issuers = next;
      for (const keys of next) void go(keys, FIRST_WAIT_MS);
    },
    stop() {
      stopped = true;
      forgetTimers();
      for (const keys of issuers ?? []) keys.close();
    },
  };
}
