import { readFileSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { auditRecord } from '../../src/telemetry/audit.ts';
import { ndjsonFileSink, ndjsonSink } from '../../src/telemetry/index.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { ISSUED } from './support.ts';

const RECORD = auditRecord(ISSUED, undefined);
const LINE = `${JSON.stringify(RECORD)}\n`;

/** A stream that keeps what it is given, and takes as long as it is told. */
function startStream(options: { readonly fail?: Error } = {}) {
  let written = '';
  let release = (): void => {};
  let held: Promise<void> | undefined;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const take = (): void => {
        written += chunk.toString();
        done(options.fail);
      };
      if (held) held.then(take);
      else take();
    },
  });
  return {
    stream,
    written: () => written,
    hold() {
      held = new Promise((resolve) => {
        release = () => {
          held = undefined;
          resolve();
        };
      });
    },
    release: () => release(),
  };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'onbehalf-audit-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

test('each record is one line of JSON', async () => {
  const { stream, written } = startStream();
  const sink = ndjsonSink(stream);
  await sink(RECORD);
  await sink({ ...RECORD, sub: 'bob' });
  expect(written()).toBe(`${LINE}${JSON.stringify({ ...RECORD, sub: 'bob' })}\n`);
});

/** Whatever somebody reads as the end of a line, does not see, or sees in another order. */
const TRICKS = [
  '\n',
  '\r',
  '\u2028',
  '\u2029',
  '\u0085',
  '\v',
  '\f',
  '\0',
  '\u001b[2K',
  '\u202e',
  '\u200b',
  '\ufeff',
  '\u{e0041}',
  '\ud800',
  '"',
  '\\',
];
const FORGED = `"}\n${LINE}`;

test('no claim can end a line, forge one, or hide: a reader gets back what was there', async () => {
  const piece = fc.oneof(fc.constantFrom(...TRICKS, FORGED), fc.string({ unit: 'binary' }));
  const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(text, text), { maxLength: 4 }), async (pairs) => {
      const { stream, written } = startStream();
      const sink = ndjsonSink(stream);
      const records = pairs.map(([sub, aud]) => ({ ...RECORD, sub, aud: [aud] }));
      for (const record of records) await sink(record);
      const lines = written().split('\n');
      expect(lines.pop()).toBe('');
      expect(lines.map((line) => JSON.parse(line))).toEqual(records);
      expect(written()).not.toMatch(/[^\n\P{Cc}]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    }),
  );
});

test('a stream that does not keep up gets no more than the bound; the rest is refused and told in the next line', async () => {
  const { stream, written, hold, release } = startStream();
  hold();
  const sink = ndjsonSink(stream, { maxPendingBytes: LINE.length * 2 });
  const kept = [sink(RECORD), sink(RECORD)];
  for (let i = 0; i < 3; i++) {
    expect(await failureOf(() => sink(RECORD))).toMatchObject({
      code: 'capacity_exceeded',
      failure: 'unavailable',
    });
  }
  release();
  await Promise.all(kept);
  await sink({ ...RECORD, sub: 'bob' });
  await sink(RECORD);
  const lines = written()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toEqual([
    RECORD,
    RECORD,
    { v: 1, event: 'records_dropped', time: expect.stringMatching(/^\d{4}-.+Z$/), count: 3 },
    { ...RECORD, sub: 'bob' },
    RECORD,
  ]);
});

test('a write that fails is told to who wrote, and ends no process', async () => {
  const broken = new Error('broken pipe');
  const { stream } = startStream({ fail: broken });
  const sink = ndjsonSink(stream);
  expect(await thrownBy(async () => sink(RECORD))).toBe(broken);
  expect(await thrownBy(async () => sink(RECORD))).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
});

test('a stream that throws does not use up the bound', async () => {
  const { stream } = startStream();
  stream.write = () => {
    throw new Error('no stream');
  };
  const sink = ndjsonSink(stream, { maxPendingBytes: LINE.length });
  for (let i = 0; i < 2; i++) {
    expect(await thrownBy(async () => sink(RECORD))).toMatchObject({ message: 'no stream' });
  }
});

test('many sinks at one stream hear of its errors once', () => {
  const { stream } = startStream();
  for (let i = 0; i < 20; i++) ndjsonSink(stream);
  expect(stream.listenerCount('error')).toBe(1);
});

test('a misspelt option is told at once', () => {
  const options = { maxPending: 1 } as never;
  expect(() => ndjsonSink(startStream().stream, options)).toThrow(
    /"maxPending" is no option of ndjsonSink\(\)/,
  );
});

test('a file is appended to, all of it written when close returns, and its owner alone may read it', async () => {
  const path = join(await temporaryFolder(), 'audit.ndjson');
  const subs: string[] = [];
  for (const sub of ['alice', 'bob']) {
    const sink = await ndjsonFileSink(path);
    for (let i = 0; i < 100; i++) void sink({ ...RECORD, sub });
    await sink.close();
    // At once, so that nothing can be written meanwhile.
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    subs.push(...Array<string>(100).fill(sub));
    expect(lines.map((line) => JSON.parse(line).sub)).toEqual(subs);
    await sink.close();
  }
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a record that comes after close is told not to be kept', async () => {
  const sink = await ndjsonFileSink(join(await temporaryFolder(), 'audit.ndjson'));
  await sink.close();
  expect(await thrownBy(sink(RECORD))).toMatchObject({ code: expect.stringMatching(/^ERR_STREAM_/) });
});

test('a file that cannot be opened is told at start-up', async () => {
  const file = join(await temporaryFolder(), 'file');
  await writeFile(file, '');
  expect(await thrownBy(ndjsonFileSink(join(file, 'audit.ndjson')))).toMatchObject({ code: 'ENOTDIR' });
});
