import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { cached } from './cache.ts';
import { unzip } from './unzip.ts';

const VERSION = '1.26.8';

/** SHA-256 of the toolchain's module, by platform as Go names it. */
const DIGESTS: Readonly<Record<string, string>> = {
  'linux-amd64': '30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7',
  'linux-arm64': '02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99',
};

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * Fetches Go from the module proxy, where its toolchains are modules too, once: for a machine that has none.
 *
 * @returns the `go` command
 * @throws Error when there is none for this platform, or when it cannot be fetched
 */
export async function fetchGo(): Promise<string> {
  const platform = `${process.platform}-${ARCHITECTURES[process.arch] ?? process.arch}`;
  const digest = DIGESTS[platform];
  if (digest === undefined) throw new Error(`there is no Go ${VERSION} to fetch for ${platform}`);
  const module = `golang.org/toolchain@v0.0.1-go${VERSION}.${platform}`;
  const folder = await cached(`go-${VERSION}-${platform}`, async (path) => {
    console.error(`fetching Go ${VERSION}, once: 70 MB`);
    const archive = await fetched(`${proxy()}/${module.replace('@', '/@v/')}.zip`, digest);
    for (const file of unzip(archive)) await put(path, file.path.slice(module.length + 1), file.content());
  });
  return join(folder, 'bin/go');
}

/** The first proxy of the list that Go itself would go by. */
function proxy(): string {
  const given = (process.env.GOPROXY ?? '').split(/[,|]/).find((one) => one.startsWith('http'));
  return (given ?? 'https://proxy.golang.org').replace(/\/+$/, '');
}

async function fetched(url: string, digest: string): Promise<Buffer> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`${url} cannot be reached`, { cause: error });
  });
  if (!response.ok) throw new Error(`${url} answers with status ${response.status}`);
  const archive = Buffer.from(await response.arrayBuffer());
  const found = createHash('sha256').update(archive).digest('hex');
  if (found !== digest) throw new Error(`${url} has the SHA-256 ${found}, but should have ${digest}`);
  return archive;
}

/** Modules have no modes: what is run is known by its place. */
async function put(folder: string, path: string, content: Buffer): Promise<void> {
  const file = resolve(folder, path);
  if (!file.startsWith(resolve(folder) + sep)) throw new Error(`${path} is outside of its folder`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content, { mode: /^(bin|pkg\/tool)\//.test(path) ? 0o755 : 0o644 });
}
