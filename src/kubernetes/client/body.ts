import type { Readable } from 'node:stream';
import type { Time } from '../time.ts';

/** A body, or a line of it, is larger than what is read. */
export class TooLarge extends Error {}

/** Reads a whole body. @throws TooLarge, or what the stream throws */
export async function readAll(body: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new TooLarge(`more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString();
}

export interface LineOptions {
  /** Longest line, in bytes. */
  readonly maxBytes: number;
  /** Longest silence, in milliseconds, after which it is as if the stream had ended. */
  readonly idleMs: number;
  readonly time: Time;
}

/** A stream ended within a line. */
export class HalfLine extends Error {}

const NEWLINE = 0x0a;

/** Reads lines as they come. @throws TooLarge, HalfLine, or what the stream throws */
export async function* readLines(body: Readable, options: LineOptions): AsyncGenerator<string, void, void> {
  const { idleMs, time } = options;
  let idle = false;
  const wait = (): (() => void) =>
    time.after(idleMs, () => {
      idle = true;
      body.destroy();
    });
  let cancel = wait();
  const take = lineSplitter(options.maxBytes);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      cancel();
      for (const line of take.lines(chunk)) yield line;
      cancel = wait();
    }
    if (!idle && take.hasRest()) throw new HalfLine('the stream ended within a line');
  } catch (error) {
    if (!idle) throw error;
  } finally {
    cancel();
    body.destroy();
  }
}

/** Cuts where the bytes of a line break are: a character may be in two chunks. */
function lineSplitter(maxBytes: number): {
  readonly lines: (chunk: Buffer) => Generator<string, void, void>;
  readonly hasRest: () => boolean;
} {
  let parts: Buffer[] = [];
  let size = 0;
  const add = (part: Buffer): void => {
    size += part.byteLength;
    if (size > maxBytes) throw new TooLarge(`a line of more than ${maxBytes} bytes`);
    if (part.byteLength > 0) parts.push(part);
  };
  return {
    *lines(chunk) {
      let from = 0;
      for (let to = chunk.indexOf(NEWLINE); to >= 0; to = chunk.indexOf(NEWLINE, from)) {
        add(chunk.subarray(from, to));
        const line = Buffer.concat(parts, size).toString();
        parts = [];
        size = 0;
        from = to + 1;
        if (line.trim() !== '') yield line;
      }
      add(chunk.subarray(from));
    },
    hasRest: () => size > 0,
  };
}
