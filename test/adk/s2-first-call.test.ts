import { beforeEach, describe, expect, test } from 'vitest';
import {
  agentOf,
  call,
  callsAt,
  createGate,
  exchanged,
  type Stage,
  setStage,
  subjectToken,
  TestModel,
  told,
} from './support.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await setStage();
});

describe('S2: the first MCP call per session and audience exchanges, later calls reuse', () => {
  test('in several responses of the model', async () => {
    const server = await stage.server('calendar');
    const model = new TestModel([
      call('calendar_tool'),
      call('calendar_tool'),
      call('calendar_tool'),
      'Done.',
    ]);
    const atEachStep: number[] = [];
    model.onAsk = () => void atEachStep.push(stage.sts.exchanges.length);
    const outcome = await stage.run(stage.runner(agentOf(model, [stage.toolset(server)])), 'alice');
    expect(told(outcome)).toEqual(Array(3).fill('calendar_tool: calendar of alice'));
    expect(callsAt(server)).toEqual(Array(3).fill('calendar_tool alice 200'));
    expect(atEachStep).toEqual([0, 1, 1, 1]);
  });

  test('in one response of the model', async () => {
    const [calendar, mail] = await Promise.all([stage.server('calendar'), stage.server('mail')]);
    const step = ['calendar_tool', 'mail_tool', 'calendar_tool', 'mail_tool'].flatMap((name) => call(name));
    const model = new TestModel([step, 'Done.']);
    const toolsets = [stage.toolset(calendar), stage.toolset(mail)];
    const outcome = await stage.run(stage.runner(agentOf(model, toolsets)), 'alice');
    expect(told(outcome)).toHaveLength(4);
    expect([callsAt(calendar), callsAt(mail)]).toEqual([
      Array(2).fill('calendar_tool alice 200'),
      Array(2).fill('mail_tool alice 200'),
    ]);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued', 'alice mail issued']);
  });

  test('before the call: the callback itself waits for the exchange, so the token is there when the tool runs', async () => {
    const server = await stage.server('calendar');
    const toolset = stage.toolset(server);
    const provider = stage.plugin.headerProvider(toolset);
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const seen: unknown[] = [];
    const agent = agentOf(model, [toolset], {
      // ADK calls this one after the plugins' callbacks and before the tool.
      beforeToolCallback: ({ context }) => {
        seen.push(stage.sts.exchanges.length, callsAt(server), Object.keys(provider(context)));
        return undefined;
      },
    });
    await stage.run(stage.runner(agent), 'alice');
    expect(seen).toEqual([1, [], ['authorization']]);
  });

  test('over several runs that overlap in one session', async () => {
    const gate = createGate();
    const server = await stage.server('calendar', { onCall: () => gate.wait() });
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [stage.toolset(server)]));
    const token = await subjectToken(stage.sts, 'alice');
    const runs = [0, 1, 2].map(() => stage.run(runner, 'alice', { token }));
    await gate.reached(3);
    gate.open();
    for (const outcome of await Promise.all(runs))
      expect(told(outcome)).toEqual(['calendar_tool: calendar of alice']);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
  });

  test('once more in the next run, as nothing is kept between runs by default', async () => {
    const server = await stage.server('calendar');
    const runner = stage.runner(agentOf(new TestModel([call('calendar_tool')]), [stage.toolset(server)]));
    const token = await subjectToken(stage.sts, 'alice');
    await stage.run(runner, 'alice', { token });
    await stage.run(runner, 'alice', { token });
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued', 'alice calendar issued']);
  });

  test('and not even in the next run under retention "subject"', async () => {
    stage = await setStage({ broker: { retention: 'subject' } });
    const server = await stage.server('calendar');
    const runner = stage.runner(agentOf(new TestModel([call('calendar_tool')]), [stage.toolset(server)]));
    const token = await subjectToken(stage.sts, 'alice');
    await stage.run(runner, 'alice', { token });
    await stage.run(runner, 'alice', { token, sessionId: 'another' });
    expect(callsAt(server)).toEqual(Array(2).fill('calendar_tool alice 200'));
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
  });

  test('and once more when the server refuses the token: one exchange, one replay', async () => {
    const server = await stage.server('calendar');
    server.rejectNext(1);
    const model = new TestModel([call('calendar_tool'), call('calendar_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, [stage.toolset(server)])), 'alice');
    expect(told(outcome)).toEqual(Array(2).fill('calendar_tool: calendar of alice'));
    expect(callsAt(server)).toEqual([
      'calendar_tool alice 401',
      'calendar_tool alice 200',
      'calendar_tool alice 200',
    ]);
    expect(stage.sts.exchanges).toHaveLength(2);
  });
});
