// When a user's session at the server ends: with time, with close(), and before it was open.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { runAs } from '../../src/index.ts';
import { connectBare, fetchAt, type Scene, startScene } from './any-client.ts';
import { end, type Seen } from './strict-server.ts';
import { createGate, failed, failure } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** Lets a streamed answer to the next call of a user begin; what it gives ends the answer. */
function streamNext({ server }: Scene, sub = 'alice'): () => void {
  let finish = (): void => {};
  const before = server.answer;
  server.answer = (seen, response) => {
    if (seen.method !== 'tools/call' || seen.sub !== sub) return before?.(seen, response);
    server.answer = before;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': begun\n\n');
    finish = () => {
      const message = { jsonrpc: '2.0', id: seen.id, result: { content: [{ type: 'text', text: 'late' }] } };
      response.end(`data: ${JSON.stringify(message)}\n\n`);
    };
    return true;
  };
  return () => finish();
}

const sessionsOf = (at: Scene, sub: string): Set<string | undefined> =>
  new Set(
    at.server
      .of('tools/call')
      .filter((seen) => seen.sub === sub)
      .map(({ session }) => session),
  );

describe('time', () => {
  const scene = async (fetch: object): Promise<Scene> => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    return startScene({ fetch });
  };

  test('ends a session that nobody used, and the client’s own, but nothing before', async () => {
    const at = await scene({ idleMs: 5_000 });
    const client = await connectBare(at.server.url, at.fetch);
    await client.call(at.alice);
    vi.advanceTimersByTime(4_999);
    expect(at.fetch.sessions).toBe(2);
    vi.advanceTimersByTime(1);
    await at.fetch.settled();
    expect(at.server.log('DELETE').toSorted()).toEqual(['DELETE - 200', 'DELETE alice 200']);
    // The client need not know: its next requests open them anew.
    expect(await client.call(at.alice)).toBe('you are alice');
    expect((await client.send('tools/list')).status).toBe(200);
  });

  test.each(['throw', 'tool_result'])(
    'does not cut off an answer that is streamed for longer (failures: %s)',
    async (failures) => {
      const at = await scene({ idleMs: 5_000, failures });
      const client = await connectBare(at.server.url, at.fetch);
      const finish = streamNext(at);
      const response = await runAs(at.alice, () => client.send('tools/call', { params: { name: 'slow' } }));
      for (let index = 0; index < 4; index++) vi.advanceTimersByTime(5_000);
      await at.fetch.settled();
      expect(at.server.log('DELETE')).toEqual(['DELETE - 200']);
      finish();
      expect(await response.text()).toContain('late');
      vi.advanceTimersByTime(5_000);
      await at.fetch.settled();
      expect(at.server.log('DELETE')).toContain('DELETE alice 200');
    },
  );

  test('ends a session that is too old, at its next use, though it was used all the time', async () => {
    const at = await scene({ idleMs: 5_000, maxSessionMs: 12_000 });
    const client = await connectBare(at.server.url, at.fetch);
    for (let index = 0; index < 5; index++) {
      await client.call(at.alice);
      vi.advanceTimersByTime(4_000);
    }
    await at.fetch.settled();
    expect(sessionsOf(at, 'alice').size).toBe(2);
    expect(at.server.log('DELETE')).toContain('DELETE alice 200');
  });

  test('ends a session that is too old after the calls that are under way in it', async () => {
    const at = await scene({ idleMs: 60_000, maxSessionMs: 10_000 });
    const client = await connectBare(at.server.url, at.fetch);
    const gate = createGate();
    let come = 0;
    at.server.answer = async ({ method }) => {
      if (method === 'tools/call' && ++come === 1) await gate.wait();
      return false;
    };
    const slow = client.call(at.alice);
    await gate.reached(1);
    vi.advanceTimersByTime(10_000);
    await client.call(at.alice);
    expect(at.server.log('DELETE')).toEqual([]);
    gate.open();
    expect(await slow).toBe('you are alice');
    await at.fetch.settled();
    expect(at.server.log('DELETE')).toEqual(['DELETE alice 200']);
  });

  test('ends a session that is too old after the answer that is streamed in it, and at close() at the latest', async () => {
    const at = await scene({ idleMs: 5_000, maxSessionMs: 10_000 });
    const client = await connectBare(at.server.url, at.fetch);
    const finish = streamNext(at);
    const response = await runAs(at.alice, () => client.send('tools/call', { params: { name: 'slow' } }));
    vi.advanceTimersByTime(10_000);
    await client.call(at.alice);
    expect(at.server.log('DELETE').filter((line) => line.includes('alice'))).toEqual([]);
    finish();
    expect(await response.text()).toContain('late');
    await at.fetch.close();
    expect([...at.server.sessions]).toEqual([]);
  });
});

