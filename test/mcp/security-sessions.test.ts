// What a security review found about sessions: whose a request is that comes without a user, and what a server may choose.
import { describe, expect, test } from 'vitest';
import { runAs } from '../../src/index.ts';
import { connectBare, INITIALIZE, type Scene, startScene } from './any-client.ts';
import { end, result, type StrictServer } from './strict-server.ts';
import { failure } from './support.ts';

const EVENTS = { accept: 'text/event-stream' };

/** Answers whatever comes, in a session that has the same id for all. */
const oneId: NonNullable<StrictServer['answer']> = ({ method, id, sub }, response) => {
  response.setHeader('mcp-session-id', 'the-only-one');
  if (method === 'initialize') return result(response, id, { protocolVersion: '2025-06-18' });
  if (method === 'GET') return end(response, 405);
  if (id === undefined) return end(response, 202);
  return result(response, id, { content: [{ type: 'text', text: `you are ${sub}` }] });
};

describe('two clients to which the server gives one session id', () => {
  async function connected() {
    const at = await startScene({ fetch: { discovery: 'delegated' } });
    at.server.answer = oneId;
    const [hers, his] = [
      await runAs(at.alice, () => connectBare(at.server.url, at.fetch)),
      await runAs(at.bob, () => connectBare(at.server.url, at.fetch)),
    ];
    return { ...at, hers, his };
  }

  test('are two clients: no request, cancellation or end of one is made as the other’s user', async () => {
    const at = await connected();
    const params = { requestId: 7 };
    await runAs(at.bob, () => at.his.send('tools/call', { id: 7 }));
    at.server.requests.length = 0;
    await runAs(at.alice, async () => {
      await at.hers.get();
      // Request 7 is the other client's.
      await at.hers.send('notifications/cancelled', { params });
      await at.hers.send('tools/call', { id: 7 });
      await at.hers.send('notifications/cancelled', { params });
      await at.hers.end();
    });
    await at.fetch.settled();
    expect(at.server.log()).toEqual([
      'GET alice 405',
      'tools/call alice 200',
      'notifications/cancelled alice 202',
      'DELETE alice 202',
    ]);
  });

  test('end each for itself', async () => {
    const at = await connected();
    expect(at.hers.id).not.toBe(at.his.id);
    await at.hers.end();
    expect(await at.his.call(at.bob)).toBe('you are bob');
    expect(at.fetch.sessions).toBe(1);
    await at.his.end();
    expect(at.server.log('DELETE')).toEqual(['DELETE alice 202', 'DELETE bob 202']);
  });
});

/** Every stream that is asked for has one event and breaks off; who asked for which is written down. */
function breakingOff(refused: string): NonNullable<StrictServer['answer']> {
  return ({ method, sub, headers }, response) => {
    if (method !== 'GET' && method !== 'tools/call') return false;
    if (method === 'GET' && sub === refused) return end(response, 403);
    const last = headers['last-event-id'] ?? 'own-0';
    const isOwn = method === 'GET' && String(last).startsWith('own-');
    const id = isOwn ? `own-${Number(last.slice(4)) + 1}` : `call-of-${sub}`;
    return end(response, 200, { 'content-type': 'text/event-stream' }, `id: ${id}\ndata: {}\n\n`);
  };
}

/** The id, as the client is told it, of the one event of a stream. */
const lastEvent = (stream: string): string => /^id: (.+)$/m.exec(stream)?.[1] ?? '';

const resumed = ({ server }: Scene): string[] =>
  server.of('GET').map(({ sub, session, headers }) => `${sub} ${session} ${headers['last-event-id']}`);

const listen = (at: Scene, session: string | undefined, lastEvent?: string): Promise<Response> =>
  at.fetch(at.server.url, {
    headers: {
      ...EVENTS,
      ...(session !== undefined && { 'mcp-session-id': session }),
      ...(lastEvent !== undefined && { 'last-event-id': lastEvent }),
    },
  });

