// What a server asks or tells a client on a stream: the answer has to come from whom the stream is for.
import { describe, expect, test } from 'vitest';
import { runAs } from '../../src/index.ts';
import { CLIENTS, connectBare, startScene } from './any-client.ts';
import { createGate } from './support.ts';

describe.each(CLIENTS)('a %s client', (_version, connect) => {
  test('answers what the server asks within a call in the session and under the token of that call’s user', async () => {
    const at = await startScene();
    const client = await connect(at.server.url, at.fetch);
    const both = createGate();
    const answered = new Map<unknown, () => void>();
    at.server.answer = async ({ method, id, sub }, response) => {
      if (method === 'POST') answered.get(id)?.();
      if (method !== 'tools/call') return false;
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      // Both are asked while both calls are under way.
      const gate = both.wait();
      if (sub === 'bob') both.open();
      await gate;
      const asked = `question for ${sub}`;
      const answer = new Promise<void>((resolve) => answered.set(asked, resolve));
      response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id: asked, method: 'ping' })}\n\n`);
      await answer;
      const text = `you are ${sub}`;
      const message = { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } };
      response.end(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
      return true;
    };
    const hers = runAs(at.alice, () => client.call());
    await at.server.arrived('tools/call');
    const his = runAs(at.bob, () => client.call());
    expect(await Promise.all([hers, his])).toEqual(['you are alice', 'you are bob']);
    const sessions = new Map(at.server.of('tools/call').map(({ sub, session }) => [sub, session]));
    const answers = at.server
      .of('POST')
      .map(({ id, sub, session, status }) => [id, sub, session === sessions.get(sub), status]);
    expect(answers.toSorted()).toEqual([
      ['question for alice', 'alice', true, 200],
      ['question for bob', 'bob', true, 200],
    ]);
    expect(at.server.violations).toEqual([]);
  });

  test('resumes the answer to a call, whose stream the server has closed, as that call’s user', async () => {
    const at = await startScene();
    const client = await connect(at.server.url, at.fetch);
    at.server.answer = ({ method, id, headers, sub }, response) => {
      const last = headers['last-event-id'];
      if (method === 'tools/call') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(`retry: 1\nid: event-${id}\ndata: \n\n`);
        return true;
      }
      if (method !== 'GET' || typeof last !== 'string') return false;
      const content = [{ type: 'text', text: `you are ${sub}` }];
      const message = { jsonrpc: '2.0', id: Number(last.slice(6)), result: { content } };
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`id: end\ndata: ${JSON.stringify(message)}\n\n`);
      return true;
    };
    const calls = [at.alice, at.bob].map((who) => runAs(who, () => client.call()));
    expect(await Promise.all(calls)).toEqual(['you are alice', 'you are bob']);
    const sessions = new Map(at.server.of('tools/call').map(({ sub, session }) => [sub, session]));
    for (const { sub, session, headers } of at.server.of('GET')) {
      if (headers['last-event-id'] !== undefined) expect(session).toBe(sessions.get(sub));
    }
  });
});

test('the stream that the client listens to is its own, and stays while it is idle', async () => {
  const at = await startScene();
  const client = await connectBare(at.server.url, at.fetch);
  let tell = (_text: string): void => {};
  at.server.answer = ({ method }, response) => {
    if (method !== 'GET') return false;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    tell = (text) => void response.end(text);
    return true;
  };
  const stream = await runAs(at.alice, () => client.get());
  const [seen] = at.server.of('GET');
  expect([seen?.sub, seen?.session]).toEqual(['-', 's1']);
  tell('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n');
  expect(await stream.text()).toContain('list_changed');
});
