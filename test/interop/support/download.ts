import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const STEP = 10;

/** Base URL of the Maven repository that servers are downloaded from. */
export const mavenRepository = (): string =>
  (process.env.ONBEHALF_MAVEN_REPOSITORY || 'https://repo.maven.apache.org/maven2').replace(/\/+$/, '');

/**
 * Downloads a file, with progress on stderr, and compares it with the SHA-1 that the repository keeps beside it.
 * That shows a broken download; that it is the right one, only https does.
 */
export async function download(url: string, path: string): Promise<void> {
  const [expected = ''] = (await (await get(`${url}.sha1`)).text()).trim().split(/\s/);
  const response = await get(url);
  const hash = createHash('sha1');
  const total = Number(response.headers.get('content-length'));
  await pipeline(
    Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
    counting(url.slice(url.lastIndexOf('/') + 1), total, (chunk) => hash.update(chunk)),
    createWriteStream(path),
  );
  const found = hash.digest('hex');
  if (found !== expected) throw new Error(`${url} has the SHA-1 ${found}, but should have ${expected}`);
}

async function get(url: string): Promise<Response> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`${url} cannot be reached`, { cause: error });
  });
  if (!response.ok || response.body === null)
    throw new Error(`${url} answers with status ${response.status}`);
  return response;
}

/** Passes everything on, and says every ten per cent how much that was. */
function counting(name: string, total: number, see: (chunk: Buffer) => void): Transform {
  let bytes = 0;
  let said = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      see(chunk);
      bytes += chunk.length;
      const percent = total > 0 ? Math.floor((bytes * 100) / total) : 0;
      if (percent >= said + STEP) {
        said = percent - (percent % STEP);
        console.error(`${name}: ${said} % of ${Math.round(total / 1e6)} MB`);
      }
      done(null, chunk);
    },
  });
}
