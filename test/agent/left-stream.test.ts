import { expect, onTestFinished, test } from 'vitest';
import { atWorkIn } from '../../src/agent/at-work.ts';
import { createContexts } from '../../src/agent/contexts.ts';
import { pump } from '../../src/agent/event-pump.ts';
import type { Executor } from '../../src/agent/executor.ts';
import { createRequestHandler } from '../../src/agent/request-handler.ts';
import { createTaskStore } from '../../src/agent/task-store.ts';
import { createTurns } from '../../src/agent/turns.ts';
import type { AgentServer } from '../../src/agent/types.ts';
import { createGate } from '../mcp/support.ts';
import { AGENT, callsAt, configOf, message, rpc, type Stage, serve, setStage } from './support.ts';

/** A server whose tool waits at a gate. */
async function gated(stage: Stage, name: string) {
  const gate = createGate();
  onTestFinished(() => gate.open());
  return { gate, mcp: await stage.mcp(name, { onCall: () => gate.wait() }) };
}

/** Begins a stream, and reads as far as the id of its task. */
async function begin({ url }: AgentServer, token: string, method = 'message/stream', params?: object) {
  const over = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    signal: over.signal,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: params ?? message('Go.') }),
  });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  const read = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    text += new TextDecoder().decode(value);
    return !done;
  };
  const idIn = (): string | undefined => /"id":"([0-9a-f-]{36})"/.exec(text)?.[1];
  while (idIn() === undefined && (await read()));
  return {
    id: idIn() as string,
    async rest(): Promise<string> {
      while (await read());
      return text;
    },
    async leave(): Promise<void> {
      over.abort();
      // Asked over another connection: meanwhile the server has seen that this one is gone.
      for (let times = 0; times < 5; times++) await (await fetch(`${url}/health`)).text();
    },
  };
}

const taskOf = async (server: AgentServer, token: string, id: string) =>
  (await rpc(server, token, 'tasks/get', { id, historyLength: 10 })).body.result;

const untilItIs = (state: string, server: AgentServer, token: string, id: string) =>
  expect.poll(async () => (await taskOf(server, token, id)).status.state, { timeout: 5_000 }).toBe(state);

test('a task whose stream was left ends as it would have, with its answer', async () => {
  const stage = await setStage();
  const { gate, mcp } = await gated(stage, 'calendar');
  const server = await serve(configOf(stage, [mcp]));
  const alice = await stage.token('alice');
  const { id, leave } = await begin(server, alice);
  await gate.reached(1);
  await leave();

  gate.open();

  await untilItIs('completed', server, alice, id);
  const { artifacts } = await taskOf(server, alice, id);
  expect(JSON.stringify(artifacts)).toContain('All done.');
  expect(callsAt(mcp)).toEqual([`alice for calendar by ${AGENT}: 200`]);
});

test('a task that is cancelled after its stream was left makes no more calls', async () => {
  const stage = await setStage();
  const [calendar, mail] = [await gated(stage, 'calendar'), await gated(stage, 'mail')];
  const files = await stage.mcp('files');
  const server = await serve(configOf(stage, [calendar.mcp, mail.mcp, files]));
  const alice = await stage.token('alice');
  const { id, leave } = await begin(server, alice);
  await calendar.gate.reached(1);
  await leave();
  // What the run says now has no client any more.
  calendar.gate.open();
  await mail.gate.reached(1);

  const { body } = await rpc(server, alice, 'tasks/cancel', { id });
  mail.gate.open();

  expect(body.result.status.state).toBe('canceled');
  expect((await taskOf(server, alice, id)).status.state).toBe('canceled');
  // Waits for the run.
  await server.close();
  expect(callsAt(files)).toEqual([]);
});

test('an approval that a run needs whose stream was left can be given later', async () => {
  const stage = await setStage();
  const { gate, mcp } = await gated(stage, 'calendar');
  const mail = await stage.mcp('mail');
  const config = configOf(stage, [mcp, mail]);
  const [first, second] = config.http_tools as object[];
  const http_tools = [first, { ...second, require_approval: ['mail_tool'] }];
  const server = await serve({ ...config, http_tools });
  const alice = await stage.token('alice');
  const { id, leave } = await begin(server, alice);
  await gate.reached(1);
  await leave();
  gate.open();

  await untilItIs('input-required', server, alice, id);
  expect(callsAt(mail)).toEqual([]);
  const { body } = await rpc(server, alice, 'message/send', message('approve', { taskId: id }));

  expect(body.result.status.state).toBe('completed');
  expect(callsAt(mail)).toEqual([`alice for mail by ${AGENT}: 200`]);
});

test('whoever comes back to a stream that was left hears the end', async () => {
  const stage = await setStage();
  const [calendar, mail] = [await gated(stage, 'calendar'), await gated(stage, 'mail')];
  const server = await serve(configOf(stage, [calendar.mcp, mail.mcp]));
  const alice = await stage.token('alice');
  const { id, leave } = await begin(server, alice);
  await calendar.gate.reached(1);
  await leave();
  calendar.gate.open();
  await mail.gate.reached(1);

  const again = await begin(server, alice, 'tasks/resubscribe', { id });
  mail.gate.open();

  expect(await again.rest()).toMatch(/All done\.[\s\S]*"state":"completed"/);
});

