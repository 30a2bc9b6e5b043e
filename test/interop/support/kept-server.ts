import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A server of the real world, started by us. */
export interface KeptServer {
  /** Stops it and resolves when it is gone. */
  stop(): Promise<void>;
}

export interface KeptServerOptions {
  /** What the log says when the server takes requests. */
  readonly ready: RegExp;
  /** Environment, in addition to ours. */
  readonly env?: NodeJS.ProcessEnv;
  /** The server's own folder, removed when it has ended. Default: none. */
  readonly folder?: string;
  /** Longest start, in milliseconds. Default: two minutes. */
  readonly startMs?: number;
}

const LOG_CHARS = 20_000;

/**
 * Starts a server and waits until its log says that it is ready. It goes with this process, however that ends.
 *
 * @throws Error with the end of the log when the server ends or takes too long before it is ready
 */
export async function startKept(
  command: readonly [string, ...string[]],
  { ready, env = {}, folder = '', startMs = 120_000 }: KeptServerOptions,
): Promise<KeptServer> {
  const keeper = fileURLToPath(new URL('keeper.mjs', import.meta.url));
  const child = spawn(process.execPath, [keeper, folder, ...command], {
    env: { ...process.env, ...env },
    // Not in this process's group: a signal to all of that, SIGKILL too, leaves the keeper to do its work.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  try {
    await isReady(child, ready, startMs);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

function isReady(child: ChildProcess, ready: RegExp, startMs: number): Promise<void> {
  let log = '';
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => reject(new Error(`the server ${what}:\n${log}`));
    const timer = setTimeout(() => fail(`was not ready within ${startMs} ms`), startMs);
    child.once('exit', () => fail('ended before it was ready'));
    child.once('close', () => clearTimeout(timer));
    const read = (text: string): void => {
      log = (log + text).slice(-LOG_CHARS);
      if (!ready.test(log)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout?.setEncoding('utf8').on('data', read);
    child.stderr?.setEncoding('utf8').on('data', read);
  });
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the port of a server is unknown');
  return address.port;
}
