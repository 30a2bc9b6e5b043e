// What becomes of a 401: RFC 6750 section 3.1.
import { describe, expect, test } from 'vitest';
import { runAs } from '../../src/index.ts';
import { createClock } from '../support/clock.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { bareClient, connectBare, fetchAt, type Scene, startScene } from './any-client.ts';
import { failure } from './support.ts';

const tokens = ({ server }: Scene): (string | undefined)[] =>
  server.of('tools/call').map(({ token }) => token);

/** A call of Alice's without a session, so that nothing but the call is in the log. */
const callOnce = (at: Scene): Promise<Response> =>
  runAs(at.alice, () =>
    bareClient(at.server.url, at.fetch).send('tools/call', { params: { name: 'whoami' } }),
  );

describe('a 401', () => {
  test.each([
    ['with invalid_token', 'Bearer error="invalid_token"'],
    ['with invalid_token after another scheme', 'Basic realm="x", Bearer realm="y", error="invalid_token"'],
    ['without an error code', 'Bearer realm="calendar"'],
    ['without any challenge', undefined],
  ])('%s drops the token: one exchange, one replay', async (_what, challenge) => {
    const at = await startScene({ server: { stateless: true } });
    at.server.refuse('tools/call', 401, { ...(challenge && { challenge }) });
    expect((await callOnce(at)).status).toBe(200);
    expect(at.server.log()).toEqual(['tools/call alice 401', 'tools/call alice 200']);
    expect(new Set(tokens(at)).size).toBe(2);
    expect(at.sts.exchanges).toBe(2);
  });

  test.each(['invalid_request', 'insufficient_user_authentication', 'whatever'])(
    'with the code %s is told at once: no replay, and the token stays',
    async (code) => {
      const at = await startScene({ server: { stateless: true } });
      at.server.refuse('tools/call', 401, { challenge: `Bearer error="${code}"` });
      const error = await failure(callOnce(at));
      expect(error).toMatchObject({ code: 'server_rejected_token', status: 401 });
      expect((await callOnce(at)).status).toBe(200);
      expect(at.server.log()).toEqual(['tools/call alice 401', 'tools/call alice 200']);
      expect(new Set(tokens(at)).size).toBe(1);
      expect(at.sts.exchanges).toBe(1);
    },
  );

  test('with insufficient_user_authentication says that the user has to sign in anew (RFC 9470)', async () => {
    const at = await startScene({ server: { stateless: true } });
    const challenge = 'Bearer error="insufficient_user_authentication", acr_values="gold"';
    at.server.refuse('tools/call', 401, { challenge });
    expect(await failure(callOnce(at))).toMatchObject({
      failure: 'reauthentication_required',
      retryable: false,
    });
  });

  test('to the replay too is told, and the second token is kept for the next request', async () => {
    const at = await startScene({ server: { stateless: true } });
    at.server.refuse('tools/call', 401, { times: 2 });
    expect(await failure(callOnce(at))).toMatchObject({ code: 'server_rejected_token', failure: 'denied' });
    expect(at.server.log()).toEqual(['tools/call alice 401', 'tools/call alice 401']);
    await callOnce(at);
    expect(new Set(tokens(at)).size).toBe(2);
  });

  test('to fifty calls with one token makes one exchange, and each call is made once more', async () => {
    const at = await startScene({ server: { stateless: true } });
    await callOnce(at);
    const token = at.server.of('tools/call')[0]?.token ?? '';
    let refused = 0;
    let open = (): void => {};
    const all = new Promise<void>((resolve) => {
      open = resolve;
    });
    at.server.answer = async (seen) => {
      if (seen.token !== token) return false;
      refused += 1;
      if (refused === 50) open();
      await all;
      return false;
    };
    at.server.revoke(token);
    const answers = await Promise.all(Array.from({ length: 50 }, () => callOnce(at)));
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(at.server.executed).toHaveLength(51);
    expect(at.server.of('tools/call')).toHaveLength(101);
    expect(at.sts.exchanges).toBe(2);
  });

  test('to one user drops no other’s token', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    await client.call(at.alice);
    await client.call(at.bob);
    at.server.refuse('tools/call', 401);
    expect(await client.call(at.alice)).toBe('you are alice');
    expect(await client.call(at.bob)).toBe('you are bob');
    expect(new Set(at.server.of('tools/call').map(({ token }) => token)).size).toBe(3);
    expect(at.sts.exchanges).toBe(3);
  });

  test('is told without the token, wherever the challenge repeats it', async () => {
    const at = await startScene({ server: { stateless: true } });
    await callOnce(at);
    const [token = ''] = tokens(at);
    at.server.answer = (_seen, response) => {
      const challenge = `Bearer error="invalid_request", error_description="${token}", scope="${token}"`;
      response.writeHead(401, token.slice(0, 40), { 'www-authenticate': challenge }).end(token);
      return true;
    };
    expectNoLeak(await failure(callOnce(at)), [token]);
  });
});

