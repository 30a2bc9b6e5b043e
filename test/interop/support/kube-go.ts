import { fetchGo } from './kube-toolchain.ts';
import { run } from './run.ts';

/** Where Go is, when it is not on the PATH. */
const PLACES = ['/usr/local/go/bin/go', '/usr/lib/go/bin/go', '/usr/local/bin/go'] as const;
/** From this one on, Go fetches as a module, when told `GOTOOLCHAIN=auto`, the later Go that a `go.mod` asks for. */
const OLDEST_MINOR = 21;

/**
 * Finds a Go that builds what asks for a later Go, too; or fetches one.
 *
 * @returns the `go` command
 * @throws Error saying where it was looked for, and why it cannot be fetched
 */
export async function findGo(): Promise<string> {
  const unfit: string[] = [];
  for (const path of ['go', ...PLACES]) {
    const minor = await minorVersion(path);
    if (minor !== undefined && minor >= OLDEST_MINOR) return path;
    unfit.push(minor === undefined ? `${path} is not there` : `${path} is Go 1.${minor}`);
  }
  console.error(`it is built by Go 1.${OLDEST_MINOR} or later: ${unfit.join(', ')}`);
  return fetchGo();
}

async function minorVersion(path: string): Promise<number | undefined> {
  const said = await run([path, 'version'], { GOTOOLCHAIN: 'local' }).catch(() => '');
  const found = /go version go1\.(\d+)/.exec(said);
  return found === null ? undefined : Number(found[1]);
}
