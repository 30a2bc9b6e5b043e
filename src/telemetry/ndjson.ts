import { open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { OnbehalfError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { AuditRecord, AuditSink } from './audit.ts';

/** Options of {@link ndjsonSink} and {@link ndjsonFileSink}. */
export interface NdjsonOptions {
  /** Most that waits to be written, in bytes; what comes beyond is dropped. Default: 1 MiB. */
  readonly maxPendingBytes?: number | undefined;
}

/** A sink with a file of its own. */
export interface AuditFileSink {
  /** Writes one line. */
  (record: AuditRecord): Promise<void>;
  /**
   * Writes what waits, flushes the file to its disk and closes it.
   *
   * @throws the system error when that fails
   */
  close(): Promise<void>;
}

/**
 * What JSON leaves as it is although a reader may take it for the end of a line, hide it, or turn text around: control
 * characters beyond ASCII's, line and paragraph separators, and what has no width of its own. Half a pair is escaped by
 * `JSON.stringify`.
 */
const UNPRINTED = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * Writes each record as one line of JSON (NDJSON), for example to `process.stdout`.
 *
 * Nothing waits for the stream. When it does not keep up, records beyond `maxPendingBytes` are dropped and counted as
 * audit failures, and the next line that is written comes after one that says how many:
 * `{"v":1,"event":"records_dropped","time":...,"count":...}`. The stream stays yours to end; its errors are counted too,
 * and no longer end the process.
 *
 * @throws TypeError when an option is not of its form
 */
export function ndjsonSink(stream: Writable, options: NdjsonOptions = {}): AuditSink {
  checkOptions(options, 'ndjsonSink()', { maxPendingBytes: 'positive?' });
  const { maxPendingBytes = 1_048_576 } = options;
  let pending = 0;
  let dropped = 0;
  // A stream without a listener throws its errors at the process. Each is told to the write that it belongs to.
  if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);

  const write = async (text: string, bytes: number): Promise<void> => {
    pending += bytes;
    try {
      await new Promise<void>((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(error) : resolve()));
      });
    } finally {
      pending -= bytes;
    }
  };

  return (record) => {
    const text = `${dropped > 0 ? jsonLine(gap(dropped)) : ''}${jsonLine(record)}`;
    const bytes = Buffer.byteLength(text);
    if (pending + bytes > maxPendingBytes) {
      dropped += 1;
      throw new OnbehalfError('capacity_exceeded', `more than ${maxPendingBytes} bytes wait to be written`, {
        failure: 'unavailable',
      });
    }
    dropped = 0;
    return write(text, bytes);
  };
}

/**
 * Appends each record as one line of JSON to a file, see {@link ndjsonSink}. A file that it makes is readable by its
 * owner only (mode 0600). Rotate by copying and truncating, or make a new sink: the file stays open.
 *
 * @throws TypeError when an option is not of its form
 * @throws the system error when the file cannot be opened
 */
export async function ndjsonFileSink(path: string, options: NdjsonOptions = {}): Promise<AuditFileSink> {
  checkOptions(options, 'ndjsonFileSink()', { maxPendingBytes: 'positive?' });
  const file = await open(path, 'a', 0o600);
  const stream = file.createWriteStream({ flush: true });
  const sink = ndjsonSink(stream, options);
  return Object.assign(async (record: AuditRecord) => sink(record), {
    async close() {
      stream.end();
      await finished(stream);
    },
  });
}

function ignore(): void {}

const gap = (count: number): object => ({
  v: 1,
  event: 'records_dropped',
  time: new Date().toISOString(),
  count,
});

function jsonLine(value: object): string {
  const json = JSON.stringify(value).replace(UNPRINTED, (found) => {
    const units = found.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
    return units.map((unit) => `\\u${unit}`).join('');
  });
  return `${json}\n`;
}