describe.each([
  ['nobody', '-', 'discovery'],
  ['a user', 'bob', 'nothing'],
] as const)('a client that %s has connected', (_who, owner, open) => {
  async function called(refused = '') {
    const at = await startScene({ server: { open } });
    const client = await runAs(at.bob, () => connectBare(at.server.url, at.fetch));
    at.server.answer = breakingOff(refused);
    const own = lastEvent(await (await runAs(at.bob, () => client.get())).text());
    const answer = await runAs(at.alice, () => client.send('tools/call'));
    expect(lastEvent(await answer.text())).toBe('call-of-alice');
    at.server.requests.length = 0;
    return { at, id: client.id, own };
  }

  test('resumes its own stream as who it is, whoever’s code is running', async () => {
    const { at, id, own } = await called();
    const again = await runAs(at.alice, () => listen(at, id, own));
    // What it is told then is of its own stream, too.
    await runAs(at.alice, async () => listen(at, id, lastEvent(await again.text())));
    expect(resumed(at)).toEqual([`${owner} s1 own-1`, `${owner} s1 own-2`]);
  });

  test('resumes the stream of a call as the caller', async () => {
    const { at, id } = await called();
    expect((await runAs(at.alice, () => listen(at, id, 'call-of-alice'))).status).toBe(200);
    expect(resumed(at)).toEqual(['alice s2 call-of-alice']);
  });

  test('resumes it as nobody else where the caller is refused', async () => {
    const { at, id } = await called('alice');
    expect(await failure(runAs(at.alice, () => listen(at, id, 'call-of-alice')))).toMatchObject({
      code: 'server_rejected_token',
    });
    expect(resumed(at)).toEqual(['alice s2 call-of-alice']);
  });

  test('resumes it not at all when the caller’s run has ended, or nobody is known', async () => {
    const { at, id } = await called();
    at.broker.end(at.alice);
    await at.fetch.settled();
    expect(await failure(runAs(at.alice, () => listen(at, id, 'call-of-alice')))).toMatchObject({
      code: 'delegation_ended',
    });
    expect(await failure(listen(at, id, 'call-of-alice'))).toMatchObject({ code: 'delegation_missing' });
    expect(resumed(at)).toEqual([]);
  });
});

test('without a session the stream of a call is resumed as the caller, and as nobody else', async () => {
  const at = await startScene({
    server: { stateless: true, open: 'everything' },
    fetch: { agentCredential: () => 'token-of-the-agent' },
  });
  at.server.answer = breakingOff('alice');
  expect(await failure(runAs(at.alice, () => listen(at, undefined, 'call-of-alice')))).toMatchObject({
    code: 'server_rejected_token',
  });
  expect(await failure(listen(at, undefined, 'call-of-alice'))).toMatchObject({ code: 'delegation_missing' });
  expect((await runAs(at.bob, () => listen(at, undefined, 'call-of-bob'))).status).toBe(200);
  expect(resumed(at)).toEqual(['alice undefined call-of-alice', 'bob undefined call-of-bob']);
});

describe('what comes without a caller at a client that a user has connected', () => {
  const ASIDE = [
    ['an answer', { jsonrpc: '2.0', id: 0, result: { action: 'accept' } }],
    ['an error', { jsonrpc: '2.0', id: 0, error: { code: 1, message: 'no' } }],
    ['progress', { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 0 } }],
  ] as const;

  test.each(ASIDE)('%s, is that user’s while nobody else has used it', async (_what, message) => {
    const at = await startScene({ server: { open: 'nothing' } });
    const client = await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
    await client.call(at.alice);
    at.server.requests.length = 0;
    expect((await post(at, message, client.id)).ok).toBe(true);
    expect(at.server.requests.map(({ sub, session }) => `${sub} ${session}`)).toEqual(['alice s1']);
  });

  test.each(ASIDE)('%s, is nobody’s when two have: nothing is sent', async (_what, message) => {
    const at = await startScene({ server: { open: 'nothing' } });
    const client = await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
    await client.call(at.bob);
    at.server.requests.length = 0;
    expect(await failure(post(at, message, client.id))).toMatchObject({ code: 'delegation_missing' });
    expect(at.server.requests).toEqual([]);
    expect((await runAs(at.bob, () => post(at, message, client.id))).ok).toBe(true);
    expect(at.server.requests.map(({ sub, session }) => `${sub} ${session}`)).toEqual(['bob s2']);
  });
});

const post = (at: Scene, message: object, session = ''): Promise<Response> =>
  at.fetch(at.server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'mcp-session-id': session },
    body: JSON.stringify(message),
  });

test('a server that gives an id only later cannot put the client into a session', async () => {
  const at = await startScene({ server: { stateless: true } });
  const client = await connectBare(at.server.url, at.fetch);
  at.server.answer = (_seen, response) => {
    response.setHeader('mcp-session-id', 'not-of-the-handshake');
    return false;
  };
  const answers = [
    await client.send('tools/list'),
    await runAs(at.alice, () => client.send('tools/call')),
    await runAs(at.alice, () => client.send('notifications/progress')),
    await runAs(at.alice, () => listen(at, undefined, 'event')),
  ];
  expect(answers.map(({ headers }) => headers.get('mcp-session-id'))).toEqual([null, null, null, null]);
  expect(await client.call(at.bob)).toBe('you are bob');
});

test('a client that connects sends no session id, be it another’s or of another process', async () => {
  const at = await startScene({ fetch: { discovery: 'delegated' } });
  const hers = await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
  for (const session of ['s1', hers.id, 'of-another-process']) {
    const message = { jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE };
    expect((await runAs(at.bob, () => post(at, message, session))).status).toBe(200);
  }
  const opened = at.server.of('initialize').map(({ sub, session }) => `${sub} ${session}`);
  expect(opened).toEqual(['alice undefined', 'bob undefined', 'bob undefined', 'bob undefined']);
  expect(await hers.call(at.alice)).toBe('you are alice');
  expect(at.server.violations).toEqual([]);
});
