import { inflateRawSync } from 'node:zlib';

/** A file of an archive. */
export interface ZippedFile {
  readonly path: string;
  readonly content: () => Buffer;
}

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;
const STORED = 0;
const DEFLATED = 8;

/**
 * The files of a ZIP archive of at most 4 GiB, whose digest has been compared: its own checksums are not looked at.
 *
 * @throws Error when it is not of that form
 */
export function unzip(archive: Buffer): readonly ZippedFile[] {
  const end = archive.length - END_BYTES;
  // An archive with a comment ends otherwise; ours have none.
  if (end < 0 || archive.readUInt32LE(end) !== END) throw new Error('it is no ZIP archive without a comment');
  const files: ZippedFile[] = [];
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    if (archive.readUInt32LE(at) !== ENTRY) throw new Error('the list of files is damaged');
    const [name, extra, comment] = [28, 30, 32].map((offset) => archive.readUInt16LE(at + offset));
    const path = archive.toString('utf8', at + 46, at + 46 + (name as number));
    const place = {
      method: archive.readUInt16LE(at + 10),
      bytes: archive.readUInt32LE(at + 20),
      at: archive.readUInt32LE(at + 42),
    };
    if (!path.endsWith('/')) files.push({ path, content: () => contentOf(archive, place) });
    at += 46 + (name as number) + (extra as number) + (comment as number);
  }
  return files;
}

function contentOf(
  archive: Buffer,
  { method, bytes, at }: { readonly method: number; readonly bytes: number; readonly at: number },
): Buffer {
  const begin = at + 30 + archive.readUInt16LE(at + 26) + archive.readUInt16LE(at + 28);
  const content = archive.subarray(begin, begin + bytes);
  if (method === STORED) return content;
  if (method !== DEFLATED) throw new Error(`no such compression here: ${method}`);
  return inflateRawSync(content);
}
