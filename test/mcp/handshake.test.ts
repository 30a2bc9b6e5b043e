// How the client's own handshake is repeated for each user, and what becomes of a server that does not answer it well.
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { runAs } from '../../src/index.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { bareClient, connectBare, type Scene, startScene } from './any-client.ts';
import { end, result, type Seen } from './strict-server.ts';
import { failure } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

const RESULT = { protocolVersion: '2025-03-26', capabilities: {}, serverInfo: { name: 'x', version: '1' } };

/** A connected client, at a server that answers Alice's `initialize` like this. */
async function answering(
  answer: (response: ServerResponse, seen: Seen) => void,
): Promise<{ at: Scene; call: () => Promise<string> }> {
  const at = await startScene();
  const client = await connectBare(at.server.url, at.fetch);
  at.server.answer = (seen, response) => {
    if (seen.method !== 'initialize') return false;
    at.server.sessions.set('own', seen.sub);
    answer(response, seen);
    return true;
  };
  return { at, call: () => client.call(at.alice) };
}

const inEvents =
  (...parts: string[]) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'mcp-session-id': 'own' });
    for (const part of parts) response.write(part);
    response.end();
  };

const message = (id: unknown = 1): string => JSON.stringify({ jsonrpc: '2.0', id, result: RESULT });

describe('the handshake of the client', () => {
  test('is repeated for a user as it was, with the user’s token and nothing of the client’s own', async () => {
    const at = await startScene();
    const client = bareClient(at.server.url, at.fetch);
    const headers = { authorization: 'Bearer of-the-client', 'mcp-session-id': 'old', 'x-client': 'stays' };
    const params = { protocolVersion: '2025-06-18', capabilities: { roots: {} }, clientInfo: { name: 'n' } };
    const response = await client.send('initialize', { params, init: { headers } });
    client.id = response.headers.get('mcp-session-id') ?? '';
    await client.call(at.alice);
    const [own, hers] = at.server.of('initialize') as [Seen, Seen];
    expect(hers.body).toBe(own.body);
    expect(hers.headers).toMatchObject({ 'x-client': 'stays', accept: own.headers.accept });
    expect([own.token, own.sub, hers.sub, hers.session]).toEqual([undefined, '-', 'alice', undefined]);
  });

  test('ends with notifications/initialized in the new session, in the version that the server chose', async () => {
    const { at, call } = await answering((response, { id }) => {
      response.setHeader('mcp-session-id', 'own');
      result(response, id, RESULT);
    });
    expect(await call()).toBe('you are alice');
    const [, hers] = at.server.of('notifications/initialized') as [Seen, Seen];
    expect(hers).toMatchObject({ sub: 'alice', session: 'own' });
    expect(hers.headers['mcp-protocol-version']).toBe('2025-03-26');
    expect(at.server.of('tools/call')[0]?.session).toBe('own');
  });

  test('is made by nobody for what no user calls', async () => {
    const at = await startScene();
    await connectBare(at.server.url, at.fetch);
    expect(at.server.log()).toEqual(['initialize - 200', 'notifications/initialized - 202']);
  });
});