describe('close()', () => {
  test('ends all sessions, each under its own identity', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    await client.call(at.alice);
    await client.call(at.bob);
    await at.fetch.close();
    expect(at.server.log('DELETE').toSorted()).toEqual([
      'DELETE - 200',
      'DELETE alice 200',
      'DELETE bob 200',
    ]);
    expect([at.server.sessions.size, at.fetch.sessions]).toEqual([0, 0]);
  });

  test('lets no client connect or call after that, and sends nothing for it', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    await client.call(at.alice);
    await at.fetch.close();
    at.server.requests.length = 0;
    await failed(connectBare(at.server.url, at.fetch));
    expect((await runAs(at.alice, () => client.send('tools/call'))).status).toBe(404);
    expect(at.server.requests).toEqual([]);
    expect([...at.server.sessions]).toEqual([]);
  });

  test('while a session is being opened leaves none behind', async () => {
    const at = await startScene();
    const gate = createGate();
    at.server.answer = async ({ method }) => {
      if (method === 'initialize') await gate.wait();
      return false;
    };
    const connecting = connectBare(at.server.url, at.fetch).catch(() => {});
    await gate.reached(1);
    const closing = at.fetch.close();
    gate.open();
    await Promise.all([closing, connecting]);
    await at.fetch.close();
    expect([...at.server.sessions]).toEqual([]);
  });
});

describe('a session that is half open', () => {
  /** Answers `initialize`, but leaves `notifications/initialized` of users without an answer. */
  const halfOpen = ({ method, sub }: Seen): Promise<boolean> | boolean =>
    method === 'notifications/initialized' && sub !== '-' ? new Promise(() => {}) : false;

  test('when its run ends is ended at the server, and the call fails', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    at.server.answer = halfOpen;
    const asked = failed(client.call(at.alice));
    await at.server.arrived('notifications/initialized', 2);
    at.broker.end(at.alice);
    await asked;
    await at.fetch.settled();
    expect(at.server.log('DELETE')).toEqual(['DELETE alice 200']);
    expect([...at.server.sessions.values()]).toEqual(['-']);
    expect(at.server.executed).toEqual([]);
  });

  test('is given up after 30 seconds, ended at the server, and the next call opens another', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    at.server.answer = halfOpen;
    const asked = failure(client.call(at.alice));
    await at.server.arrived('notifications/initialized', 2);
    vi.advanceTimersByTime(30_000);
    expect(await asked).toMatchObject({
      code: 'server_unreachable',
      failure: 'unavailable',
      retryable: true,
    });
    await at.fetch.settled();
    expect(at.server.log('DELETE')).toEqual(['DELETE alice 200']);
    at.server.answer = undefined;
    expect(await client.call(at.alice)).toBe('you are alice');
  });

  test('when its run ends before the server has named it is ended as soon as it has a name', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    const gate = createGate();
    at.server.answer = async ({ method, sub }) => {
      if (method === 'initialize' && sub === 'alice') await gate.wait();
      return false;
    };
    const asked = failed(client.call(at.alice));
    await gate.reached(1);
    at.broker.end(at.alice);
    await asked;
    gate.open();
    await at.fetch.settled();
    expect(at.server.log('DELETE')).toEqual(['DELETE alice 200']);
    expect([...at.server.sessions.values()]).toEqual(['-']);
  });

  test('is left by one who waits for it without harm to the others', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    const gate = createGate();
    at.server.answer = async ({ method, sub }) => {
      if (method === 'initialize' && sub === 'alice') await gate.wait();
      return false;
    };
    const controller = new AbortController();
    const reason = new Error('the user has left');
    const leaving = client.call(at.alice, { signal: controller.signal });
    const staying = [client.call(at.alice), client.call(at.alice)];
    await gate.reached(1);
    controller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    gate.open();
    expect(await Promise.all(staying)).toEqual(['you are alice', 'you are alice']);
    expect(at.server.log('initialize')).toEqual(['initialize - 200', 'initialize alice 200']);
  });
});

test('a server that refuses DELETE, or leaves it unanswered, holds up nobody for long', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const at = await startScene();
  const client = await connectBare(at.server.url, at.fetch);
  await client.call(at.alice);
  at.server.answer = ({ method, sub }, response) => {
    if (method !== 'DELETE') return false;
    if (sub === 'alice') end(response, 405);
    return true;
  };
  const began = performance.now();
  await at.fetch.close();
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(at.fetch.sessions).toBe(0);
});

test('a fetch that was never used can be closed, twice', async () => {
  const at = await startScene();
  const fetch = fetchAt({ broker: at.broker, url: at.server.url });
  await fetch.close();
  await fetch.close();
  expect(fetch.sessions).toBe(0);
});
