import { beforeEach, describe, expect, test } from 'vitest';
import {
  agentOf,
  call,
  exchanged,
  failure,
  type Stage,
  setStage,
  subjectToken,
  TestModel,
  told,
} from './support.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await setStage({ plugin: { subjectToken: () => subjectToken(stage.sts, 'alice') } });
});

describe('S1: when a run begins the subject token is taken and nothing is exchanged', () => {
  test('by plugin.runAsync', async () => {
    const server = await stage.server('calendar');
    const model = new TestModel(['Hello.']);
    const runner = stage.runner(agentOf(model, [stage.toolset(server)]));
    const during: unknown[] = [];
    model.onAsk = () => void during.push({ ...stage.broker.stats() }, exchanged(stage.sts));
    const { failure: failed } = await stage.run(runner, 'alice');
    expect(failed).toBeUndefined();
    expect(during).toEqual([expect.objectContaining({ delegations: 1, entries: 0, exchanges: 0 }), []]);
    expect(exchanged(stage.sts)).toEqual([]);
  });

  test('by the getter, which is asked once a run, with the run’s own context', async () => {
    const asked: string[] = [];
    stage = await setStage({
      plugin: {
        subjectToken: async ({ userId, session, userContent }) => {
          asked.push(`${userId} ${session.id} ${userContent?.parts?.[0]?.text}`);
          return subjectToken(stage.sts, 'alice');
        },
      },
    });
    const server = await stage.server('calendar');
    const model = new TestModel([call('calendar_tool'), call('calendar_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [stage.toolset(server)]));
    const during: unknown[] = [];
    model.onAsk = () => {
      if (model.asked.length === 1) during.push(stage.broker.stats().delegations, exchanged(stage.sts));
    };
    const outcome = await stage.runPlain(runner, { userId: 'u1', sessionId: 's1', message: 'Hi.' });
    expect(told(outcome)).toEqual(['calendar_tool: calendar of alice', 'calendar_tool: calendar of alice']);
    expect(asked).toEqual(['u1 s1 Hi.']);
    expect(during).toEqual([1, []]);
  });

  test('and plugin.runAsync goes before the getter, which is not asked at all', async () => {
    let asked = 0;
    stage = await setStage({
      plugin: {
        subjectToken: () => {
          asked += 1;
          return subjectToken(stage.sts, 'bob');
        },
      },
    });
    const server = await stage.server('calendar');
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, [stage.toolset(server)])), 'alice');
    expect(told(outcome)).toEqual(['calendar_tool: calendar of alice']);
    expect(asked).toBe(0);
  });

  test('and the token is put nowhere in the session', async () => {
    const token = await subjectToken(stage.sts, 'alice');
    const server = await stage.server('calendar');
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [stage.toolset(server)]));
    const { events } = await stage.run(runner, 'alice', { token });
    const session = await stage.sessions.getSession({ appName: 'app', userId: 'team', sessionId: 'chat' });
    expect(session?.events.length).toBeGreaterThan(3);
    expect(JSON.stringify([session, events])).not.toContain(token.split('.')[2]);
    expect(JSON.stringify(session)).not.toMatch(/eyJ/);
  });

  test.each([
    ['none', undefined, 'subject_missing'],
    ['an empty one', '', 'subject_missing'],
    ['one with its scheme', 'Bearer abc', 'subject_malformed'],
    ['one that is no JWT', 'abc', 'subject_malformed'],
  ])('and %s is refused at the first step, before ADK does anything', async (_what, token, code) => {
    const model = new TestModel(['Hello.']);
    const runner = stage.runner(agentOf(model, []));
    const params = { ...(await stage.params()), subjectToken: token };
    const error = await failure(stage.plugin.runAsync(runner, params).next());
    expect(error).toMatchObject({ code, failure: 'reauthentication_required' });
    expect(error.message).not.toContain('abc');
    expect(model.asked).toEqual([]);
    expect(stage.broker.stats()).toMatchObject({ delegations: 0, exchanges: 0 });
  });

  test('and an expired one is refused at the first step', async () => {
    const runner = stage.runner(agentOf(new TestModel(['Hello.']), []));
    const token = await subjectToken(stage.sts, 'alice', -1);
    const params = { ...(await stage.params()), subjectToken: token };
    expect(await failure(stage.plugin.runAsync(runner, params).next())).toMatchObject({
      code: 'subject_expired',
    });
  });
});