test('a user follows a bounded number of tasks at once: each stream holds a connection', async () => {
  const stage = await setStage();
  const { gate, mcp } = await gated(stage, 'calendar');
  const server = await serve(configOf(stage, [mcp]));
  const alice = await stage.token('alice');
  const { id } = await begin(server, alice);
  await gate.reached(1);
  const followed = await Promise.all(
    Array.from({ length: 64 }, () => begin(server, alice, 'tasks/resubscribe', { id })),
  );

  const more = await rpc(server, alice, 'tasks/resubscribe', { id });
  expect(more.text).toContain('you follow too many tasks');
  gate.open();
  const heard = await Promise.all(followed.map(({ rest }) => rest()));

  expect(heard.filter((text) => text.includes('"state":"completed"'))).toHaveLength(64);
});

test('a run whose stream was left is stopped with the server', async () => {
  const stage = await setStage();
  const { gate, mcp } = await gated(stage, 'calendar');
  const server = await serve(configOf(stage, [mcp]), { graceMs: 10 });
  const alice = await stage.token('alice');
  const { id, leave } = await begin(server, alice);
  await gate.reached(1);
  await leave();
  const again = await begin(server, alice, 'tasks/resubscribe', { id });

  await server.close();

  expect(await again.rest()).toContain('The agent is being stopped.');
});

const ALICE = { user: { isAuthenticated: true, userName: 'alice' } } as never;
const BOB = { user: { isAuthenticated: true, userName: 'bob' } } as never;

/** A request handler whose run has no listener any more, and what it was told to cancel. */
async function withoutListener() {
  const contexts = createContexts({}, { onForgotten: () => {} });
  const tasks = createTaskStore(10);
  const cancelled: string[] = [];
  const executor = { cancelTask: async (id: string) => void cancelled.push(id) } as unknown as Executor;
  const card = { capabilities: {} } as never;
  const handler = createRequestHandler({ card, tasks, contexts, turns: createTurns(1), executor });
  const status = { state: 'working' } as const;
  await tasks.save({ kind: 'task', id: 't', contextId: 'c', status }, ALICE);
  return { handler, cancelled, endWork: atWorkIn(contexts).begin({ contextId: 'c', taskId: 't' }) };
}

test('a task at work is stopped when its user cancels it, also where nobody listens to it', async () => {
  const { handler, cancelled } = await withoutListener();

  await expect(handler.cancelTask({ id: 't' }, BOB)).rejects.toThrow('Task not found');
  expect(cancelled).toEqual([]);
  expect((await handler.cancelTask({ id: 't' }, ALICE)).status.state).toBe('canceled');
  expect(cancelled).toEqual(['t']);
});

test('a task that is not at work has nothing to be stopped', async () => {
  const { handler, cancelled, endWork } = await withoutListener();
  endWork();

  expect((await handler.cancelTask({ id: 't' }, ALICE)).status.state).toBe('canceled');
  expect(cancelled).toEqual([]);
});

/** Events that come when they are wanted, and how many were taken. */
function eventsAtWill() {
  const source = { taken: 0, ended: false, gate: createGate() };
  async function* events(count: number, failure?: Error): AsyncGenerator<number, void, undefined> {
    for (let each = 0; each < count; each++) {
      source.taken += 1;
      yield each;
    }
    await source.gate.wait();
    if (failure) throw failure;
  }
  const onEnd = (): void => {
    source.ended = true;
  };
  return { source, events, onEnd };
}

async function all(events: AsyncIterable<number>): Promise<number[]> {
  const got: number[] = [];
  for await (const event of events) got.push(event);
  return got;
}

test('a reader of events gets each of them in order, and then the failure', async () => {
  const { source, events, onEnd } = eventsAtWill();
  const reader = pump(events(3, new Error('broken')), onEnd);
  const got: number[] = [];
  const read = (async () => {
    for await (const event of reader) got.push(event);
  })();
  await source.gate.reached(1);
  expect(source.ended).toBe(false);
  source.gate.open();

  await expect(read).rejects.toThrow('broken');
  expect(got).toEqual([0, 1, 2]);
  expect(source.ended).toBe(true);
});

test('events are taken to their end whoever has left, and only their end is told', async () => {
  const { source, events, onEnd } = eventsAtWill();
  const reader = pump(events(50), onEnd);
  for await (const event of reader) if (event === 1) break;

  await source.gate.reached(1);
  expect([source.taken, source.ended]).toEqual([50, false]);
  source.gate.open();
  await expect.poll(() => source.ended).toBe(true);
});

test('what waits for a reader who reads nothing is bounded', async () => {
  const { source, events, onEnd } = eventsAtWill();
  const [kept, behind] = [pump(events(10_000), onEnd), pump(events(10_001), onEnd)];
  await source.gate.reached(2);
  source.gate.open();

  await expect(all(behind)).rejects.toThrow('too far behind');
  expect((await all(kept)).length).toBe(10_000);
  expect(source.taken).toBe(20_001);
});