describe('an answer to the handshake', () => {
  test.each<[string, string[]]>([
    ['in one event', [`data: ${message()}\n\n`]],
    ['in an event with a name and an id', [`event: message\nid: 7\ndata: ${message()}\n\n`]],
    ['after an empty event and a comment', ['id: 1\ndata: \n\n: ping\n\n', `data: ${message()}\n\n`]],
    ['after another message', [`data: {"jsonrpc":"2.0","method":"x"}\n\ndata:${message()}\n\n`]],
    ['with CRLF', [`event: message\r\ndata: ${message()}\r\n\r\n`]],
    ['in two lines of data', [`data: {"jsonrpc":"2.0",\ndata: "result":${JSON.stringify(RESULT)}}\n\n`]],
    ['in two packets', [`data: ${message().slice(0, 20)}`, `${message().slice(20)}\n\n`]],
  ])('%s opens a session', async (_what, parts) => {
    const { at, call } = await answering(inEvents(...parts));
    expect(await call()).toBe('you are alice');
    expect(at.server.of('tools/call')[0]?.session).toBe('own');
  });

  test('by an event is enough: a stream that goes on is let go', async () => {
    let letGo = (): void => {};
    const cut = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { call } = await answering((response) => {
      response.on('close', letGo);
      response.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': 'own' });
      response.write(`data: ${message()}\n\n`);
    });
    expect(await call()).toBe('you are alice');
    await cut;
  });

  const json = (text: string) => (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'own' }).end(text);

  test.each<[string, (response: ServerResponse) => void]>([
    [
      'an error of JSON-RPC',
      json('{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"SECRET-WORD"}}'),
    ],
    ['an error and a result', json(`{"error":{"code":1},"result":${JSON.stringify(RESULT)}}`)],
    ['no JSON', json('<html>SECRET-WORD</html>')],
    ['null', json('null')],
    ['a list', json(`[${message()}]`)],
    ['a result without a version', json('{"jsonrpc":"2.0","id":1,"result":{}}')],
    ['a version that is no text', json('{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}')],
    ['nothing', json('')],
    ['events without a result', inEvents('data: SECRET-WORD\n\n', ': nothing\n\n')],
    ['an event that is not complete', inEvents(`data: ${message()}\n`)],
    ['more than a megabyte', json(`${' '.repeat(1_000_100)}${message()}`)],
  ])('that is %s opens no session: nothing is called, and what was begun is ended', async (_what, answer) => {
    const { at, call } = await answering(answer);
    const error = await failure(call());
    expect(error).toMatchObject({ code: 'server_failed', failure: 'misconfigured', retryable: false });
    expectNoLeak(error, ['SECRET-WORD']);
    await at.fetch.settled();
    expect(at.server.log('DELETE', 'tools/call')).toEqual(['DELETE alice 200']);
    expect(at.server.sessions.has('own')).toBe(false);
  });

  test.each([
    [400, 'server_failed', 'misconfigured'],
    [401, 'server_rejected_token', 'denied'],
    [403, 'server_rejected_token', 'denied'],
    [429, 'server_unreachable', 'unavailable'],
    [500, 'server_unreachable', 'unavailable'],
  ])(
    'with status %i is told as %s (%s), and the next call tries again',
    async (status, code, failureClass) => {
      const { at, call } = await answering((response) => end(response, status));
      expect(await failure(call())).toMatchObject({ code, failure: failureClass, status });
      at.server.answer = undefined;
      expect(await call()).toBe('you are alice');
      expect(at.server.executed).toEqual(['whoami alice']);
    },
  );

  test('that is cut off is told as a server that could not be reached', async () => {
    const { call } = await answering((response) => void response.destroy());
    expect(await failure(call())).toMatchObject({ code: 'server_unreachable', retryable: true });
  });

  test('that does not come is given up after 30 seconds, for all who wait', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { at, call } = await answering(() => {});
    const asked = [failure(call()), failure(call())];
    await at.server.arrived('initialize', 2);
    vi.advanceTimersByTime(29_999);
    expect(at.fetch.sessions).toBe(2);
    vi.advanceTimersByTime(1);
    for (const error of await Promise.all(asked)) {
      expect(error).toMatchObject({ code: 'server_unreachable', failure: 'unavailable' });
      expect(error.message).toContain('30000 ms');
    }
    expect(at.fetch.sessions).toBe(1);
  });
});

test('a refusal of notifications/initialized opens no session, and what was begun is ended', async () => {
  const at = await startScene();
  const client = await connectBare(at.server.url, at.fetch);
  at.server.refuse('notifications/initialized', 500);
  expect(await failure(client.call(at.alice))).toMatchObject({ code: 'server_unreachable', status: 500 });
  await at.fetch.settled();
  expect(at.server.log('DELETE')).toEqual(['DELETE alice 200']);
});

test('an exchange that fails while a user’s session is opened fails the call with its own error', async () => {
  const at = await startScene();
  const client = await connectBare(at.server.url, at.fetch);
  at.sts.handle((_request, response) => void response.writeHead(400).end('{"error":"invalid_grant"}'));
  const error = await failure(runAs(at.alice, () => client.send('tools/call')));
  expect(error.code).toBe('sts_error');
  expect(at.server.log('initialize')).toEqual(['initialize - 200']);
});

interface ToolResult {
  readonly result: { readonly content: readonly [{ readonly text: string }] };
}

test('a fetch of the user’s own that gives up by itself is told as a server that gave no answer', async () => {
  // What AbortSignal.timeout() gives has a number for a code, as an error of JSON-RPC has.
  let gives = (_body: string): boolean => false;
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    if (gives(String(init.body))) throw new DOMException('too slow', 'TimeoutError');
    return globalThis.fetch(url, init);
  };
  for (const failures of ['throw', 'tool_result'] as const) {
    gives = () => false;
    const at = await startScene({ fetch: { failures, fetch: send } });
    const client = await connectBare(at.server.url, at.fetch);
    gives = (body) => body.includes('"initialize"');
    const call = (): Promise<Response> => runAs(at.alice, () => client.send('tools/call'));
    const told = async (): Promise<unknown> =>
      failures === 'throw'
        ? (await failure(call())).code
        : JSON.parse(((await (await call()).json()) as ToolResult).result.content[0].text).error.code;
    expect(await told()).toBe('server_unreachable');
    gives = (body) => body.includes('"tools/call"');
    expect(await told()).toBe('server_failed');
  }
});
