import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import {
  agentOf,
  call,
  callsAt,
  createGate,
  exchanged,
  play,
  type Stage,
  setStage,
  subjectToken,
  TestModel,
  told,
} from './support.ts';

let stage: Stage;
let server: RunningMcpServer;

const NOTHING = { entries: 0, delegations: 0 };
const SCRIPT = [call('calendar_tool'), call('mail_tool'), 'Done.'];

beforeEach(async () => {
  await start();
});

async function start(options: Parameters<typeof setStage>[0] = {}): Promise<void> {
  stage = await setStage(options);
  server = await stage.server('calendar');
}

async function runnerWith(model: TestModel): Promise<ReturnType<Stage['runner']>> {
  const mail = await stage.server('mail');
  return stage.runner(agentOf(model, [stage.toolset(server), stage.toolset(mail)]));
}

describe('S7: the end of a run clears the subject and every token of the run', () => {
  test('after plugin.runAsync', async () => {
    const model = new TestModel(SCRIPT);
    const kept: number[] = [];
    model.onAsk = () => void kept.push(stage.broker.stats().entries);
    await stage.run(await runnerWith(model), 'alice');
    expect(kept).toEqual([0, 1, 2]);
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });

  test('after a run whose user came by the getter', async () => {
    await start({ plugin: { subjectToken: () => subjectToken(stage.sts, 'alice') } });
    const model = new TestModel(SCRIPT);
    const kept: number[] = [];
    model.onAsk = () => void kept.push(stage.broker.stats().entries);
    expect(told(await stage.runPlain(await runnerWith(model)))).toHaveLength(2);
    expect(kept).toEqual([0, 1, 2]);
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });

  test('and its MCP sessions are ended at the servers', async () => {
    await stage.run(await runnerWith(new TestModel(SCRIPT)), 'alice');
    await stage.plugin.settled();
    const ended = server.requests.filter(({ method }) => method === 'DELETE');
    expect(ended.map(({ sub, status }) => `${sub} ${status}`)).toEqual(['alice 200']);
  });

  test('when the consumer breaks off', async () => {
    const runner = await runnerWith(new TestModel(SCRIPT));
    const params = { ...(await stage.params()), subjectToken: await subjectToken(stage.sts, 'alice') };
    for await (const { content } of stage.plugin.runAsync(runner, params)) {
      if (content?.parts?.[0]?.functionResponse) break;
    }
    expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });

  test('when the consumer throws', async () => {
    const runner = await runnerWith(new TestModel(SCRIPT));
    const params = { ...(await stage.params()), subjectToken: await subjectToken(stage.sts, 'alice') };
    const consume = async (): Promise<void> => {
      for await (const _event of stage.plugin.runAsync(runner, params)) {
        if (callsAt(server).length > 0) throw new Error('enough');
      }
    };
    await expect(consume()).rejects.toThrow('enough');
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });

  test('when the run throws', async () => {
    const runner = await runnerWith(new TestModel(SCRIPT));
    vi.spyOn(stage.sessions, 'appendEvent').mockImplementation(async ({ event }) => {
      if (callsAt(server).length > 0) throw new Error('the database is down');
      return event;
    });
    const outcome = await stage.run(runner, 'alice');
    expect(outcome.failure).toMatchObject({ message: 'the database is down' });
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });

  test('when the session does not exist', async () => {
    const runner = await runnerWith(new TestModel(SCRIPT));
    const params = { ...(await stage.params()), sessionId: 'unknown' };
    const token = await subjectToken(stage.sts, 'alice');
    const outcome = await play(stage.plugin.runAsync(runner, { ...params, subjectToken: token }));
    expect(String(outcome.failure)).toContain('Session not found');
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });

  test('when it is aborted', async () => {
    const controller = new AbortController();
    const model = new TestModel(SCRIPT);
    model.onAsk = () => {
      if (model.asked.length === 2) controller.abort();
    };
    await stage.run(await runnerWith(model), 'alice', { signal: controller.signal });
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });

  test('and a run that was never iterated began nothing', async () => {
    const runner = await runnerWith(new TestModel(SCRIPT));
    stage.plugin.runAsync(runner, { ...(await stage.params()), subjectToken: 'unused' });
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });
});

