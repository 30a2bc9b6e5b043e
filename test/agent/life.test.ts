import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createGate } from '../mcp/support.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { AGENT, callsAt, configOf, folderOf, message, rpc, send, serve, setStage } from './support.ts';

/** A server whose tool waits at a gate, and an agent that calls it. */
async function setGate(more: object = {}) {
  const stage = await setStage();
  const gate = createGate();
  onTestFinished(() => gate.open());
  const calendar = await stage.mcp('calendar', { onCall: () => gate.wait() });
  const { name, url, audience } = calendar;
  const http_tools = [{ name, params: { url }, sts_audience: audience, discovery: 'delegated' }];
  const server = await serve({ ...configOf(stage, [calendar]), http_tools }, more);
  return { stage, gate, calendar, server, alice: await stage.token('alice') };
}

test('a server that is closed lets the runs under way end, and takes no new ones', async () => {
  const { gate, calendar, server, alice } = await setGate();
  const running = send(server, alice);
  await gate.reached(1);

  const closed = server.close();
  await expect(send(server, alice)).rejects.toThrow('fetch failed');
  gate.open();

  expect((await running).body.result.status.state).toBe('completed');
  await closed;
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  expect(calendar.openSessions).toBe(0);
});

test('runs that do not end in time are stopped, and whoever waits is told', async () => {
  const { gate, server, alice } = await setGate({ graceMs: 10 });
  const running = send(server, alice);
  await gate.reached(1);

  await server.close();

  const { body } = await running;
  expect(body.result.status.state).toBe('failed');
  expect(body.result.status.message.parts[0].text).toBe('The agent is being stopped.');
});

test('a run whose answer nobody waits for keeps its user until it ends', async () => {
  const { gate, calendar, server, alice } = await setGate();

  const first = await rpc(server, alice, 'message/send', message('Go.', {}, { blocking: false }));
  await gate.reached(1);
  gate.open();

  const { id } = first.body.result;
  const state = async (): Promise<unknown> =>
    (await rpc(server, alice, 'tasks/get', { id })).body.result.status.state;
  await expect.poll(state).toBe('completed');
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
});

test('a task that is cancelled stops its run, which ends with its tokens and its MCP session', async () => {
  const { gate, calendar, server, alice } = await setGate();
  const first = await rpc(server, alice, 'message/send', message('Go.', {}, { blocking: false }));
  await gate.reached(1);
  expect(calendar.openSessions).toBe(1);

  const { body } = await rpc(server, alice, 'tasks/cancel', { id: first.body.result.id });

  expect(body.result.status.state).toBe('canceled');
  await expect.poll(() => calendar.openSessions).toBe(0);
});

test('a run that breaks off ends all the same: its task fails, its MCP session is closed', async () => {
  const stage = await setStage();
  const file = join(folderOf({}), 'instruction');
  writeFileSync(file, 'Look into the calendar.');
  // The instruction is read for each step of a run, and gone at the second.
  const calendar = await stage.mcp('calendar', { onCall: () => rmSync(file) });
  const { name, url, audience } = calendar;
  const http_tools = [{ name, params: { url }, sts_audience: audience, discovery: 'delegated' }];
  const server = await serve({ ...configOf(stage, [calendar]), http_tools, instruction: `file:${file}` });

  const { body } = await send(server, await stage.token('alice'));

  expect(body.result.status.state).toBe('failed');
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  await expect.poll(() => calendar.openSessions).toBe(0);
});

test('an event stream tells of the run as it goes on', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const server = await serve(configOf(stage, [calendar]));

  const { headers, text } = await rpc(server, await stage.token('alice'), 'message/stream', message('Go.'));

  expect(headers.get('content-type')).toBe('text/event-stream');
  const events = text
    .trim()
    .split('\n\n')
    .map((line) => JSON.parse(line.replace(/^data: /, '')).result);
  expect(events.map(({ kind, status }) => status?.state ?? kind)).toEqual([
    ...['submitted', 'working', 'artifact-update', 'artifact-update', 'artifact-update', 'completed'],
  ]);
  expect(text).toContain('calendar of alice');
});

