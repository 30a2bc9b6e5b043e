import { expect, onTestFinished, test } from 'vitest';
import { createContexts } from '../../src/agent/contexts.ts';
import { createTaskStore } from '../../src/agent/task-store.ts';
import { createTurns } from '../../src/agent/turns.ts';
import { createGate } from '../mcp/support.ts';
import { callsAt, configOf, message, rpc, send, serve, setStage } from './support.ts';

const contextOf = (contexts: ReturnType<typeof createContexts>, id: string, owner: string): void => {
  const leave = contexts.enter(id, owner);
  if (typeof leave !== 'function') throw new Error(`${id} is not entered: ${leave}`);
  leave();
};

test('a user who opens many contexts throws out their own, not those of others', () => {
  const forgotten: string[] = [];
  const contexts = createContexts({ maxContexts: 20 }, { onForgotten: (id) => forgotten.push(id) });
  contextOf(contexts, 'alice', 'alice');
  for (let times = 0; times < 50; times++) contextOf(contexts, `bob-${times}`, 'bob');

  expect(contexts.size).toBe(20);
  expect(forgotten).toEqual(Array.from({ length: 31 }, (_, index) => `bob-${index}`));
  // Who has few takes the place of one of those that somebody has many of.
  contextOf(contexts, 'carol', 'carol');
  expect(forgotten.at(-1)).toBe('bob-31');
  contextOf(contexts, 'carol-2', 'carol');
  contextOf(contexts, 'carol-3', 'carol');
  expect(forgotten.slice(-2)).toEqual(['bob-32', 'carol']);
});

test('a context of too many bytes is closed, and the oldest go where all have too many', () => {
  const told: string[] = [];
  const contexts = createContexts(
    { maxContextBytes: 10, maxBytes: 25 },
    { onForgotten: (id) => told.push(`forgot ${id}`), onClosed: (id) => told.push(`closed ${id}`) },
  );
  const leave = contexts.enter('a', 'alice') as () => void;
  expect([contexts.grow('a', 10), contexts.grow('a', 1)]).toEqual([true, false]);
  expect([contexts.enter('a', 'alice'), contexts.enter('a', 'bob')]).toEqual(['closed', 'foreign']);
  expect(told).toEqual([]);
  leave();
  expect(told).toEqual(['closed a']);

  for (const id of ['b', 'c']) {
    contextOf(contexts, id, 'bob');
    expect(contexts.grow(id, 8)).toBe(true);
  }
  expect(told.slice(1)).toEqual(['forgot a']);
  expect(contexts.grow('none', 1)).toBe(false);
});

test('a user with many tasks throws out their own', async () => {
  const tasks = createTaskStore(20);
  const of = (userName: string) => ({ user: { isAuthenticated: true, userName } }) as never;
  const taskOf = (id: string) =>
    ({ kind: 'task', id, contextId: 'c', status: { state: 'completed' } }) as const;
  await tasks.save(taskOf('alice'), of('alice'));
  for (let times = 0; times < 50; times++) await tasks.save(taskOf(`bob-${times}`), of('bob'));

  expect((await tasks.load('alice', of('alice')))?.id).toBe('alice');
  expect(await tasks.load('bob-30', of('bob'))).toBeUndefined();
  expect((await tasks.load('bob-31', of('bob')))?.id).toBe('bob-31');
});

test('a turn counts once, until all who take part have ended theirs', () => {
  const turns = createTurns(1);
  const [one, other] = [{}, {}];
  const ends = [turns.begin(one, 'alice'), turns.begin(one, 'alice')];

  expect(turns.begin(other, 'alice')).toBeUndefined();
  expect(turns.begin(other, 'bob')).toBeTypeOf('function');
  ends[0]?.();
  ends[0]?.();
  expect(turns.begin({}, 'alice')).toBeUndefined();
  ends[1]?.();
  expect(turns.begin({}, 'alice')).toBeTypeOf('function');
});

test('a user has 32 runs at once, and another user is not kept waiting by that', async () => {
  const stage = await setStage();
  const gate = createGate();
  onTestFinished(() => gate.open());
  const calendar = await stage.mcp('calendar', {
    onCall: ({ sub }) => (sub === 'bob' ? gate.wait() : undefined),
  });
  const server = await serve(configOf(stage, [calendar]));
  const [alice, bob] = [await stage.token('alice'), await stage.token('bob')];
  const begin = () => rpc(server, bob, 'message/send', message('Go.', {}, { blocking: false }));

  const begun = await Promise.all(Array.from({ length: 40 }, begin));
  await gate.reached(32);

  const refused = begun.flatMap(({ body }) => (body.error ? [body.error.message] : []));
  expect(refused).toEqual(Array(8).fill(expect.stringContaining('too many of your messages')));
  expect((await send(server, alice)).body.result.status.state).toBe('completed');
  const stream = await rpc(server, bob, 'message/stream', message('Go.'));
  expect(stream.text).toContain('too many of your messages');
  gate.open();
  await expect.poll(() => callsAt(calendar).length).toBe(33);
  await expect.poll(async () => (await begin()).body.error).toBeUndefined();
});

test('a context that has become too long says so, and its user begins another one', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, []));
  const alice = await stage.token('alice');
  const text = 'x'.repeat(1_000_000);
  const say = async (contextId?: string) =>
    (await rpc(server, alice, 'message/send', message(text, contextId === undefined ? {} : { contextId })))
      .body;

  const { contextId } = (await say()).result;
  const states: string[] = [];
  for (let times = 0; times < 4; times++) states.push((await say(contextId)).result.status.state);
  const last = await say(contextId);

  expect(states).toEqual(['completed', 'completed', 'completed', 'failed']);
  expect(last.error.message).toBe(
    'contextId: this context has become too long to go on in; leave it out to begin a new one',
  );
  expect((await say()).result.status.state).toBe('completed');
});
