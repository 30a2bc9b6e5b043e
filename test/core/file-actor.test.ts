import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createActorCache } from '../../src/broker/actor-cache.ts';
import { createKeyring } from '../../src/broker/key.ts';
import { fileActor } from '../../src/core/file-actor.ts';
import { type SecurityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { startPlainBroker } from '../support/broker.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { createProjectedVolume, temporaryDirectory } from '../support/files.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { subjectJwt } from '../support/sts.ts';

const read = async (path: string): Promise<SecurityToken> => (await fileActor(path)({})) as SecurityToken;

test('the token in the file is a JWT unless it is said to be of another type', async () => {
  const token = fakeJwt({ sub: 'system:serviceaccount:agents:one' });
  const volume = await createProjectedVolume({ token: `${token}\n` });
  expect(await read(volume.path('token'))).toMatchObject({ token, type: TOKEN_TYPE.jwt });
  const { accessToken: tokenType } = TOKEN_TYPE;
  expect(await fileActor(volume.path('token'), { tokenType })({})).toMatchObject({ token, type: tokenType });
});

test('a token that the kubelet replaced is seen at the next reading', async () => {
  const tokens = [fakeJwt({ jti: '1' }), fakeJwt({ jti: '2' })] as const;
  const volume = await createProjectedVolume({ token: tokens[0] });
  const source = fileActor(volume.path('token'));
  expect(await source({})).toMatchObject({ token: tokens[0] });
  await volume.project({ token: tokens[1] });
  expect(await source({})).toMatchObject({ token: tokens[1] });
});

test('while the kubelet replaces the token, every reading gets a whole one', async () => {
  // Long enough that it is not read by one system call.
  const tokens = Array.from({ length: 60 }, (_, jti) => fakeJwt({ jti, more: 'x'.repeat(200_000) }));
  const volume = await createProjectedVolume({ token: tokens[0] as string });
  const source = fileActor(volume.path('token'));
  const seen = new Set<string>();
  let over = false;
  const reader = async (): Promise<void> => {
    while (!over) seen.add(((await source({})) as SecurityToken).token);
  };
  const readers = [reader(), reader(), reader()];
  for (const token of tokens) await volume.project({ token });
  over = true;
  await Promise.all(readers);
  // Counted rather than compared: a difference would print tokens.
  expect([...seen].filter((token) => !tokens.includes(token))).toHaveLength(0);
  expect(seen.size).toBeGreaterThan(2);
});

const TOKEN = fakeJwt({ sub: 'agent' });
const CUT = TOKEN.split('.')
  .with(1, TOKEN.split('.')[1]?.slice(0, -5) ?? '')
  .join('.');

test.each<[string, string, 'unavailable' | 'misconfigured', string | undefined]>([
  ['that is not there', 'ENOENT', 'unavailable', undefined],
  ['that is empty', 'is empty', 'unavailable', ''],
  ['that is half-written', 'a part of one', 'unavailable', TOKEN.slice(0, TOKEN.length / 2)],
  ['that ends in the payload', 'a part of one', 'unavailable', TOKEN.slice(0, TOKEN.lastIndexOf('.') - 4)],
  [
    'that ends before the signature',
    'a part of one',
    'unavailable',
    TOKEN.slice(0, TOKEN.lastIndexOf('.') + 1),
  ],
  ['whose payload was cut in two', 'no JWT', 'unavailable', CUT],
  ['with something after the token', 'no JWT', 'unavailable', `${TOKEN} x`],
  ['with another text', 'no JWT', 'unavailable', 'an-opaque-token-of-a-test'],
])('a file %s gives no actor, for the reason "%s", %s', async (_what, reason, failure, content) => {
  const path = join(await temporaryDirectory(), 'token');
  if (content !== undefined) await writeFile(path, content);
  const error = await failureOf(read(path));
  expect(error).toMatchObject({ code: 'actor_unavailable', failure });
  expect(error.message).toContain(path);
  expect(error.message).toContain(reason);
  if (content) expectNoLeak(error, [content]);
  await writeFile(path, TOKEN);
  expect((await read(path)).token).toBe(TOKEN);
});

test('a directory in place of the file will not become one by itself', async () => {
  const path = await temporaryDirectory();
  expect(await failureOf(read(path))).toMatchObject({ code: 'actor_unavailable', failure: 'misconfigured' });
});

test('the broker tells why there is no actor, and refuses one that has expired', async () => {
  const path = join(await temporaryDirectory(), 'token');
  const cache = createActorCache(fileActor(path), createKeyring(), {
    now: Date.now,
    deadlineMs: 30_000,
  });
  const missing = await failureOf(cache.current());
  expect(missing).toMatchObject({ code: 'actor_unavailable', failure: 'unavailable' });
  expect(missing.message).toContain(`${path} cannot be read (ENOENT)`);
  const expired = fakeJwt({ sub: 'agent', exp: seconds(Date.now()) - 1 });
  await writeFile(path, expired);
  const error = await failureOf(cache.current());
  expect(error).toMatchObject({ code: 'actor_expired' });
  expectNoLeak(error, [expired]);
  await writeFile(path, fakeJwt({ sub: 'agent', exp: seconds(Date.now()) + 600 }));
  expect((await cache.current()).sub).toBe('agent');
});

test('the token from the file is what the broker sends as actor token', async () => {
  const token = fakeJwt({ sub: 'agent', exp: seconds(Date.now()) + 600 });
  const volume = await createProjectedVolume({ token });
  const { sts, broker } = await startPlainBroker({ actor: fileActor(volume.path('token')) });
  const delegation = broker.begin({ subjectToken: subjectJwt('alice') });
  expect((await broker.token(delegation, 'calendar')).claims?.act).toBe('agent');
  expect(Object.fromEntries(sts.received[0]?.form ?? [])).toMatchObject({
    actor_token: token,
    actor_token_type: TOKEN_TYPE.jwt,
  });
});

test('a caller that has left is obeyed, for its own reason', async () => {
  const reason = new Error('enough');
  const source = fileActor(join(await temporaryDirectory(), 'token'));
  expect(await thrownBy(async () => source({ signal: AbortSignal.abort(reason) }))).toBe(reason);
});

test('a source and its token show nothing when they are printed', async () => {
  const path = join(await temporaryDirectory(), 'token');
  await writeFile(path, TOKEN);
  const source = fileActor(path);
  const token = (await source({})) as SecurityToken;
  await rm(path);
  expectNoLeak(token, [TOKEN]);
  expectNoLeak(source, [TOKEN]);
});

test.each<[string, () => unknown]>([
  ['path', () => fileActor('')],
  ['path', () => fileActor(undefined as unknown as string)],
  ['path', () => fileActor(TOKEN)],
  ['tokenType', () => fileActor('token', { tokenType: '' })],
  ['type', () => fileActor('token', { type: TOKEN_TYPE.jwt } as object)],
])('a wrong %s is found when the source is made', async (name, make) => {
  const error = await thrownBy(make);
  expect(error).toBeInstanceOf(TypeError);
  expect((error as Error).message).toContain(`"${name}"`);
  expectNoLeak(error, [TOKEN]);
});
