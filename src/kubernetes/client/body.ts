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

/** A line that can be taken once. */
export interface Line {
  readonly take: () => string;
}

/**
 * Reads lines as they come. What waits for the next line keeps what it gave last, which may be the value of a Secret, and
 * that for as long as nothing comes: so a line is given as what is empty when it has been taken.
 *
 * @throws TooLarge, HalfLine, or what the stream throws
 */
export async function* readLines(body: Readable, options: LineOptions): AsyncGenerator<Line, void, void> {
  const { idleMs, time } = options;
  let idle = false;
  const wait = (): (() => void) =>
    time.after(idleMs, () => {
      idle = true;
      body.destroy();
    });
  let cancel = wait();
  const splitter = lineSplitter(options.maxBytes);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      cancel();
      const lines = splitter.lines(chunk);
      // The stream keeps it, too.
      chunk.fill(0);
      for (let index = 0; index < lines.length; index += 1) yield lineOf(lines, index);
      cancel = wait();
    }
    if (!idle && splitter.hasRest()) throw new HalfLine('the stream ended within a line');
  } catch (error) {
    if (!idle) throw error;
  } finally {
    cancel();
  }
}

function lineOf(lines: string[], index: number): Line {
  return {
    take() {
      const text = lines[index] ?? '';
      lines[index] = '';
      return text;
    },
  };
}

/** Cuts where the bytes of a line break are: a character may be in two chunks. */
function lineSplitter(maxBytes: number): {
  /** Leaves nothing of the chunk in use. */
  readonly lines: (chunk: Buffer) => string[];
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
    lines(chunk) {
      const lines: string[] = [];
      let from = 0;
      for (let to = chunk.indexOf(NEWLINE); to >= 0; to = chunk.indexOf(NEWLINE, from)) {
        add(chunk.subarray(from, to));
        const line = Buffer.concat(parts, size).toString();
        parts = [];
        size = 0;
        from = to + 1;
        if (line.trim() !== '') lines.push(line);
      }
      add(Buffer.from(chunk.subarray(from)));
      return lines;
    },
    hasRest: () => size > 0,
  };
}
