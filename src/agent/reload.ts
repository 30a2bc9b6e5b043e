import type { AgentFolder } from './load-config.ts';

/** How a reading of the folder ended. */
export type Reloading = 'unchanged' | 'reloaded';

/** Reads the folder again when asked, and by itself. */
export interface Reloader {
  /** @throws TypeError or OnbehalfError when the new files are wrong: then the agent goes on as it is */
  reload(): Promise<Reloading>;
  stop(): void;
}

/** Options of {@link createReloader}. */
export interface ReloaderOptions {
  /** What the agent runs by. */
  readonly first: AgentFolder;
  readonly load: () => Promise<AgentFolder>;
  /** Puts a changed folder to use. */
  readonly apply: (folder: AgentFolder) => Promise<void>;
  /** How often it looks by itself, in milliseconds; 0: not at all. */
  readonly intervalMs: number;
  /** Hears why files that are wrong were refused; once for each change of them. */
  readonly onRefused: (error: unknown) => void;
}

/**
 * Looks at the files, instead of being told: a folder that Kubernetes mounts is replaced as a whole behind a link, of which
 * watching a file hears nothing.
 */
export function createReloader(options: ReloaderOptions): Reloader {
  const { load, apply, intervalMs, onRefused } = options;
  let digest = options.first.digest;
  let refused = '';
  let stopped = false;

  const readAgain = async (): Promise<Reloading> => {
    const next = await load();
    if (stopped || next.digest === digest) return 'unchanged';
    await apply(next);
    digest = next.digest;
    return 'reloaded';
  };
  // One after the other: the last reading wins.
  let last: Promise<unknown> = Promise.resolve();
  const reload = (): Promise<Reloading> => {
    const mine = last.then(readAgain);
    last = mine.catch(() => {});
    return mine;
  };
  const look = (): void => {
    reload().then(
      () => {
        refused = '';
      },
      (error: unknown) => {
        if (String(error) !== refused) onRefused(error);
        refused = String(error);
      },
    );
  };
  const timer = intervalMs === 0 ? undefined : setInterval(look, intervalMs).unref();
  return {
    reload,
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
