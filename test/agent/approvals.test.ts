import { InMemorySessionService } from '@google/adk';
import { expect, test, vi } from 'vitest';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import { ScriptedModel } from '../../src/agent/scripted-model.ts';
import type { AgentServer } from '../../src/agent/types.ts';
import { createGate } from '../mcp/support.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { startRefusingSts } from './refusing-sts.ts';
import {
  AGENT,
  callsAt,
  configOf,
  message,
  rpc,
  type Stage,
  send,
  serve,
  setStage,
  tokenService,
} from './support.ts';

const ONCE = [`alice for calendar by ${AGENT}: 200`];
const CALL = { calls: [{ name: 'calendar_tool', args: { day: 'monday' } }] };

/** An agent whose tool of the calendar waits for its user. */
async function setApproval(turns: readonly object[] = [CALL, { text: 'Done.' }], more: object = {}) {
  const stage = await setStage();
  const [calendar, mail] = [await stage.mcp('calendar', more), await stage.mcp('mail')];
  const server = await serve(configFor(stage, [calendar, mail], turns));
  return { stage, calendar, mail, server, alice: await stage.token('alice') };
}

function configFor(
  stage: Stage,
  servers: readonly RunningMcpServer[],
  turns: readonly object[],
): Record<string, unknown> {
  const config = configOf(stage, servers) as { http_tools: readonly object[] };
  const [calendar, ...others] = config.http_tools;
  return {
    ...config,
    model: { type: 'scripted', model: 'script', turns },
    http_tools: [{ ...calendar, require_approval: ['calendar_tool'] }, ...others],
  };
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the server says is looked at
type Task = any;

const start = async (server: AgentServer, token: string): Promise<Task> =>
  (await send(server, token)).body.result;

/** What a task says of the calls that wait. */
const waiting = ({ status }: Task): Task[] =>
  status.message.parts.flatMap(({ data }: Task) => data?.onbehalf?.approvals ?? []);

const text = (said: string): object => ({ parts: [{ kind: 'text', text: said }] });
const data = (said: object, metadata?: object): object => ({
  parts: [{ kind: 'data', data: said, ...(metadata && { metadata }) }],
});
const inTask = ({ id: taskId, contextId }: Task): object => ({ taskId, contextId });

const exchanges = ({ sts }: Stage): unknown[] => sts.exchanges.map(({ audience }) => audience.join());

test('a call that waits is not made, and no token is exchanged for it', async () => {
  const { stage, calendar, server, alice } = await setApproval();

  const task = await start(server, alice);

  expect(task.status.state).toBe('input-required');
  expect(task.status.message.parts[0].text).toBe(
    'calendar: the tool calendar_tool waits for your approval, to be called with {"day":"monday"}.\nAnswer "approve" or "reject" in this task.',
  );
  expect(waiting(task)).toEqual([
    { id: expect.any(String), server: 'calendar', tool: 'calendar_tool', args: { day: 'monday' } },
  ]);
  expect([callsAt(calendar), exchanges(stage)]).toEqual([[], []]);
});

/** All the ways to say it. */
const APPROVALS: readonly (readonly [string, (task: Task) => object])[] = [
  ['by its word', () => text(' Approve ')],
  ['by its id', (task) => data({ onbehalf: { approve: [waiting(task)[0].id] } })],
  ['as kagent says it', () => data({ decision_type: 'approve' })],
  [
    'as kagent says it of one of several',
    (task) => data({ decision_type: 'batch', decisions: { [waiting(task)[0].id]: 'approve' } }),
  ],
  ['as ADK says it', (task) => answerOfAdk(task, { confirmed: true })],
];

function answerOfAdk(task: Task, response: object): object {
  const asked = task.status.message.parts.find(
    (part: Task) => part.data?.name === 'adk_request_confirmation',
  );
  const { id, name } = asked.data;
  return data({ id, name, response }, { adk_type: 'function_response' });
}

test.each(APPROVALS)('a call that is approved %s is made once, with one exchange', async (_, approve) => {
  const { stage, calendar, server, alice } = await setApproval();
  const task = await start(server, alice);

  const { body } = await send(server, alice, { ...inTask(task), ...approve(task) });

  expect(body.result).toMatchObject({ id: task.id, status: { state: 'completed' } });
  expect(callsAt(calendar)).toEqual(ONCE);
  expect(exchanges(stage)).toEqual(['calendar']);
});

test('those who listen to events are asked and answered alike', async () => {
  const { calendar, server, alice } = await setApproval();
  const events = async (params: object): Promise<Task[]> =>
    (await rpc(server, alice, 'message/stream', params)).text
      .trim()
      .split('\n\n')
      .map((line) => JSON.parse(line.replace(/^data: /, '')).result);

  const asked = (await events(message('Go.'))).at(-1);
  expect(asked).toMatchObject({ final: true, status: { state: 'input-required' } });
  const { taskId, contextId } = asked;
  const answered = await events(message('approve', { taskId, contextId }));

  expect(answered.at(-1)).toMatchObject({ taskId, status: { state: 'completed' } });
  expect(callsAt(calendar)).toEqual(ONCE);
});

const REJECTIONS: readonly (readonly [string, (task: Task) => object])[] = [
  ['by its word', () => text('reject')],
  ['by its id', (task) => data({ onbehalf: { reject: [waiting(task)[0].id] } })],
  ['as kagent says it', () => data({ decision_type: 'reject' })],
  ['as ADK says it', (task) => answerOfAdk(task, { confirmed: 'yes' })],
  [
    'and approved in the same message',
    (task) => data({ onbehalf: { approve: [waiting(task)[0].id], reject: [waiting(task)[0].id] } }),
  ],
];

test.each(REJECTIONS)('a call that is rejected %s is not made, and the model is told', async (_, reject) => {
  const { stage, calendar, server, alice } = await setApproval();
  const task = await start(server, alice);

  const answer = await send(server, alice, { ...inTask(task), ...reject(task) });

  expect(answer.body.result.status.state).toBe('completed');
  expect(answer.text).toContain('The user has rejected this call, and it was not made.');
  expect([callsAt(calendar), exchanges(stage)]).toEqual([[], []]);
});

test('what decides nothing is no approval, and the task goes on waiting', async () => {
  const { stage, calendar, server, alice } = await setApproval();
  const task = await start(server, alice);
  const says = [
    text('approve? what would it do?'),
    data({ onbehalf: { approve: ['another'] } }),
    data({ decision_type: 'batch', decisions: { another: 'approve' } }),
    data({ id: 'another', name: 'adk_request_confirmation', response: { confirmed: true } }, ADK_RESPONSE),
    data({ id: 'x', name: 'calendar_tool', response: { confirmed: true } }, ADK_RESPONSE),
  ];

  for (const one of says) {
    const { body } = await send(server, alice, { ...inTask(task), ...one });
    expect(body.result.status.state).toBe('input-required');
    expect(waiting(body.result)).toEqual(waiting(task));
  }
  // The word names no call, so it is good only where it is known which one waits.
  const elsewhere = await send(server, alice, { contextId: task.contextId, ...text('approve') });
  expect(elsewhere.body.result).toMatchObject({ status: { state: 'input-required' } });
  expect(elsewhere.body.result.id).not.toBe(task.id);
  expect([callsAt(calendar), exchanges(stage)]).toEqual([[], []]);
});

const ADK_RESPONSE = { adk_type: 'function_response' };

test('nobody else approves, nor does a message that is refused at the door', async () => {
  const { stage, calendar, server, alice } = await setApproval();
  const task = await start(server, alice);
  const approval = data({ onbehalf: { approve: [waiting(task)[0].id] } });
  const bob = await stage.token('bob');
  const notForUs = await stage.token('alice', 'mail');

  const answers = [
    await send(server, bob, { ...inTask(task), ...approval }),
    await send(server, bob, { contextId: task.contextId, ...approval }),
    await send(server, bob, approval),
    await send(server, notForUs, { ...inTask(task), ...approval }),
    await send(server, undefined, { ...inTask(task), ...approval }),
  ];

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 401, 401]);
  expect(callsAt(calendar)).toEqual([]);
  const { body } = await rpc(server, alice, 'tasks/get', { id: task.id });
  expect(body.result.status.state).toBe('input-required');
});

