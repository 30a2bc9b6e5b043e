import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached } from '../support/cache.ts';
import { run } from '../support/run.ts';

/** A `redis-server` that runs here. */
export interface RedisBinary {
  readonly path: string;
  /** Environment that it needs, in addition to ours. */
  readonly env: Readonly<Record<string, string>>;
}

/** The server, its tools, and the libraries that a machine without Redis may lack. */
const PACKAGES = ['redis-server', 'redis-tools', 'libatomic1', 'libjemalloc2', 'liblzf1', 'libssl3'] as const;

/**
 * A Redis server: the one on the PATH, or that of Debian's packages, unpacked into the user's cache. Nothing is installed
 * and no service is started, so it needs no rights and leaves the machine as it is.
 *
 * @throws Error when neither can be had
 */
export async function findRedis(): Promise<RedisBinary> {
  const installed: RedisBinary = { path: 'redis-server', env: {} };
  if (await works(installed)) return installed;
  const root = await cached('redis', unpackInto);
  const unpacked = { path: join(root, 'usr/bin/redis-server'), env: await libraries(root) };
  if (await works(unpacked)) return unpacked;
  throw new Error(`the redis-server in ${root} does not run here`);
}

const works = ({ path, env }: RedisBinary): Promise<boolean> =>
  run([path, '--version'], env).then(
    () => true,
    () => false,
  );

/** Debian keeps libraries in a folder named after the machine: `x86_64-linux-gnu`. */
async function libraries(root: string): Promise<Record<string, string>> {
  const lib = join(root, 'usr/lib');
  const folders = (await readdir(lib)).filter((name) => name.includes('-linux-'));
  return { LD_LIBRARY_PATH: folders.map((name) => join(lib, name)).join(':') };
}

async function unpackInto(root: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'onbehalf-redis-'));
  try {
    // Lists of its own: the system's may be missing, and only root may fetch them.
    const [lists, cache] = ['lists', 'cache'].map((name) => join(work, name));
    await mkdir(`${lists}/partial`, { recursive: true });
    await mkdir(`${cache}/archives/partial`, { recursive: true });
    const own = [`Dir::State::lists=${lists}`, `Dir::Cache=${cache}`, 'APT::Sandbox::User='];
    const apt = (...args: string[]) =>
      run(['env', '-C', work, 'apt-get', '-qq', ...own.flatMap((each) => ['-o', each]), ...args]);
    await apt('update');
    await apt('download', ...PACKAGES);
    const archives = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    for (const archive of archives) await run(['dpkg', '-x', join(work, archive), root]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
