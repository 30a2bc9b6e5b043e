import { InMemorySessionService } from '@google/adk';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createContexts } from '../../src/agent/contexts.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { AGENT, callsAt, configOf, message, rpc, send, serve, setStage } from './support.ts';

test('a context belongs to the user who opened it: another is refused, and learns nothing', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const server = await serve(configOf(stage, [calendar]));
  const [alice, bob] = [await stage.token('alice'), await stage.token('bob')];
  const { id: taskId, contextId } = (await send(server, alice)).body.result;

  const refused = await send(server, bob, { contextId });
  const task = await rpc(server, bob, 'tasks/get', { id: taskId });
  const unknown = await rpc(server, bob, 'tasks/get', { id: 'no-such-task' });
  const cancel = await rpc(server, bob, 'tasks/cancel', { id: taskId });
  const into = await send(server, bob, { taskId });
  const stream = await rpc(server, bob, 'message/stream', message('Go.', { contextId }));

  expect(refused.body.error).toEqual({
    code: -32602,
    message: 'contextId: this context is not yours; leave it out to begin a new one',
  });
  // What is another's is as if it were not there.
  expect(task.body.error.code).toBe(unknown.body.error.code);
  expect(task.text.replace(taskId, '')).toBe(unknown.text.replace('no-such-task', ''));
  expect([cancel, into].map(({ body }) => body.error.code)).toEqual([-32001, -32001]);
  expect(stream.text).toContain('not yours');
  for (const { text } of [refused, task, cancel, into, stream]) expect(text).not.toMatch(/alice|calendar/);
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
});

test('the user who opened a context goes on in it, also with a new token', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, [await stage.mcp('calendar')]));
  const sessions = sessionsOf();
  const { contextId } = (await send(server, await stage.token('alice'))).body.result;

  const again = await send(server, await stage.token('alice'), { contextId });

  expect(again.body.result).toMatchObject({ contextId, status: { state: 'completed' } });
  expect(sessions()).toBe(1);
});

test('a task is not continued in another context of its user', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, []));
  const alice = await stage.token('alice');
  const { id: taskId } = (await send(server, alice)).body.result;

  const { body } = await send(server, alice, { taskId, contextId: 'elsewhere' });

  expect(body.error.message).toContain('the task belongs to another context');
});

test('no token is in the sessions and the user state that ADK keeps', async () => {
  const stage = await setStage();
  const service = spyOnSessions();
  const server = await serve(configOf(stage, [await stage.mcp('calendar'), await stage.mcp('mail')]));

  await send(server, await stage.token('alice'));

  expect(service().contexts.length).toBe(1);
  const kept = service().contexts[0] as InMemorySessionService;
  expect(JSON.stringify(kept)).toContain('calendar of alice');
  expectNoLeak(kept, stage.tokens);
});

test('contexts are bounded: the least recently used is forgotten, with its task and session', async () => {
  const stage = await setStage();
  const sessions = sessionsOf();
  const server = await serve(configOf(stage, []), { maxContexts: 2 });
  const [alice, bob] = [await stage.token('alice'), await stage.token('bob')];
  const first = (await send(server, alice, { contextId: 'first' })).body.result;
  await send(server, alice, { contextId: 'second' });
  await send(server, alice, { contextId: 'first' });
  await send(server, alice, { contextId: 'third' });

  expect(sessions()).toBe(2);
  // The second one was dropped, the first was used since.
  expect((await rpc(server, alice, 'tasks/get', { id: first.id })).body.result.id).toBe(first.id);
  expect((await send(server, bob, { contextId: 'first' })).body.error.code).toBe(-32602);
  const fresh = await send(server, bob, { contextId: 'second' });
  expect(fresh.body.result.status.state).toBe('completed');
  expect((await rpc(server, alice, 'tasks/get', { id: first.id })).body.error.code).toBe(-32001);
});

test('a context in use is not forgotten, and one that is idle for long is', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const forgotten: string[] = [];
  const onForgotten = (id: string, owner: string): void => void forgotten.push(`${id} of ${owner}`);
  const contexts = createContexts({ maxContexts: 2, contextTtlMs: 1_000 }, { onForgotten });

  const leave = contexts.enter('a', 'alice') as () => void;
  contexts.enter('b', 'bob');
  expect(contexts.enter('c', 'carol')).toBe('full');
  expect(contexts.enter('a', 'bob')).toBe('foreign');
  leave();
  leave();
  expect(contexts.enter('c', 'carol')).toBeTypeOf('function');
  expect(forgotten).toEqual(['a of alice']);

  const roomy = createContexts({ contextTtlMs: 1_000 }, { onForgotten });
  (roomy.enter('old', 'alice') as () => void)();
  vi.advanceTimersByTime(1_001);
  roomy.enter('new', 'alice');
  expect([forgotten.at(-1), roomy.size]).toEqual(['old of alice', 1]);
});

/** Finds the session service that the server made. */
function spyOnSessions(): () => { readonly contexts: readonly unknown[] } {
  const spy = vi.spyOn(InMemorySessionService.prototype, 'createSession');
  onTestFinished(() => spy.mockRestore());
  return () => spy.mock;
}

/** How many sessions are kept. */
function sessionsOf(): () => number {
  const service = spyOnSessions();
  return () => {
    const { sessions } = service().contexts[0] as {
      sessions: Record<string, Record<string, Record<string, unknown>>>;
    };
    const users = Object.values(sessions).flatMap((app) => Object.values(app));
    return users.reduce((sum, user) => sum + Object.keys(user).length, 0);
  };
}