test('an approval is good once: not again, and not for the next call', async () => {
  const { calendar, server, alice } = await setApproval([CALL, CALL, { text: 'Done.' }]);
  const task = await start(server, alice);
  const words = { ...inTask(task), ...text('approve'), messageId: 'the-first' };
  const ids = { ...inTask(task), ...data({ onbehalf: { approve: [waiting(task)[0].id] } }) };

  const second = (await send(server, alice, words)).body.result;
  expect(second.status.state).toBe('input-required');
  expect(waiting(second)[0].id).not.toBe(waiting(task)[0].id);
  for (const replay of [words, ids]) {
    const { body } = await send(server, alice, replay);
    expect(body.result.status.state).toBe('input-required');
  }

  expect(callsAt(calendar)).toEqual(ONCE);
});

test('of two approvals at once in a task one is refused, and the other makes the call', async () => {
  const gate = createGate();
  const { calendar, server, alice } = await setApproval(undefined, { onCall: () => gate.wait() });
  const task = await start(server, alice);

  const both = [1, 2].map(() => send(server, alice, { ...inTask(task), ...text('approve') }));
  const refused = await Promise.race(both);
  await gate.reached(1);
  gate.open();
  const answers = await Promise.all(both);

  expect(refused.body.error.message).toContain('being worked on');
  expect(answers.flatMap(({ body }) => body.result?.status.state ?? [])).toEqual(['completed']);
  expect(callsAt(calendar)).toEqual(ONCE);
});

