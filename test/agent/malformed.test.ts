// Requests that are JSON-RPC in form, and hold what nothing here can work with.
import { expect, onTestFinished, test, vi } from 'vitest';
import { createContexts } from '../../src/agent/contexts.ts';
import { createExecutor } from '../../src/agent/executor.ts';
import { sendJson } from '../../src/agent/json-rpc.ts';
import { createTurns } from '../../src/agent/turns.ts';
import type { AgentServer } from '../../src/agent/types.ts';
import { configOf, message, rpc, send, serve, setStage } from './support.ts';

/** An agent without tools, and what it has written anywhere since it serves. */
async function setAgent() {
  const stage = await setStage();
  const printed: string[] = [];
  for (const method of ['error', 'warn', 'log', 'info'] as const) {
    const spy = vi.spyOn(console, method).mockImplementation((...args) => void printed.push(args.join(' ')));
    onTestFinished(() => spy.mockRestore());
  }
  const server = await serve(configOf(stage, []));
  const before = stage.log.length;
  const lines = (): readonly string[] => [...printed, ...stage.log.slice(before)];
  return { server, lines, alice: await stage.token('alice') };
}

async function post({ url }: AgentServer, token: string, body: string): Promise<unknown[]> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const response = await fetch(url, { method: 'POST', headers, body });
  const { id, result, error } = JSON.parse(await response.text());
  return [response.status, id, error?.code ?? result?.status?.state];
}

/** A request that holds this JSON in a data part. */
const holding = (json: string, method = 'message/send'): string => {
  const part = `{"kind":"data","data":{"a":${json}}}`;
  const said = `{"kind":"message","role":"user","messageId":"m","parts":[${part}]}`;
  return `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"message":${said}}}`;
};
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

test('a body that is nested too deeply is refused, and nothing of it is written down', async () => {
  const { server, alice, lines } = await setAgent();

  for (const method of ['message/send', 'message/stream']) {
    expect(await post(server, alice, holding(nested(200_000), method))).toEqual([400, null, -32600]);
  }
  // The request, its params, message, parts, part and data are six levels.
  expect(await post(server, alice, holding(nested(59)))).toEqual([400, null, -32600]);
  expect(lines()).toEqual([]);
  expect(await post(server, alice, holding(nested(58)))).toEqual([200, 1, 'completed']);
});

test('brackets in a text nest nothing, whatever is escaped before them', async () => {
  const { server, alice } = await setAgent();
  const texts = ['['.repeat(100), `"${'{'.repeat(100)}`, `\\"${'['.repeat(100)}\\`, `\\\\${'{'.repeat(100)}`];

  for (const text of texts) {
    expect(await post(server, alice, holding(JSON.stringify(text)))).toEqual([200, 1, 'completed']);
    expect(await post(server, alice, holding(`[${JSON.stringify(text)},${nested(100)}]`))).toEqual([
      ...[400, null, -32600],
    ]);
  }
  expect(await post(server, alice, '{"a":"[[[')).toEqual([400, null, -32700]);
});

test('an answer that cannot be written as JSON is not begun', () => {
  const writeHead = vi.fn();
  const circle: Record<string, unknown> = {};
  circle.circle = circle;

  expect(() => sendJson({ headersSent: false, writeHead } as never, 200, circle)).toThrow(TypeError);
  expect(writeHead).not.toHaveBeenCalled();
});

