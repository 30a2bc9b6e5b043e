import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { type KeptServer, startKept } from './kept-server.ts';

/** How a process is stopped: at once, as by a crash, or in its own way. */
export type HowToEnd = 'kill' | 'graceful';

/** A process of a control plane. It goes with this process, however that ends. */
export interface KubeProcess {
  /** Stops it from doing anything, its connections open, until {@link resume}. */
  pause(): void;
  resume(): void;
  /** Ends it, its own way taking up to ten seconds; resolves when it is gone. */
  end(how: HowToEnd): Promise<void>;
}

export interface KubeProcessOptions {
  /** What the log says when it has started. */
  readonly ready: RegExp;
  /** A file to write, which tells the process's id. */
  readonly pidFile: string;
  /** Removed when it has ended. Default: nothing. */
  readonly folder?: string;
}

/** The keeper does not tell whom it keeps: the process itself does, before it becomes the program. */
const TELL_PID = ['sh', '-c', 'echo $$ >"$0" && exec "$@"'] as const;
const START_MS = 60_000;

/** @throws Error with the end of the log when it ends or takes too long before it has started */
export async function startKubeProcess(
  command: readonly [string, ...string[]],
  { ready, pidFile, folder = '' }: KubeProcessOptions,
): Promise<KubeProcess> {
  const kept: KeptServer = await startKept([...TELL_PID, pidFile, ...command], {
    ready,
    folder,
    startMs: START_MS,
  });
  const pid = Number(await readFile(pidFile, 'utf8'));
  const signal = (name: NodeJS.Signals): void => {
    process.kill(pid, name);
  };
  return {
    pause() {
      signal('SIGSTOP');
      // Until each of its threads has stopped, it still answers.
      while (!isStopped(pid));
    },
    resume: () => signal('SIGCONT'),
    async end(how) {
      try {
        // One that is stopped would not hear a gentler signal.
        signal(how === 'kill' ? 'SIGKILL' : 'SIGCONT');
      } catch {
        // It has ended by itself.
      }
      await kept.stop();
    },
  };
}

/** What Linux says of a thread: its id, its name in brackets, and T when it is stopped. */
const STOPPED = /\) T /;

function isStopped(pid: number): boolean {
  if (process.platform !== 'linux') return true;
  const threads = `/proc/${pid}/task`;
  return readdirSync(threads).every((id) => {
    try {
      return STOPPED.test(readFileSync(`${threads}/${id}/stat`, 'utf8'));
    } catch {
      // It has ended since.
      return false;
    }
  });
}

const [LOWEST, HIGHEST] = [16_000, 32_000];
const TRIES = 100;

/**
 * A port of loopback that is free, and that the system gives to no connection by itself: a server that is stopped and started
 * again must find it free.
 */
export async function lastingPort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await isFree(port)) return port;
  }
  throw new Error(`no port between ${LOWEST} and ${HIGHEST} is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
