import { execFileSync } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { OnbehalfError } from '../../src/core/errors.ts';
import { assertSecretSource, readSecret, type SecretSource } from '../../src/core/secret.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { createProjectedVolume, temporaryDirectory } from '../support/files.ts';
import { expectNoLeak } from '../support/leaks.ts';

const SECRET = 'fake-secret-of-a-test';
const MAKE_PIPE = 'mkfifo';
const WHAT = 'clientAuth.clientSecret';

test('a value is taken as it is', async () => {
  for (const value of [SECRET, `${SECRET}\n`, ' ']) expect(await readSecret(value, WHAT)).toBe(value);
});

test('a file is read as it is now, also when the kubelet replaced it', async () => {
  const volume = await createProjectedVolume({ secret: 'first' });
  const source = { file: volume.path('secret') };
  expect(await readSecret(source, WHAT)).toBe('first');
  await volume.project({ secret: 'second' });
  expect(await readSecret(source, WHAT)).toBe('second');
});

test.each([
  ['one line break at the end is not of the secret', `${SECRET}\n`, SECRET],
  ['nor are several, of any system', `${SECRET}\r\n\n`, SECRET],
  ['a byte order mark is not either', `\uFEFF${SECRET}`, SECRET],
  ['what is inside or in front is', ` a\nb \n`, ' a\nb '],
  ['text that is not ASCII is', 'p\u00e4ssw\u00f6rd\n', 'p\u00e4ssw\u00f6rd'],
])('%s', async (_what, content, expected) => {
  const file = join(await temporaryDirectory(), 'secret');
  await writeFile(file, content);
  expect(await readSecret({ file }, WHAT)).toBe(expected);
});

test('a file of the largest size is read, and no larger one', async () => {
  const file = join(await temporaryDirectory(), 'secret');
  await writeFile(file, 'a'.repeat(1_048_576));
  expect(await readSecret({ file }, WHAT)).toHaveLength(1_048_576);
  await writeFile(file, 'a'.repeat(1_048_577));
  const error = await failureOf(readSecret({ file }, WHAT));
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'misconfigured' });
  expect(error.message).toContain('1048576 bytes');
});

test('a function is called each time, whether it answers at once or later', async () => {
  let calls = 0;
  expect(await readSecret(() => `secret-${++calls}`, WHAT)).toBe('secret-1');
  expect(await readSecret(async () => `secret-${++calls}`, WHAT)).toBe('secret-2');
});

test.each<[string, string, 'unavailable' | 'misconfigured', (directory: string) => unknown]>([
  ['that is not there', 'ENOENT', 'unavailable', () => {}],
  ['that is empty', 'is empty', 'unavailable', (at) => writeFile(join(at, 'secret'), '')],
  ['with nothing but line breaks', 'is empty', 'unavailable', (at) => writeFile(join(at, 'secret'), '\n\n')],
  ['that is a directory', 'no regular file', 'misconfigured', (at) => symlink(at, join(at, 'secret'))],
  ['that links to itself', 'ELOOP', 'misconfigured', (at) => symlink('secret', join(at, 'secret'))],
  [
    'that is a pipe nobody writes to',
    'no regular file',
    'misconfigured',
    (at) => execFileSync(MAKE_PIPE, [join(at, 'secret')]),
  ],
  [
    'that is not text',
    'not UTF-8',
    'misconfigured',
    (at) => writeFile(join(at, 'secret'), Buffer.concat([Buffer.from(SECRET), Buffer.from([0xff])])),
  ],
])('a file %s is told by its path and reason (%s), %s', async (_what, reason, failure, make) => {
  const directory = await temporaryDirectory();
  await make(directory);
  const file = join(directory, 'secret');
  const error = await failureOf(readSecret({ file }, WHAT));
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure });
  expect(error.message).toContain(`"${WHAT}": ${file} `);
  expect(error.message).toContain(reason);
  expectNoLeak(error, [SECRET]);
});

test.each<[string, 'unavailable' | 'misconfigured', () => unknown]>([
  [
    'throws',
    'unavailable',
    () => {
      throw Object.assign(new Error(`cannot use ${SECRET}`), { secret: SECRET });
    },
  ],
  ['rejects', 'unavailable', () => Promise.reject(new Error(SECRET, { cause: new Error(SECRET) }))],
  [
    'throws an error that looks like ours',
    'unavailable',
    () => {
      throw new OnbehalfError('sts_error', SECRET, { failure: 'denied' });
    },
  ],
  ['throws no error', 'unavailable', () => Promise.reject(SECRET)],
  ['gives an empty string', 'unavailable', () => ''],
  ['gives no string', 'misconfigured', () => ({ secret: SECRET })],
  ['gives nothing', 'misconfigured', () => undefined],
])('a function that %s is told, as %s, and nothing of what it holds', async (_what, failure, source) => {
  const error = await failureOf(readSecret(source as () => string, WHAT));
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure });
  expect(error.message).toContain(WHAT);
  expectNoLeak(error, [SECRET]);
});

test('a function that never answers is given up', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const asking = failureOf(readSecret(() => new Promise<string>(() => {}), WHAT));
  await vi.advanceTimersByTimeAsync(10_000);
  const error = await asking;
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'unavailable' });
  expect(error.message).toContain('10000 ms');
});

test('a caller that leaves is obeyed, for its own reason, before and while it waits', async () => {
  const reason = new Error('enough');
  const sources: SecretSource[] = [SECRET, { file: '/nowhere/at/all' }, () => new Promise(() => {})];
  for (const source of sources) {
    expect(await thrownBy(readSecret(source, WHAT, AbortSignal.abort(reason)))).toBe(reason);
  }
  const controller = new AbortController();
  const asking = thrownBy(readSecret(() => new Promise<string>(() => {}), WHAT, controller.signal));
  controller.abort(reason);
  expect(await asking).toBe(reason);
});

test.each<[unknown]>([
  [undefined],
  [null],
  [''],
  [7],
  [{}],
  [{ file: '' }],
  [{ file: 7 }],
  [{ file: `-----BEGIN PRIVATE KEY-----\n${SECRET}` }],
  [{ file: 'with\0zero' }],
  [{ value: SECRET }],
])('%j is no source of a secret', async (source) => {
  const error = await thrownBy(() => assertSecretSource(source, WHAT));
  expect(error).toBeInstanceOf(TypeError);
  expect((error as Error).message).toContain(WHAT);
  expectNoLeak(error, [SECRET]);
});
