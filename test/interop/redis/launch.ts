import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type KeptServer, startKept } from '../support/kept-server.ts';
import type { RedisBinary } from './binary.ts';

/** A Redis server on loopback that keeps nothing on disk. */
export interface RunningRedis {
  readonly port: number;
  /** For a node of a cluster: where the other nodes reach it. */
  readonly busPort: number;
  /** Kills it at once (`kill -9`); resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty, after {@link kill}. */
  start(): Promise<void>;
  /** Stops it from doing anything, its connections open, until {@link resume}. */
  suspend(): Promise<void>;
  resume(): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

export async function startRedis(
  binary: RedisBinary,
  { cluster = false }: { cluster?: boolean } = {},
): Promise<RunningRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'onbehalf-redis-'));
  const [port, busPort] = [await freePort(), await freePort()];
  const pidFile = join(directory, 'pid');
  const settings: Readonly<Record<string, string>> = {
    bind: '127.0.0.1',
    port: String(port),
    dir: directory,
    pidfile: pidFile,
    save: '',
    appendonly: 'no',
    ...(cluster ? { 'cluster-enabled': 'yes', 'cluster-port': String(busPort) } : {}),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  let server: KeptServer | undefined;
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    // What the file of a server that is gone says may be another's process by now.
    if (server === undefined) throw new Error('the server does not run');
    process.kill(Number(await readFile(pidFile, 'utf8')), name);
  };
  const end = async (): Promise<void> => {
    await server?.stop();
    server = undefined;
  };
  const start = async (): Promise<void> => {
    server = await startKept([binary.path, ...args], {
      ready: /Ready to accept connections/,
      env: { ...binary.env },
      startMs: 20_000,
    });
  };
  await start();
  return {
    port,
    busPort,
    start,
    async kill() {
      await signal('SIGKILL');
      await end();
    },
    suspend: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async stop() {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