describe('S7: concurrent runs of one session and user share, and the last one clears', () => {
  test('with plugin.runAsync', async () => {
    const gate = createGate();
    server = await stage.server('calendar', { onCall: () => gate.wait() });
    const runner = await runnerWith(new TestModel(SCRIPT));
    const token = await subjectToken(stage.sts, 'alice');
    const breaksOff = (async () => {
      const params = { ...(await stage.params()), subjectToken: token };
      for await (const { content } of stage.plugin.runAsync(runner, params)) {
        if (content?.parts?.[0]?.functionResponse) break;
      }
      return stage.broker.stats();
    })();
    const later = createGate();
    const model = new TestModel(SCRIPT);
    model.onAsk = () => (model.asked.length === 3 ? later.wait() : undefined);
    const other = await runnerWithToolsOf(runner, model);
    const staying = stage.run(other, 'alice', { token });
    await gate.reached(2);
    gate.open();
    const afterTheFirst = await breaksOff;
    expect(afterTheFirst.entries).toBeGreaterThan(0);
    expect(afterTheFirst.delegations).toBe(1);
    await later.reached(1);
    expect(stage.broker.stats()).toMatchObject({ entries: 2, delegations: 1 });
    later.open();
    expect(told(await staying)).toEqual(['calendar_tool: calendar of alice', 'mail_tool: mail of alice']);
    expect(stage.broker.stats()).toMatchObject(NOTHING);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued', 'alice mail issued']);
  });

  test('with the getter', async () => {
    const token: string[] = [];
    await start({ plugin: { subjectToken: () => token[0] } });
    token.push(await subjectToken(stage.sts, 'alice'));
    const gate = createGate();
    server = await stage.server('calendar', { onCall: () => gate.wait() });
    const runner = await runnerWith(new TestModel(SCRIPT));
    const runs = [stage.runPlain(runner), stage.runPlain(runner)];
    await gate.reached(2);
    expect(stage.broker.stats()).toMatchObject({ entries: 1, delegations: 2 });
    gate.open();
    for (const outcome of await Promise.all(runs)) expect(told(outcome)).toHaveLength(2);
    expect(stage.broker.stats()).toMatchObject(NOTHING);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued', 'alice mail issued']);
  });

  test('but not with those of another session: each has its own tokens and clears its own', async () => {
    const gate = createGate();
    server = await stage.server('calendar', { onCall: () => gate.wait() });
    const runner = await runnerWith(new TestModel([call('calendar_tool'), 'Done.']));
    const token = await subjectToken(stage.sts, 'alice');
    const runs = ['one', 'two'].map((sessionId) => stage.run(runner, 'alice', { token, sessionId }));
    await gate.reached(2);
    expect(stage.broker.stats()).toMatchObject({ entries: 2, delegations: 2 });
    gate.open();
    await Promise.all(runs);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued', 'alice calendar issued']);
    expect(stage.broker.stats()).toMatchObject(NOTHING);
  });
});

test('S7: a run that ADK tells nobody the end of is over after its time, and its tokens are gone', async () => {
  let now = Date.now();
  await start({
    broker: { maxRunMs: 60_000, now: () => now },
    plugin: { subjectToken: () => subjectToken(stage.sts, 'alice') },
  });
  const runner = await runnerWith(new TestModel(SCRIPT));
  // By ADK's own runAsync, broken off: no afterRunCallback ever comes.
  for await (const { content } of runner.runAsync(await stage.params())) {
    if (content?.parts?.[0]?.functionResponse) break;
  }
  expect(stage.broker.stats()).toMatchObject({ entries: 1, delegations: 1 });
  now += 60_001;
  // The next run of the same session and user does not meet what was left.
  expect(told(await stage.runPlain(runner))).toEqual([
    'calendar_tool: calendar of alice',
    'mail_tool: mail of alice',
  ]);
  expect(exchanged(stage.sts).filter((line) => line.includes('calendar'))).toHaveLength(2);
});

/** A runner with the same toolsets and another model. */
async function runnerWithToolsOf(
  runner: ReturnType<Stage['runner']>,
  model: TestModel,
): Promise<ReturnType<Stage['runner']>> {
  const { tools } = runner.agent as ReturnType<typeof agentOf>;
  return stage.runner(agentOf(model, tools as Parameters<typeof agentOf>[1]));
}
