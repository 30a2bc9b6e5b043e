// Eight processes on one Redis, against one process on it.
import { execFileSync, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTokenEndpoint, subjectToken } from './token-endpoint.ts';

/** What a replica is told. */
export interface ReplicaOrder {
  readonly redisPort: number;
  readonly tokenEndpoint: string;
  readonly storeKey: string;
  readonly subjectTokens: readonly string[];
  readonly targets: readonly string[];
}

/** Exchanges that so many processes made for the same 20 users and 4 targets. */
export interface Replicas {
  readonly one: number;
  readonly eight: number;
}

/** @returns `undefined` when there is no Redis server on this machine */
export async function benchReplicas(): Promise<Replicas | undefined> {
  const server = findRedis();
  if (!server) return undefined;
  return { one: await exchangesOf(1, server), eight: await exchangesOf(8, server) };
}

type Server = { readonly path: string; readonly env: NodeJS.ProcessEnv };

async function exchangesOf(processes: number, server: Server): Promise<number> {
  const redisPort = await freePort();
  const redis = spawn(server.path, ['--port', `${redisPort}`, '--bind', '127.0.0.1', '--save', ''], {
    env: { ...process.env, ...server.env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const endpoint = await startTokenEndpoint({ latencyMs: 20 });
  try {
    for await (const chunk of redis.stdout) if (String(chunk).includes('Ready to accept')) break;
    const order: ReplicaOrder = {
      redisPort,
      tokenEndpoint: endpoint.url,
      storeKey: randomBytes(32).toString('base64'),
      subjectTokens: Array.from({ length: 20 }, (_, index) => subjectToken(`user-${index}`)),
      targets: ['calendar', 'mail', 'files', 'notes'],
    };
    await Promise.all(Array.from({ length: processes }, () => runReplica(order)));
    return endpoint.requests;
  } finally {
    redis.kill('SIGKILL');
    await endpoint.close();
  }
}

async function runReplica(order: ReplicaOrder): Promise<void> {
  const child = fork(fileURLToPath(new URL('replica.js', import.meta.url)));
  child.send(order);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`a replica ended with ${code}`);
}

/** The one on the PATH, or the one that `npm run interop:redis` keeps in the cache. */
function findRedis(): Server | undefined {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'onbehalf', 'redis');
  const candidates: Server[] = [
    { path: 'redis-server', env: {} },
    { path: join(cache, 'usr/bin/redis-server'), env: { LD_LIBRARY_PATH: libraries(cache) } },
  ];
  return candidates.find(({ path, env }) => {
    try {
      execFileSync(path, ['--version'], { env: { ...process.env, ...env }, stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

function libraries(cache: string): string {
  const lib = join(cache, 'usr/lib');
  try {
    return readdirSync(lib)
      .map((name) => join(lib, name))
      .join(':');
  } catch {
    return '';
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
