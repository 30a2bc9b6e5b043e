import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { networkCause } from './errors.ts';

const MAX_BYTES = 1_048_576;
/** What stays until somebody changes something; anything else can be a file that is just being replaced. */
const LASTING: ReadonlySet<string> = new Set([
  ...['EACCES', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOTDIR', 'EPERM', 'ERR_INVALID_ARG_VALUE'],
]);

/** The text of a file; or why there is none, and whether that can pass without anybody's doing. */
export type FileText =
  | { readonly text: string }
  | { readonly problem: string; readonly failure: 'unavailable' | 'misconfigured' };

/**
 * Reads a small file of UTF-8 text anew, without the line breaks at its end. It is opened once and read from there, so
 * that a file which is replaced meanwhile is read as the old one or the new one, never as a part of each.
 *
 * @returns the text, not empty; or a problem that begins with the file's path and holds nothing of its content
 */
export async function readTextFile(path: string): Promise<FileText> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBytes(path);
  } catch (error) {
    const code = networkCause(error)?.message ?? 'unknown error';
    const failure = LASTING.has(code) ? 'misconfigured' : 'unavailable';
    return { problem: `${path} cannot be read (${code})`, failure };
  }
  if (!bytes) return { problem: `${path} is no regular file`, failure: 'misconfigured' };
  if (bytes.byteLength > MAX_BYTES) {
    return { problem: `${path} is larger than ${MAX_BYTES} bytes`, failure: 'misconfigured' };
  }
  const text = decoded(bytes);
  if (text === undefined) return { problem: `${path} is not UTF-8 text`, failure: 'misconfigured' };
  // Whoever writes it in place empties it first.
  return text === '' ? { problem: `${path} is empty`, failure: 'unavailable' } : { text };
}

async function readBytes(path: string): Promise<Buffer | undefined> {
  // Without O_NONBLOCK a named pipe would hold a thread until somebody writes to it.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!(await handle.stat()).isFile()) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of handle.createReadStream({ end: MAX_BYTES })) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } finally {
    await handle.close();
  }
}

function decoded(bytes: Buffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    let end = text.length;
    while (end > 0 && '\r\n'.includes(text.charAt(end - 1))) end -= 1;
    return text.slice(0, end);
  } catch {
    return undefined;
  }
}
