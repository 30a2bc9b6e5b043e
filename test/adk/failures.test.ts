import type { BaseTool, Context } from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import type { Fault } from '../../src/sts/index.ts';
import {
  agentOf,
  call,
  callsAt,
  createGate,
  exchanged,
  heldExchanges,
  methodsAt,
  type Stage,
  setStage,
  strangers,
  subjectToken,
  TestModel,
  told,
} from './support.ts';

const SCRIPT = [call('calendar_tool'), call('mail_tool'), 'Done.'];

let stage: Stage;
let calendar: RunningMcpServer;
let mail: RunningMcpServer;
let model: TestModel;
let runner: ReturnType<Stage['runner']>;

async function start(options: Parameters<typeof setStage>[0] = {}): Promise<void> {
  stage = await setStage(options);
  [calendar, mail] = await Promise.all([stage.server('calendar'), stage.server('mail')]);
  model = new TestModel(SCRIPT);
  runner = stage.runner(agentOf(model, [stage.toolset(calendar), stage.toolset(mail)]));
}

beforeEach(() => start());

/** What was sent to a server in anybody's name, or was refused there. */
const personal = (server: RunningMcpServer): string[] =>
  server.requests
    .filter(({ method, sub, status }) => method === 'tools/call' || sub !== undefined || status >= 400)
    .map(({ method }) => method);