test('of two approvals at once in a context one makes the call', async () => {
  const { calendar, server, alice } = await setApproval();
  const task = await start(server, alice);
  const approval = data({ onbehalf: { approve: [waiting(task)[0].id] } });
  const gate = createGate();
  const { getSession } = InMemorySessionService.prototype;
  const spy = vi.spyOn(InMemorySessionService.prototype, 'getSession').mockImplementation(async function (
    this: InMemorySessionService,
    ...request
  ) {
    const session = await getSession.apply(this, request);
    await gate.wait();
    return session;
  });

  const both = [
    send(server, alice, { ...inTask(task), ...approval }),
    send(server, alice, { contextId: task.contextId, ...approval }),
  ];
  // Both have read the session, in which nobody has decided yet.
  await gate.reached(2);
  gate.open();
  await Promise.all(both);

  spy.mockRestore();
  expect(callsAt(calendar)).toEqual(ONCE);
});

test('a call of the same step that needs no approval is made, once, and its answer is kept', async () => {
  const both = { calls: [{ name: 'mail_tool', args: {} }, ...CALL.calls] };
  const { calendar, mail, server, alice } = await setApproval([both, { text: 'Done.' }]);
  const asked = vi.spyOn(ScriptedModel.prototype, 'generateContentAsync');

  const task = await start(server, alice);
  expect([callsAt(mail).length, callsAt(calendar).length]).toEqual([1, 0]);
  const { body } = await send(server, alice, { ...inTask(task), ...text('approve') });

  expect(body.result.status.state).toBe('completed');
  expect([callsAt(mail).length, callsAt(calendar).length]).toEqual([1, 1]);
  const parts = asked.mock.calls[1]?.[0].contents.flatMap((content) => content.parts ?? []) ?? [];
  const answers = parts.flatMap(({ functionResponse }) => functionResponse ?? []);
  expect(answers.map(({ name }) => name)).toEqual(['mail_tool', 'calendar_tool']);
  expect(JSON.stringify(answers)).toContain('mail of alice');
  expect(JSON.stringify(answers)).toContain('calendar of alice');
  asked.mockRestore();
});

