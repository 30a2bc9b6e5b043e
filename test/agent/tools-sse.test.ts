import { expect, onTestFinished, test, vi } from 'vitest';
import { createHeaderFetch } from '../../src/agent/header-fetch.ts';
import { createSseBridge } from '../../src/agent/sse-bridge.ts';
import { failureOf } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { startLoopback } from '../support/loopback.ts';
import { type RunningSse, startSseServer } from './sse-server.ts';
import { configOf, type Stage, send, serve, setStage } from './support.ts';

/** Calls the tool of the server so many times. */
const sseConfig = (stage: Stage, server: RunningSse, more: object = {}, calls = 1): object => ({
  ...configOf(stage, []),
  model: {
    type: 'scripted',
    model: 'script',
    turns: [
      ...Array.from({ length: calls }, () => ({ calls: [{ name: 'calendar_tool', args: {} }] })),
      { text: 'All done.' },
    ],
  },
  sse_tools: [{ name: 'calendar', params: { url: server.url }, ...more }],
});

const rpc = (method: string, id?: number): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ jsonrpc: '2.0', method, ...(id !== undefined && { id }) }),
});

const INITIALIZE = JSON.stringify({
  ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
});

test('a server of the transport SSE gets a token of each user, on the stream and with each message', async () => {
  const stage = await setStage();
  const server = await startSseServer({ name: 'calendar', sts: stage.sts });
  const agent = await serve(sseConfig(stage, server, { sts_audience: 'calendar' }, 2));
  const [alice, bob] = [await stage.token('alice'), await stage.token('bob')];

  const answers = await Promise.all([send(agent, alice), send(agent, bob)]);

  expect(answers.map(({ text }) => text.includes('All done.'))).toEqual([true, true]);
  const calls = server.of('tools/call');
  expect(calls.map(({ sub, audience }) => `${sub} for ${audience}`).sort()).toEqual([
    'alice for calendar',
    'alice for calendar',
    'bob for calendar',
    'bob for calendar',
  ]);
  // No session has two users, and the token that came in went nowhere.
  for (const { session } of calls) {
    const users = server.requests.filter((each) => each.session === session).map(({ sub }) => sub);
    expect(new Set(users).size).toBe(1);
  }
  for (const { headers } of server.requests) {
    expect([`Bearer ${alice}`, `Bearer ${bob}`]).not.toContain(headers.authorization);
  }
  expectNoLeak([answers, stage.log], stage.tokens);
});

test('the event streams of a run are closed when it ends', async () => {
  const stage = await setStage();
  const server = await startSseServer({ name: 'calendar', sts: stage.sts });
  const agent = await serve(sseConfig(stage, server, { sts_audience: 'calendar' }));

  await send(agent, await stage.token('alice'));
  await server.closed(server.of('initialize').length);

  expect(server.sessions.size).toBe(0);
});