test('health, readiness and the card need no token', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, []), {
    card: { name: 'assistant', url: '', capabilities: { pushNotifications: true } },
  });
  const get = async (path: string): Promise<unknown[]> => {
    const response = await fetch(`${server.url}${path}`);
    return [response.status, await response.json()];
  };

  expect(await get('/health')).toEqual([200, { status: 'ok' }]);
  await expect.poll(() => get('/ready')).toEqual([200, { status: 'ready' }]);
  const [status, card] = await get('/.well-known/agent-card.json');
  expect([status, card]).toEqual([
    200,
    expect.objectContaining({
      name: 'assistant',
      url: server.url,
      preferredTransport: 'JSONRPC',
      capabilities: { streaming: true, pushNotifications: false },
      security: [{ bearer: [] }],
    }),
  ]);
  expect((await get('/nothing'))[0]).toBe(404);
  expect((await get('/'))[0]).toBe(405);
});

test('what is no JSON-RPC request is refused', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, []));
  const authorization = `Bearer ${await stage.token('alice')}`;
  const post = async (body: string, type = 'application/json'): Promise<unknown[]> => {
    const headers = { authorization, 'content-type': type };
    const response = await fetch(server.url, { method: 'POST', headers, body });
    const { error } = (await response.json()) as { error: { code: number } };
    return [response.status, error.code];
  };

  expect(await post('{}', 'text/plain')).toEqual([415, -32600]);
  expect(await post('{')).toEqual([400, -32700]);
  expect(await post('{}')).toEqual([200, -32600]);
  expect(await post(JSON.stringify({ pad: 'x'.repeat(1_048_577) }))).toEqual([413, -32600]);
  const { body } = await rpc(server, await stage.token('alice'), 'message/send', {
    message: { messageId: 'm' },
  });
  expect(body.error.code).toBe(-32602);
});

test('a server whose tools cannot be listed costs a run its tools, not its life', async () => {
  const stage = await setStage();
  const [calendar, gone, open] = [
    await stage.mcp('calendar'),
    await stage.mcp('mail'),
    await stage.mcp('files'),
  ];
  const config = configOf(stage, [calendar]);
  const server = await serve({
    ...config,
    http_tools: [
      { name: 'calendar', params: { url: calendar.url }, sts_audience: 'calendar' },
      { name: 'mail', params: { url: gone.url }, sts_audience: 'mail' },
      { name: 'files', params: { url: open.url } },
    ],
  });
  await Promise.all([gone.close(), open.close()]);

  const { body } = await send(server, await stage.token('alice'));

  expect(body.result.status.state).toBe('completed');
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  expect(stage.log.filter((line) => line.includes('cannot be listed')).length).toBe(2);
});

test('an agent starts while its STS is down, and works as soon as that is there', async () => {
  const before = await setStage();
  const { port } = new URL(before.sts.issuer);
  await before.sts.close();
  const server = await serve(configOf(before, []));
  const { issuer: iss } = before.sts;
  const nobody = fakeJwt({ iss, sub: 'alice', aud: AGENT, exp: seconds(Date.now()) + 300 });

  expect((await send(server, nobody)).status).toBe(503);
  expect((await fetch(`${server.url}/ready`)).status).toBe(503);

  const after = await setStage({ port: Number(port) });
  const status = async (): Promise<number> => (await send(server, await after.token('alice'))).status;
  await expect.poll(status, { timeout: 6_000 }).toBe(200);
});

test('an agent starts while an MCP server is down, does what it can, and calls it as soon as it is there', async () => {
  const stage = await setStage();
  const [calendar, mail] = [await stage.mcp('calendar'), await stage.mcp('mail')];
  const port = Number(new URL(mail.url).port);
  await mail.close();
  const config = configOf(stage, [calendar, mail]);
  // A model knows which tools there are; a script does not.
  const scripts = { 'No mail.': [{ calls: [{ name: 'calendar_tool', args: {} }] }, { text: 'Done.' }] };
  const server = await serve({ ...config, model: { ...Object(config.model), scripts } });
  const alice = await stage.token('alice');

  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  const without = await rpc(server, alice, 'message/send', message('No mail.'));
  const back = await stage.mcp('mail', { port });
  const again = async (): Promise<string> => (await send(server, alice)).text;

  expect(without.body.result.status.state).toBe('completed');
  expect(without.text).toContain('calendar of alice');
  await expect.poll(again, { timeout: 10_000 }).toContain('mail of alice');
  expect(new Set(callsAt(back))).toEqual(new Set([`alice for mail by ${AGENT}: 200`]));
});