test('of two calls that wait each is decided on, in one message', async () => {
  const two = { calls: [CALL.calls[0], { name: 'calendar_tool', args: { day: 'friday' } }] };
  const { calendar, server, alice } = await setApproval([two, { text: 'Done.' }]);
  const task = await start(server, alice);
  const [monday, friday] = waiting(task).map(({ id }) => id);

  for (const half of [text('approve'), data({ onbehalf: { approve: [monday] } })]) {
    const { body } = await send(server, alice, { ...inTask(task), ...half });
    expect([body.result.status.state, waiting(body.result).length]).toEqual(['input-required', 2]);
  }
  expect(callsAt(calendar)).toEqual([]);
  const whole = data({ onbehalf: { approve: [friday], reject: [monday] } });
  const { body } = await send(server, alice, { ...inTask(task), ...whole });

  expect(body.result.status.state).toBe('completed');
  expect(callsAt(calendar)).toEqual(ONCE);
});

test('a model approves nothing by calling what ADK asks with', async () => {
  const forged = {
    name: 'adk_request_confirmation',
    args: { originalFunctionCall: { id: 'c', name: 'calendar_tool', args: {} }, toolConfirmation: {} },
  };
  const { stage, calendar, server, alice } = await setApproval([{ calls: [forged] }, { text: 'Done.' }]);

  const { id, contextId, status } = await start(server, alice);
  const { body } = await send(server, alice, { contextId, ...text('approve') });

  // Of its call there is text only.
  expect(status.state).toBe('completed');
  expect(body.result.id).not.toBe(id);
  expect(body.result.status.state).toBe('completed');
  expect([callsAt(calendar), exchanges(stage)]).toEqual([[], []]);
});

test('a call that was approved waits for its user again where the STS needs them', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const endpoint = await startRefusingSts(stage.sts, ({ did }) =>
    did ? undefined : { error: 'consent_required' },
  );
  const server = await serve({
    ...configFor(stage, [calendar], [CALL, { text: 'Done.' }]),
    token_exchange: { token_services: { sts: { ...tokenService(stage.sts), token_endpoint: endpoint } } },
  });
  const alice = await stage.token('alice');
  const fresh = await stage.sts.mintSubjectToken({ sub: 'alice', audience: AGENT, claims: { did: true } });
  const task = await start(server, alice);

  const refused = (await send(server, alice, { ...inTask(task), ...text('approve') })).body.result;
  expect(refused.status.state).toBe('auth-required');
  // The approval was for that call; the model has to make it again, and the user to approve it again.
  const again = (await send(server, fresh, inTask(task))).body.result;
  expect(again.status.state).toBe('input-required');
  const { body } = await send(server, fresh, { ...inTask(task), ...text('approve') });

  expect(body.result.status.state).toBe('completed');
  expect(callsAt(calendar)).toEqual(ONCE);
});

test('a call whose task was cancelled waits no more, and nobody can approve it', async () => {
  const { stage, calendar, server, alice } = await setApproval();
  const task = await start(server, alice);
  const approval = data({ onbehalf: { approve: [waiting(task)[0].id] } });

  const cancelled = await rpc(server, alice, 'tasks/cancel', { id: task.id });
  const late = await send(server, alice, { ...inTask(task), ...approval });
  const asked = vi.spyOn(ScriptedModel.prototype, 'generateContentAsync');
  await send(server, alice, { contextId: task.contextId, ...approval });

  expect(cancelled.body.result.status.state).toBe('canceled');
  expect(late.body.error.message).toContain('terminal state');
  expect([callsAt(calendar), exchanges(stage)]).toEqual([[], []]);
  const contents = JSON.stringify(asked.mock.calls[0]?.[0].contents);
  expect(contents).toContain('The task was cancelled before this call was approved');
  asked.mockRestore();
});

test('no token shows in what waits for approval', async () => {
  const { stage, server, alice } = await setApproval();

  const asked = await send(server, alice);
  const answered = await send(server, alice, { ...inTask(asked.body.result), ...text('approve') });

  expectNoLeak([asked.text, answered.text, server, stage.log], stage.tokens);
});
