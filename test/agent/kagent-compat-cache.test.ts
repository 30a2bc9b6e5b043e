// Of the list in kagent-compat.test.ts: what is kept and for how long, who acts, and where the STS is.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
import { calls, kept, LIFETIME_S, setAgent, stateOf, stopClock, tokenOf } from './kagent-compat-support.ts';
import { folderOf, send, tokensAt } from './support.ts';

/** How long before its end a token is no longer used; kagent has 5 s. */
const MARGIN_MS = 10_000;
/** How often the broker looks for tokens that are over, at the least. */
const SWEEP_MS = 30_000;
const LIFETIME_MS = LIFETIME_S * 1000;

// kagent keeps tokens by session; here that is retention "subject", and by the user.
test('second run in a session does not exchange again while the token lives', async () => {
  const { sts, keeper, server } = await setAgent({ retention: 'subject' });
  const alice = tokenOf('alice');

  const { body } = await send(server, alice);
  const second = await send(server, alice, { contextId: body.result.contextId });

  expect(stateOf(second)).toBe('completed');
  expect(tokensAt(keeper)).toEqual([sts.issued[0], sts.issued[0]]);
  expect(sts.exchanges()).toHaveLength(1);
});

test('by default, as was asked for, it does: nothing is kept between runs', async () => {
  const { sts, keeper, server } = await setAgent();
  const alice = tokenOf('alice');

  await send(server, alice);
  expect(await kept(server)).toBe(0);
  await send(server, alice);

  expect(tokensAt(keeper)).toEqual(sts.issued);
  expect(sts.exchanges()).toHaveLength(2);
});

// kagent: user B acts as user A in a session that A has begun (#2181).
test('a second user does not get the token of the first', async () => {
  const { keeper, server } = await setAgent({ retention: 'subject' });

  for (const user of ['alice', 'bob']) await send(server, tokenOf(user));

  expect(tokensAt(keeper).map((token) => decodeJwt(token ?? '').sub)).toEqual(['alice', 'bob']);
});

test('re-exchange after expiry', async () => {
  const goBy = stopClock();
  const { sts, keeper, server } = await setAgent({ retention: 'subject' });
  const alice = tokenOf('alice');

  await send(server, alice);
  goBy(LIFETIME_MS);
  await send(server, alice);

  expect(tokensAt(keeper)).toEqual(sts.issued);
  expect(sts.issued).toHaveLength(2);
});

test.each([
  ['before', -2_000, 0],
  ['at', 0, 1],
])('expiry boundary with a buffer (5 s there, 10 s here): %s it', async (_, ms, used) => {
  const goBy = stopClock();
  const { sts, keeper, server } = await setAgent({ retention: 'subject' });
  const alice = tokenOf('alice');
  await send(server, alice);
  const end = (decodeJwt(sts.issued[0] ?? '').exp ?? 0) * 1000;

  goBy(end - MARGIN_MS + ms - Date.now());
  await send(server, alice);

  // Shortly before its end the token is still used, while another one is made.
  expect(tokensAt(keeper)).toEqual([sts.issued[0], sts.issued[used]]);
});

// Here whenever they are over, with a run or without; the next look at them does not wait for that.
test('expired entries removed after the run, and without one', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { server } = await setAgent({ retention: 'subject' });
  for (const user of ['alice', 'bob']) await send(server, tokenOf(user));
  expect(await kept(server)).toBe(2);

  vi.advanceTimersByTime(LIFETIME_MS / 2);
  await send(server, tokenOf('carol'));
  expect(await kept(server)).toBe(3);

  vi.advanceTimersByTime(LIFETIME_MS / 2 + SWEEP_MS);
  expect(await kept(server)).toBe(1);
});

test('dynamic actor: fetched once for two sessions, and again on expiry', async () => {
  const goBy = stopClock();
  const { sts, server } = await setAgent({ service: () => ({ actor: { source: 'client_credentials' } }) });

  for (const user of ['alice', 'bob']) await send(server, tokenOf(user));
  expect(sts.ofAgent()).toHaveLength(1);
  const actors = sts.exchanges().map(({ form }) => form.get('actor_token'));
  expect(actors).toEqual([sts.issued[0], sts.issued[0]]);

  goBy(LIFETIME_MS);
  await send(server, tokenOf('alice'));
  expect(sts.ofAgent()).toHaveLength(2);
});

// kagent reads the token of its service account once, and keeps it.
test('an actor from a file is that of the file when it is renewed', async () => {
  const goBy = stopClock();
  const path = join(folderOf({}), 'actor');
  const [first, second] = [0, 1].map((jti) =>
    tokenOf('helper', { jti, exp: Date.now() / 1000 + LIFETIME_S }),
  );
  writeFileSync(path, first ?? '');
  const { sts, server } = await setAgent({ service: () => ({ actor: { source: 'file', path } }) });

  await send(server, tokenOf('alice'));
  writeFileSync(path, second ?? '');
  goBy(LIFETIME_MS - MARGIN_MS);
  await send(server, tokenOf('alice'));

  expect(sts.exchanges().map(({ form }) => form.get('actor_token'))).toEqual([first, second]);
});

test('actor failure: no exchange, and no call', async () => {
  const path = join(folderOf({}), 'actor');
  const { sts, keeper, server } = await setAgent({ service: () => ({ actor: { source: 'file', path } }) });
  expect(existsSync(path)).toBe(false);

  const { text } = await send(server, tokenOf('alice'));

  expect(text).toContain('actor_unavailable');
  expect([sts.exchanges().length, calls(keeper)]).toEqual([0, 0]);
});

test('host override of the token endpoint keeps the scheme', async () => {
  const { sts, keeper, server } = await setAgent({
    service: ({ host }) => ({
      ...{ metadata_url: undefined, token_endpoint: 'http://127.0.0.1:9/realms/a/token?b=c', host },
    }),
  });

  expect(stateOf(await send(server, tokenOf('alice')))).toBe('completed');

  expect(sts.received.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /realms/a/token?b=c']);
  expect(calls(keeper)).toBe(1);
});

test('discovery of STS metadata retried after failure, then cached', async () => {
  const { sts, keeper, server } = await setAgent();
  sts.state.isUp = false;

  const failed = await send(server, tokenOf('alice'));
  expect(failed.text).toContain('sts_metadata_invalid');
  expect([sts.exchanges().length, calls(keeper)]).toEqual([0, 0]);

  sts.state.isUp = true;
  const asked = sts.metadata().length;
  for (const user of ['bob', 'carol', 'dave'])
    expect(stateOf(await send(server, tokenOf(user)))).toBe('completed');

  expect(asked).toBeGreaterThan(0);
  expect(sts.metadata()).toHaveLength(asked + 1);
  expect([sts.exchanges().length, calls(keeper)]).toEqual([3, 3]);
});