test('a token that runs out while an answer is streamed does not break the next call', async () => {
  const clock = createClock();
  const at = await startScene({ broker: { now: clock.now } });
  const client = await connectBare(at.server.url, at.fetch);
  let finish = (): void => {};
  at.server.answer = (seen, response) => {
    if (seen.method !== 'tools/call') return false;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begun\n\n');
    finish = () => response.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
    return true;
  };
  const streamed = await runAs(at.alice, () => client.send('tools/call', { params: { name: 'slow' } }));
  at.server.answer = undefined;
  // What the server would not take any more is not even tried.
  at.server.revoke(tokens(at)[0]);
  clock.advance(301_000);
  expect(await client.call(at.alice)).toBe('you are alice');
  finish();
  expect(await streamed.text()).toContain('"result"');
  expect(at.server.log('initialize', 'tools/call')).toEqual([
    'initialize - 200',
    'initialize alice 200',
    'tools/call alice 200',
    'tools/call alice 200',
  ]);
  expect(at.sts.exchanges).toBe(2);
});

describe('a body', () => {
  const revokeFirst = async (body: unknown): Promise<{ at: Scene; work: Promise<Response> }> => {
    const at = await startScene({ server: { stateless: true, open: 'nothing' } });
    at.server.answer = (_seen, response) => {
      response.writeHead(at.server.requests.length === 1 ? 401 : 200).end();
      return true;
    };
    const init = { method: 'POST', body, duplex: 'half' } as unknown as RequestInit;
    return { at, work: runAs(at.alice, () => at.fetch(at.server.url, init)) };
  };
  const form = new FormData();
  form.set('a', '1');

  test.each([
    ['none', undefined, ''],
    ['null', null, ''],
    ['an empty string', '', ''],
    ['search parameters', new URLSearchParams({ a: '1' }), 'a=1'],
    ['a view of bytes', new DataView(new TextEncoder().encode('{"a":1}').buffer), '{"a":1}'],
    ['a form', form, 'name="a"'],
  ])('that can be sent twice is: %s', async (_what, body, text) => {
    const at = await startScene({ server: { stateless: true } });
    let come = 0;
    const bodies: string[] = [];
    const fetch = fetchAt({
      ...{ broker: at.broker, url: at.server.url },
      fetch: async (url, init) => {
        bodies.push(await new Request(url, init).text());
        come += 1;
        return new Response(null, { status: come === 1 ? 401 : 200 });
      },
    });
    const init = { method: 'POST', body } as RequestInit;
    expect((await runAs(at.alice, () => fetch(at.server.url, init))).status).toBe(200);
    expect(bodies).toHaveLength(2);
    for (const each of bodies) expect(each).toContain(text);
  });

  test('that is a stream is sent once, and the refusal told', async () => {
    const { at, work } = await revokeFirst(new Blob(['{}']).stream());
    expect(await failure(work)).toMatchObject({ code: 'server_rejected_token', status: 401 });
    expect(at.server.requests).toHaveLength(1);
  });
});