test('a server of the transport SSE without a target gets no token', async () => {
  const stage = await setStage();
  const server = await startSseServer({ name: 'calendar' });
  const agent = await serve(sseConfig(stage, server));

  const { text } = await send(agent, await stage.token('alice'));

  expect(text).toContain('calendar of nobody');
  expect(server.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  await server.closed(server.of('initialize').length);
});

test('a call fails at once when the event stream breaks off, and the next run opens another', async () => {
  const stage = await setStage();
  let breaks = true;
  const server = await startSseServer({
    name: 'calendar',
    sts: stage.sts,
    onCall: (self) => {
      if (!breaks) return true;
      self.cut();
      return false;
    },
  });
  const agent = await serve(sseConfig(stage, server, { sts_audience: 'calendar' }));
  const token = await stage.token('alice');

  const broken = await send(agent, token);
  breaks = false;
  const whole = await send(agent, token);

  expect(broken.text).toMatch(/the event stream of calendar broke off|calendar ended its event stream/);
  expect(whole.text).toContain('calendar of alice');
});

test.each([
  ['another origin', () => 'http://127.0.0.1:9/team/messages'],
  ['another folder', () => '/other/messages'],
  ['a folder that is another one at the server', () => '/team/..%2fother/messages'],
  ['somebody', (origin: string) => `${origin.replace('//', '//user:pass@')}/team/messages`],
])('an endpoint at %s is told no message', async (_where, endpoint) => {
  const server = await startLoopback((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`event: endpoint\ndata: ${endpoint(server.origin)}\n\n`);
  });
  const bridge = createSseBridge({ name: 'calendar', url: `${server.origin}/team/sse`, fetch });

  const { code } = await failureOf(bridge('', rpc('initialize', 1)));

  expect(code).toBe('url_not_pinned');
  await server.cutOff(1);
  expect(server.received.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /team/sse']);
});

test('a session is known by its id alone, and no more when it has been ended', async () => {
  const server = await startSseServer({ name: 'calendar' });
  const bridge = createSseBridge({
    ...{ name: 'calendar', url: server.url },
    fetch: createHeaderFetch({ params: { url: server.url } }, {}, 'sse_tools[0].params'),
  });
  const opened = await bridge('', {
    ...rpc('initialize', 1),
    body: INITIALIZE,
  });
  expect(await opened.text()).toContain('"serverInfo"');
  const id = opened.headers.get('mcp-session-id') ?? '';
  const listed = async (session: string): Promise<Response> => {
    const { headers, ...rest } = rpc('tools/list', 2);
    return bridge('', { ...rest, headers: { ...headers, 'mcp-session-id': session } });
  };

  expect(await (await listed(id)).text()).toContain('calendar_tool');
  expect((await listed('another')).status).toBe(404);
  expect((await bridge('', { method: 'DELETE', headers: { 'mcp-session-id': id } })).status).toBe(204);
  expect((await listed(id)).status).toBe(404);
  await server.closed(1);
  expect(server.of('tools/list')).toHaveLength(1);
});

test('a server that is of another transport is told apart', async () => {
  const server = await startLoopback((_request, response) => response.writeHead(200).end('{}'));
  const bridge = createSseBridge({ name: 'calendar', url: server.origin, fetch });

  const { message } = await failureOf(bridge('', rpc('initialize', 1)));

  expect(message).toContain('its transport is not SSE');
});

test('a server that names no endpoint is not waited for for ever', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const server = await startLoopback((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
  });
  const bridge = createSseBridge({ name: 'calendar', url: server.origin, fetch });

  const failed = failureOf(bridge('', rpc('initialize', 1)));
  await server.arrived(1);
  // The timer is set when the answer has come.
  while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve));
  await vi.advanceTimersByTimeAsync(30_000);

  expect((await failed).message).toContain('it named no endpoint within 30000 ms');
  await server.cutOff(1);
});

test('a session that its client has left without a word is closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const server = await startSseServer({ name: 'calendar' });
  const bridge = createSseBridge({ name: 'calendar', url: server.url, fetch });
  const opened = await bridge('', { ...rpc('initialize', 1), body: INITIALIZE });
  await opened.text();

  await vi.advanceTimersByTimeAsync(119_000);
  expect(server.sessions.size).toBe(1);
  await vi.advanceTimersByTimeAsync(1_000);

  await server.closed(1);
  const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
  expect((await bridge('', { ...rpc('tools/list', 2), headers })).status).toBe(404);
});

test('a token that the server refuses in the middle of a session is replaced, and the call made once more', async () => {
  const stage = await setStage();
  let refuse = 1;
  const server = await startSseServer({ name: 'calendar', sts: stage.sts, refuse: () => refuse-- > 0 });
  const agent = await serve(sseConfig(stage, server, { sts_audience: 'calendar' }));

  const { text } = await send(agent, await stage.token('alice'));

  expect(text).toContain('calendar of alice');
  const tokens = server.of('tools/call').map(({ headers }) => headers.authorization);
  expect(tokens).toHaveLength(2);
  expect(new Set(tokens).size).toBe(2);
});