test('a message that cannot be counted fails its task, and says nothing of why', async () => {
  const { log } = await setStage();
  const contexts = createContexts({}, { onForgotten: () => {} });
  const runner = { pluginManager: { registerPlugin: () => {} } } as never;
  const turns = createTurns(1);
  const executor = createExecutor({ runner, endRun: async () => {}, stream: false, contexts, turns });
  const userMessage: Record<string, unknown> = { kind: 'message', parts: [] };
  userMessage.metadata = { circle: userMessage };
  // biome-ignore lint/suspicious/noExplicitAny: whatever is said is looked at
  const said: any[] = [];
  const bus = { publish: (event: unknown) => said.push(event) } as never;

  await executor.execute({ taskId: 't', contextId: 'c', userMessage } as never, bus);

  expect(said.map(({ status: { state, message: text } }) => [state, text?.parts[0].text])).toEqual([
    ['submitted', undefined],
    ['failed', 'The agent could not finish this. The reason is in its log, by the id of the task.'],
  ]);
  expect(log.join()).toContain('task t failed');
});

const FORGED = '\n{"event":"forged"}';
const LONG = 'x'.repeat(257);

test('a message whose parts are none is refused, and its words are not in the log', async () => {
  const { server, alice, lines } = await setAgent();
  const parts: readonly unknown[] = [
    ...[null, 'private words', [], {}],
    { kind: 'odd', text: 'private words' },
    ...[{ kind: 'text' }, { kind: 'text', text: 5 }, { kind: 'text', text: null }],
    ...[undefined, null, 'private words', 0, []].map((data) => ({ kind: 'data', data })),
    ...[undefined, null, 'private words', [], {}].map((file) => ({ kind: 'file', file })),
    ...[{ bytes: 5 }, { uri: null }, { uri: 'https://files.example.com', bytes: 0 }].map((file) => ({
      ...{ kind: 'file', file },
    })),
    { kind: 'text', text: 'private words', metadata: 'private words' },
  ];

  for (const part of parts) {
    for (const method of ['message/send', 'message/stream']) {
      const { body } = await rpc(server, alice, method, message('', { parts: [part] }));
      expect([part, body.error.code, body.error.message]).toEqual([
        ...[part, -32602, expect.stringContaining('message.parts[0]')],
      ]);
    }
  }
  expect(lines()).toEqual([]);
});

test('each kind of part is taken', async () => {
  const { server, alice } = await setAgent();
  const parts = [
    { kind: 'text', text: '', metadata: { a: 1 } },
    { kind: 'data', data: {}, metadata: null },
    { kind: 'file', file: { bytes: 'aGVsbG8=', mimeType: 'text/plain', name: 'hello.txt' } },
    { kind: 'file', file: { uri: 'https://files.example.com/a' } },
  ];

  expect((await send(server, alice, { parts })).body.result.status.state).toBe('completed');
});

test('ids that are long, or would write lines of their own into a log, are refused', async () => {
  const { server, alice, lines } = await setAgent();

  for (const bad of [FORGED, LONG, '', 5, {}]) {
    for (const more of [
      { messageId: bad },
      { contextId: bad },
      { taskId: bad },
      { referenceTaskIds: [bad] },
    ]) {
      const { body } = await send(server, alice, more);
      expect([more, body.error?.code]).toEqual([more, -32602]);
    }
    for (const method of ['tasks/get', 'tasks/cancel', 'tasks/resubscribe']) {
      const { body } = await rpc(server, alice, method, { id: bad });
      expect([method, bad, body?.error.code]).toEqual([method, bad, -32602]);
    }
  }
  for (const bad of [FORGED, LONG]) {
    const request = { jsonrpc: '2.0', id: bad, method: 'tasks/resubscribe', params: { id: 't' } };
    expect(await post(server, alice, JSON.stringify(request))).toEqual([200, null, -32600]);
  }
  expect(lines()).toEqual([]);
});

test('a message refers to 32 tasks at most', async () => {
  const { server, alice } = await setAgent();
  const to = (referenceTaskIds: unknown) => send(server, alice, { referenceTaskIds });

  expect((await to(Array(33).fill('t'))).body.error.code).toBe(-32602);
  expect((await to('t')).body.error.code).toBe(-32602);
  expect((await to(Array(32).fill('t'))).body.result.status.state).toBe('completed');
  expect((await to(undefined)).body.result.status.state).toBe('completed');
});