describe('a failed exchange', () => {
  test('is told to the model as a structured tool error, once, and the run goes on', async () => {
    stage.sts.inject({ kind: 'status', status: 503, retryAfter: 7 });
    const outcome = await stage.run(runner, 'alice');
    expect(outcome.failure).toBeUndefined();
    expect(outcome.answers).toEqual([
      {
        tool: 'calendar_tool',
        response: {
          error: {
            code: 'sts_error',
            failure: 'unavailable',
            server: 'calendar',
            message: expect.stringContaining('503'),
            retryable: true,
          },
        },
      },
      { tool: 'mail_tool', response: { content: [{ type: 'text', text: 'mail of alice' }] } },
    ]);
    expect(model.asked).toHaveLength(3);
    expect(personal(calendar)).toEqual([]);
    expect(exchanged(stage.sts)).toEqual(['alice mail issued', 'undefined calendar fault']);
  });

  test('that the policy denies is not retryable', async () => {
    await start();
    const denied = stage.toolset(calendar, { stsAudience: 'payroll', prefix: 'denied' });
    const asking = new TestModel([call('denied_calendar_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(asking, [denied])), 'alice');
    expect(outcome.answers[0]?.response).toMatchObject({
      error: { code: 'sts_error', failure: 'denied', server: 'payroll', retryable: false },
    });
    expect(asking.asked).toHaveLength(2);
    expect(personal(calendar)).toEqual([]);
    expect(exchanged(stage.sts)).toEqual(['alice payroll invalid_target']);
  });

  test('does not make the model loop, even one that always calls again', async () => {
    stage.sts.inject({ kind: 'status', status: 503, times: Infinity });
    model = new TestModel(() => Array(4).fill(call('calendar_tool')));
    runner = stage.runner(agentOf(model, [stage.toolset(calendar, { prefix: '' })]));
    const outcome = await stage.run(runner, 'alice');
    expect(told(outcome)).toEqual(Array(4).fill('calendar_tool: sts_error'));
    expect(model.asked).toHaveLength(5);
    expect(personal(calendar)).toEqual([]);
  });

  const faults: [Fault, string][] = [
    [{ kind: 'status', status: 400 }, 'sts_error'],
    [{ kind: 'status', status: 401 }, 'sts_error'],
    [{ kind: 'status', status: 429, retryAfter: 1 }, 'sts_error'],
    [{ kind: 'status', status: 500 }, 'sts_error'],
    [{ kind: 'garbage' }, 'sts_invalid_response'],
    [{ kind: 'content-type' }, 'sts_invalid_response'],
    [{ kind: 'error-body' }, 'sts_invalid_response'],
    [{ kind: 'disconnect' }, 'sts_unreachable'],
    [{ kind: 'missing-issued-token-type' }, 'sts_invalid_response'],
    [{ kind: 'wrong-audience' }, 'issued_token_rejected'],
    // The worst lie: a token that the other server of this very run would accept.
    [{ kind: 'wrong-audience', value: 'mail' }, 'issued_token_rejected'],
    [{ kind: 'other-subject' }, 'issued_token_rejected'],
    [{ kind: 'other-subject', value: 'bob' }, 'issued_token_rejected'],
    [{ kind: 'no-act' }, 'issued_token_rejected'],
    [{ kind: 'opaque' }, 'issued_token_rejected'],
  ];

  test.each(faults)(
    'by the fault %j of the STS: no request without the right token at any server',
    async (fault, code) => {
      stage.sts.inject({ ...fault, audience: 'calendar' });
      const outcome = await stage.run(runner, 'alice');
      expect(outcome.failure).toBeUndefined();
      expect(told(outcome)).toEqual([`calendar_tool: ${code}`, 'mail_tool: mail of alice']);
      expect(model.asked).toHaveLength(3);
      expect(personal(calendar)).toEqual([]);
      expect(strangers(mail, 'alice')).toEqual([]);
      expect(callsAt(mail)).toEqual(['mail_tool alice 200']);
      expect(JSON.stringify([outcome.events, stage.log])).not.toMatch(/eyJ/);
    },
  );

  test('by a scope that is wider than asked for: no request', async () => {
    const target = { audience: 'calendar', scope: 'read' };
    const scoped = stage.toolset(calendar, { stsAudience: undefined, target, prefix: 'scoped' });
    stage.sts.inject({ kind: 'wider-scope' });
    const asking = new TestModel([call('scoped_calendar_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(asking, [scoped])), 'alice');
    expect(told(outcome)).toEqual(['scoped_calendar_tool: issued_token_rejected']);
    expect(personal(calendar)).toEqual([]);
  });

  test('by an STS that is slow: sts_timeout, and no request', async () => {
    await start({ service: { timeoutMs: 50, fetch: heldExchanges(createGate()) } });
    const outcome = await stage.run(runner, 'alice');
    expect(told(outcome)).toEqual(['calendar_tool: sts_timeout', 'mail_tool: sts_timeout']);
    expect([personal(calendar), personal(mail)]).toEqual([[], []]);
  });

  test('by an STS that is gone: sts_unreachable, and no request', async () => {
    const token = await subjectToken(stage.sts, 'alice');
    await stage.sts.close();
    const outcome = await stage.run(runner, 'alice', { token });
    // The actor's own token comes from the same STS, so that is what is missing first, or its metadata.
    for (const line of told(outcome)) expect(line).toMatch(/_tool: (actor_unavailable|sts_unreachable)$/);
    expect(outcome.failure).toBeUndefined();
    expect([personal(calendar), personal(mail)]).toEqual([[], []]);
  });

  test('for want of an actor: actor_unavailable, and what its source threw is not told', async () => {
    await start({
      broker: {
        actor: () => {
          throw new Error('hunter2');
        },
      },
    });
    const outcome = await stage.run(runner, 'alice');
    expect(told(outcome)).toEqual(['calendar_tool: actor_unavailable', 'mail_tool: actor_unavailable']);
    expect(JSON.stringify([outcome.events, stage.log])).not.toContain('hunter2');
    expect([personal(calendar), personal(mail), exchanged(stage.sts)]).toEqual([[], [], []]);
  });
});

describe('a subject token that expires during the run', () => {
  test('stops the calls after it: the kept token is not used any longer', async () => {
    let now = Date.now();
    await start({ broker: { now: () => now } });
    model = new TestModel([call('calendar_tool'), call('calendar_tool'), 'Done.']);
    runner = stage.runner(agentOf(model, [stage.toolset(calendar, { prefix: '' })]));
    model.onAsk = () => {
      if (model.asked.length === 2) now += 301_000;
    };
    const outcome = await stage.run(runner, 'alice');
    expect(told(outcome)).toEqual(['calendar_tool: calendar of alice', 'calendar_tool: subject_expired']);
    expect(callsAt(calendar)).toEqual(['calendar_tool alice 200']);
  });
});

describe('a server', () => {
  test('that keeps refusing the token: one exchange more, one replay, and the model is told', async () => {
    calendar.rejectNext(10);
    const outcome = await stage.run(runner, 'alice');
    expect(outcome.answers[0]?.response).toMatchObject({
      error: { code: 'server_rejected_token', failure: 'denied', server: 'calendar', retryable: false },
    });
    expect(callsAt(calendar)).toEqual(Array(2).fill('calendar_tool alice 401'));
    expect(told(outcome)[1]).toBe('mail_tool: mail of alice');
  });

  test('that is gone after its tools were listed: the model is told, the run goes on', async () => {
    model.onAsk = async () => {
      if (model.asked.length === 1) await calendar.close();
    };
    const outcome = await stage.run(runner, 'alice');
    expect(outcome.answers[0]?.response).toMatchObject({
      error: { code: 'server_unreachable', failure: 'unavailable', server: 'calendar', retryable: true },
    });
    expect(told(outcome)[1]).toBe('mail_tool: mail of alice');
  });

  test('whose tool reports an error: that is a result as any other', async () => {
    calendar = await stage.server('calendar', {
      onCall: () => {
        throw new Error('no such event');
      },
    });
    model = new TestModel([call('calendar_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, [stage.toolset(calendar)])), 'alice');
    expect(outcome.failure).toBeUndefined();
    expect(outcome.answers[0]?.response).toEqual({ error: expect.stringContaining('no such event') });
    expect(model.asked).toHaveLength(2);
    expect(callsAt(calendar)).toHaveLength(1);
  });
});

describe('beforeToolCallback never throws', () => {
  const throwing = new Error('x');
  Object.defineProperty(throwing, 'code', {
    get() {
      throw new Error('a trap');
    },
  });
  const circular = new Error('y');
  circular.cause = circular;

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a string', 'eyJ-hunter2'],
    ['a number', 401],
    ['a symbol', Symbol('s')],
    ['an object', { code: 404, status: 404 }],
    ['a circular error', circular],
    ['an error with a trap', throwing],
    ['a frozen error', Object.freeze(new Error('eyJ-hunter2'))],
    [
      'a proxy',
      new Proxy(new Error('p'), {
        get: () => {
          throw new Error('a trap');
        },
      }),
    ],
    ['an error with a numeric code', Object.assign(new Error('eyJ-hunter2'), { code: -32000 })],
  ])('not even when something throws %s, and the model is told nothing of it', async (_what, thrown) => {
    const toolset = stage.toolset(calendar, { prefix: 'odd' });
    const getTools = toolset.getTools.bind(toolset);
    toolset.getTools = async (context) => {
      const tools = await getTools(context);
      for (const tool of tools) tool.checkRequireConfirmation = () => Promise.reject(thrown);
      return tools;
    };
    const asking = new TestModel([call('odd_calendar_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(asking, [toolset])), 'alice');
    expect(outcome.failure).toBeUndefined();
    expect(asking.asked).toHaveLength(2);
    expect(outcome.answers).toHaveLength(1);
    expect(JSON.stringify(outcome.answers)).not.toMatch(/hunter2|trap/);
  });

  test('when it is called with next to nothing', async () => {
    const [tool] = await stage.toolset(calendar, { prefix: 'bare' }).getTools();
    const callback = stage.plugin.beforeToolCallback({
      tool: tool as BaseTool,
      toolArgs: {},
      toolContext: {} as Context,
    });
    await expect(callback).resolves.toMatchObject({ error: { code: 'delegation_missing' } });
  });
});

describe('an abort of the run', () => {
  test('while the token is exchanged ends it at once, sends nothing and leaves nothing', async () => {
    const exchanging = createGate();
    await start({ service: { fetch: heldExchanges(exchanging) } });
    const controller = new AbortController();
    const run = stage.run(runner, 'alice', { signal: controller.signal });
    await exchanging.reached(1);
    controller.abort();
    // The exchange is held for ever: were the abort not heard, this would never come.
    const outcome = await run;
    expect(outcome.failure).toBeUndefined();
    expect(told(outcome)).toEqual([]);
    expect([personal(calendar), personal(mail), exchanged(stage.sts)]).toEqual([[], [], []]);
    expect(model.asked).toHaveLength(1);
    expect(stage.broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
  });

  test('of one of two that wait for the same exchange does not harm the other', async () => {
    const exchanging = createGate();
    await start({ service: { fetch: heldExchanges(exchanging) } });
    const token = await subjectToken(stage.sts, 'alice');
    const controller = new AbortController();
    const leaving = stage.run(runner, 'alice', { token, signal: controller.signal });
    await exchanging.reached(1);
    const staying = stage.run(runner, 'alice', { token });
    await until(() => stage.broker.stats().joined === 1);
    controller.abort();
    expect(told(await leaving)).toEqual([]);
    exchanging.open();
    expect(told(await staying)).toEqual(['calendar_tool: calendar of alice', 'mail_tool: mail of alice']);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued', 'alice mail issued']);
  });

  test('while a call is under way aborts the call, and others’ runs go on', async () => {
    const gate = createGate();
    calendar = await stage.server('calendar', { onCall: () => gate.wait() });
    const toolset = stage.toolset(calendar);
    const asking = stage.runner(agentOf(new TestModel([call('calendar_tool'), 'Done.']), [toolset]));
    const controller = new AbortController();
    const leaving = stage.run(asking, 'alice', { signal: controller.signal });
    const staying = stage.run(asking, 'bob');
    await gate.reached(2);
    controller.abort();
    expect(told(await leaving)).toEqual([]);
    gate.open();
    expect(told(await staying)).toEqual(['calendar_tool: calendar of bob']);
  });
});

test('while the STS is broken no server is asked for more than its tool list', async () => {
  stage.sts.inject({ kind: 'status', status: 503, times: Infinity });
  await Promise.all(['alice', 'bob', 'user1'].map((sub) => stage.run(runner, sub, { sessionId: sub })));
  const allowed = ['initialize', 'notifications/initialized', 'tools/list', 'GET'];
  for (const server of [calendar, mail])
    expect(methodsAt(server).filter((method) => !allowed.includes(method))).toEqual([]);
});

/** Lets everything else happen until something is the case. */
async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setImmediate(resolve));
}
