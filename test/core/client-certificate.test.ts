import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { clientCertificateSource } from '../../src/core/client-certificate.ts';
import type { SecretSource } from '../../src/core/secret.ts';
import { type Authority, type Certified, createAuthority } from '../support/certificates.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { createProjectedVolume, temporaryDirectory } from '../support/files.ts';
import { expectNoLeak } from '../support/leaks.ts';

let authority: Authority;
let one: Certified;
let two: Certified;

beforeAll(async () => {
  authority = await createAuthority();
  one = await authority.client('agent-one');
  two = await authority.client('agent-two');
});

/** What shows of a private key, were it to show. */
const secretsOf = ({ key }: Certified): string[] =>
  key.split('\n').filter((line) => /^[\w+/=]{8,}/.test(line));

test('the same certificate is the same object, so that what was made of it can be kept', async () => {
  const volume = await createProjectedVolume({ crt: one.cert, key: one.key, ca: authority.cert });
  const source = clientCertificateSource({
    certificate: { file: volume.path('crt') },
    privateKey: { file: volume.path('key') },
    ca: { file: volume.path('ca') },
  });
  const first = await source();
  expect(await source()).toBe(first);
  await volume.project({ crt: two.cert, key: two.key, ca: authority.cert });
  const second = await source();
  expect(second.cert.trim()).toBe(two.cert.trim());
  expect(await source()).toBe(second);
});

test('a pair that is replaced between the reading of its files is read again', async () => {
  const steps = [one.cert, two.key, two.cert, two.key];
  const next = (): string => steps.shift() as string;
  const source = clientCertificateSource({ certificate: next, privateKey: next });
  expect((await source()).cert).toBe(two.cert);
  expect(steps).toEqual([]);
});

test('a key that is not the one of the certificate is told after a few readings, and may pass', async () => {
  let reads = 0;
  const certificate = (): string => {
    reads += 1;
    return one.cert;
  };
  const source = clientCertificateSource({ certificate, privateKey: two.key });
  const error = await failureOf(source());
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'unavailable' });
  expect(error.message).toBe('"clientAuth.privateKey" is not the key of "clientAuth.certificate"');
  expect(reads).toBe(3);
  expectNoLeak(error, [...secretsOf(one), ...secretsOf(two)]);
});

test('a file that is half-written is told without what is in it', async () => {
  const file = join(await temporaryDirectory(), 'tls.key');
  await writeFile(file, one.key.slice(0, one.key.length / 2));
  const source = clientCertificateSource({ certificate: one.cert, privateKey: { file } });
  const error = await failureOf(source());
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'unavailable' });
  expect(error.message).toContain('clientAuth.privateKey');
  expectNoLeak(error, secretsOf(one).slice(0, 1));
  await writeFile(file, one.key);
  expect((await source()).key.trim()).toBe(one.key.trim());
});

test.each<[string, (at: { one: Certified; two: Certified }) => Record<string, SecretSource | undefined>]>([
  ['clientAuth.certificate', ({ one }) => ({ privateKey: one.key })],
  ['clientAuth.certificate', ({ one }) => ({ certificate: 'x', privateKey: one.key })],
  ['clientAuth.certificate', ({ one }) => ({ certificate: 'x', privateKey: () => one.key })],
  ['clientAuth.privateKey', ({ one }) => ({ certificate: one.cert })],
  ['clientAuth.privateKey', ({ one }) => ({ certificate: one.cert, privateKey: one.cert })],
  ['clientAuth.privateKey', ({ one, two }) => ({ certificate: one.cert, privateKey: two.key })],
  ['clientAuth.ca', ({ one }) => ({ certificate: one.cert, privateKey: one.key, ca: 'x' })],
  ['clientAuth.ca', ({ one }) => ({ certificate: one.cert, privateKey: one.key, ca: '' })],
])('a wrong %s is found at once, as far as it is known', async (name, sources) => {
  const error = await thrownBy(() => clientCertificateSource(sources({ one, two }) as never));
  expect(error).toBeInstanceOf(TypeError);
  expect((error as Error).message).toContain(`"${name}"`);
  expectNoLeak(error, secretsOf(one));
});
